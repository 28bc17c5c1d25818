// Package audit checks a clearing that a chain reported: it clears the same book
// again and compares every trade, and checks limits, energies and certificate by
// code that clears nothing. It is a package of its own because whoever audits
// has no chain, only what its blocks say.
package audit

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
)

// Record is what a chain says that it made of a book.
type Record struct {
	Matches []*matchingv1.Match // confirmed or not
	Cuts    []*matchingv1.Cut
	Book    *matchingv1.Book // as it was after the clearing
	// Before is the book after the round before, nil for the first.
	Before *matchingv1.Book
	// Certificate is nil where there is none, or none any more.
	Certificate *matchingv1.Certificate
}

// Finding is what one check found: nothing wrong unless Wrong says what, in one
// line with the first difference. A check that could not be made says why in
// Skipped.
type Finding struct {
	Check   string `json:"check"`
	Wrong   string `json:"wrong,omitempty"`
	Skipped string `json:"skipped,omitempty"`
}

// Report is an audited clearing.
type Report struct {
	Findings []Finding
	// Pairs are all that traded, by the chain or when cleared again, in the order
	// of the chain's.
	Pairs []Pair
}

// Pair is what the chain made of two orders, and what clearing again makes of
// them; nil where they did not trade.
type Pair struct {
	Sell  *matchingv1.SellOrder
	Buy   *matchingv1.BuyOrder
	Said  *matchingv1.Match
	Again *clearing.Trade
}

// Wrong returns the first finding that is, nil if all is right.
func (r *Report) Wrong() *Finding {
	for i := range r.Findings {
		if r.Findings[i].Wrong != "" {
			return &r.Findings[i]
		}
	}
	return nil
}

// auditor has the book laid out as it was cleared.
type auditor struct {
	rules    clearing.Rules
	book     *clearing.Clearing
	sold     []*matchingv1.SellOrder
	bid      []*matchingv1.BuyOrder
	said     Record
	again    *clearing.Outcome
	buys     map[string]int // places in the clearing by order id
	sells    map[string]int
	report   *Report
	unproved string // why the certificate could not be checked
}

// Check audits the clearing of a round. The orders are all of the book with what
// each still had. The error is that
// of a book which cannot be cleared at all.
func Check(rules clearing.Rules, sells []*matchingv1.SellOrder, buys []*matchingv1.BuyOrder, said Record) (*Report, error) {
	a := &auditor{
		rules: rules, book: clearing.New(rules, sells, buys), sold: sells, bid: buys, said: said,
		buys: make(map[string]int, len(buys)), sells: make(map[string]int, len(sells)), report: &Report{},
	}
	for i, order := range a.book.Buys {
		a.buys[string(order.Id)] = i
	}
	for i, order := range a.book.Sells {
		a.sells[string(order.Id)] = i
	}
	var err error
	if a.again, err = a.book.Run(); err != nil {
		return nil, err
	}
	orders := a.checkOrders()
	a.add("orders", orders)
	if orders == nil { // else nobody knows what the matches are about
		a.add("energies", a.checkEnergies())
		a.add("limits", a.checkLimits())
		a.add("certificate", a.checkCertificate())
		a.compareTrades()
	}
	a.add("cuts", a.compareCuts())
	a.add("book", a.compareBook())
	return a.report, nil
}

func (a *auditor) add(check string, wrong error) {
	finding := Finding{Check: check}
	if wrong != nil {
		finding.Wrong = wrong.Error()
	}
	if check == "certificate" {
		finding.Skipped = a.unproved
	}
	a.report.Findings = append(a.report.Findings, finding)
}

// places finds the orders of a match, or of a cut.
func (a *auditor) places(buyOrder, sellOrder []byte) (buy, sell int, err error) {
	buy, known := a.buys[string(buyOrder)]
	if !known {
		return 0, 0, fmt.Errorf("buy order %x: expected one of the book's, got none", buyOrder)
	}
	if sell, known = a.sells[string(sellOrder)]; !known {
		return 0, 0, fmt.Errorf("sell order %x: expected one of the book's, got none", sellOrder)
	}
	return buy, sell, nil
}

// checkOrders checks that each match joins two orders of the book, whose
// accounts, meter and kind of energy it names, and no two orders twice.
func (a *auditor) checkOrders() error {
	seen := make(map[[2]int]bool)
	for _, match := range a.said.Matches {
		buy, sell, err := a.places(match.BuyOrder, match.SellOrder)
		if err != nil {
			return fmt.Errorf("match %x: %w", match.Id, err)
		}
		b, s := a.book.Buys[buy], a.book.Sells[sell]
		if !bytes.Equal(match.Buyer, b.Account) || !bytes.Equal(match.Seller, s.Account) || match.Period != a.rules.Period || match.Round != a.said.Book.GetRound() || match.Market != a.said.Book.GetMarket() {
			return fmt.Errorf("match %x: expected the accounts, period, market and round of its orders", match.Id)
		}
		if match.Meter != s.Meter || match.Environment != s.Environment || match.EnergyType != s.EnergyType {
			return fmt.Errorf("match %x: expected meter and kind of energy of its sell order", match.Id)
		}
		if seen[[2]int{buy, sell}] {
			return fmt.Errorf("match %x: expected one match of buy %x and sell %x, got two", match.Id, b.Id, s.Id)
		}
		seen[[2]int{buy, sell}] = true
	}
	return nil
}

// checkEnergies checks that no order trades more than it has.
func (a *auditor) checkEnergies() error {
	bought, sold := make([]int64, len(a.buys)), make([]int64, len(a.sells))
	for _, match := range a.said.Matches {
		buy, sell := a.buys[string(match.BuyOrder)], a.sells[string(match.SellOrder)]
		wants, has := a.book.Buys[buy].OpenWh, a.book.Sells[sell].AvailableWh
		if match.EnergyWh <= 0 || match.EnergyWh > wants-bought[buy] || match.EnergyWh > has-sold[sell] {
			return fmt.Errorf("match %x: expected at most %s, what buy %x (%s) and sell %x (%s) have left, got %s", match.Id,
				units.FormatKWh(min(wants-bought[buy], has-sold[sell])), match.BuyOrder, units.FormatKWh(wants),
				match.SellOrder, units.FormatKWh(has), units.FormatKWh(match.EnergyWh))
		}
		bought[buy] += match.EnergyWh
		sold[sell] += match.EnergyWh
	}
	return nil
}

// checkLimits checks that each match is within what both sides and the grid
// allow.
func (a *auditor) checkLimits() error {
	for _, match := range a.said.Matches {
		buy, sell := a.buys[string(match.BuyOrder)], a.sells[string(match.SellOrder)]
		if refusal := a.book.Refusal(buy, sell); refusal != clearing.MayTrade {
			return fmt.Errorf("match %x: expected orders that may trade, got: %v", match.Id, refusal)
		}
		ask, bid := a.book.Sells[sell].PriceUcoinPerKwh, a.book.Buys[buy].PriceUcoinPerKwh
		if fee := a.book.Fee(buy, sell); match.FeeUcoinPerKwh != fee {
			return fmt.Errorf("match %x: expected the fee %s, got %s", match.Id, units.FormatPrice(fee), units.FormatPrice(match.FeeUcoinPerKwh))
		}
		if match.PriceUcoinPerKwh < ask || match.PriceUcoinPerKwh > bid-match.FeeUcoinPerKwh {
			return fmt.Errorf("match %x: expected a price from the ask %s to bid less fee %s, got %s", match.Id, units.FormatPrice(ask),
				units.FormatPrice(bid-match.FeeUcoinPerKwh), units.FormatPrice(match.PriceUcoinPerKwh))
		}
	}
	return nil
}

// checkCertificate checks that the chain's own certificate proves what it
// reported: its matches, and what the lines cut of them.
func (a *auditor) checkCertificate() error {
	switch {
	case a.again.Certificate == nil:
		a.unproved = "this mechanism has none, or its solver gave up"
		return nil
	case a.said.Certificate == nil:
		a.unproved = "the chain no longer has it: only cleared again"
		return nil
	}
	trades, err := a.uncut()
	if err != nil {
		return err
	}
	if err := a.book.Prove(trades, a.said.Certificate); err != nil {
		return err
	}
	a.again.Certificate.Round, a.again.Certificate.Market = a.said.Book.GetRound(), a.said.Book.GetMarket()
	if !proto.Equal(a.said.Certificate, a.again.Certificate) {
		return fmt.Errorf("it proves the matches, but is not the one that clearing again gives")
	}
	return nil
}

// uncut adds to the matches what the lines cut of them.
func (a *auditor) uncut() ([]clearing.Trade, error) {
	var trades []clearing.Trade
	at := make(map[[2]int]int)
	add := func(buyOrder, sellOrder []byte, energyWh int64) error {
		buy, sell, err := a.places(buyOrder, sellOrder)
		if err != nil {
			return err
		}
		place, known := at[[2]int{buy, sell}]
		if !known {
			place = len(trades)
			at[[2]int{buy, sell}] = place
			trades = append(trades, clearing.Trade{Buy: buy, Sell: sell})
		}
		trades[place].EnergyWh, err = units.Add(trades[place].EnergyWh, energyWh)
		return err
	}
	for _, match := range a.said.Matches {
		if err := add(match.BuyOrder, match.SellOrder, match.EnergyWh); err != nil {
			return nil, err
		}
	}
	for _, cut := range a.said.Cuts {
		if err := add(cut.BuyOrder, cut.SellOrder, cut.EnergyWh); err != nil {
			return nil, err
		}
	}
	return trades, nil
}
