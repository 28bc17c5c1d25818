package audit

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
)

// compareTrades compares each match with what clearing again makes of its
// orders.
func (a *auditor) compareTrades() {
	again := make(map[[2]int]*clearing.Trade)
	for i, t := range a.again.Trades {
		again[[2]int{t.Buy, t.Sell}] = &a.again.Trades[i]
	}
	var wrong error
	note := func(err error) {
		if wrong == nil {
			wrong = err
		}
	}
	for _, match := range a.said.Matches {
		buy, sell := a.buys[string(match.BuyOrder)], a.sells[string(match.SellOrder)]
		pair := Pair{Sell: a.book.Sells[sell], Buy: a.book.Buys[buy], Said: match, Again: again[[2]int{buy, sell}]}
		delete(again, [2]int{buy, sell})
		a.report.Pairs = append(a.report.Pairs, pair)
		note(pair.difference())
	}
	for _, t := range a.again.Trades { // in their order
		missing, ok := again[[2]int{t.Buy, t.Sell}]
		if !ok {
			continue
		}
		pair := Pair{Sell: a.book.Sells[t.Sell], Buy: a.book.Buys[t.Buy], Again: missing}
		a.report.Pairs = append(a.report.Pairs, pair)
		note(pair.difference())
	}
	a.add("trades", wrong)
}

// difference says in what the chain's match differs from the trade.
func (p Pair) difference() error {
	where := fmt.Sprintf("buy %x of sell %x", p.Buy.Id, p.Sell.Id)
	switch {
	case p.Said == nil:
		return fmt.Errorf("%s: expected %s, got no match", where, units.FormatKWh(p.Again.EnergyWh))
	case p.Again == nil:
		return fmt.Errorf("%s: expected no match, got %s", where, units.FormatKWh(p.Said.EnergyWh))
	case p.Said.EnergyWh != p.Again.EnergyWh:
		return fmt.Errorf("%s: expected %s, got %s", where, units.FormatKWh(p.Again.EnergyWh), units.FormatKWh(p.Said.EnergyWh))
	case p.Said.PriceUcoinPerKwh != p.Again.Price:
		return fmt.Errorf("%s: expected the price %s, got %s", where, units.FormatPrice(p.Again.Price), units.FormatPrice(p.Said.PriceUcoinPerKwh))
	case p.Said.LossPpm != p.Again.LossPPM:
		return fmt.Errorf("%s: expected the loss %s, got %s", where, units.FormatPercent(p.Again.LossPPM), units.FormatPercent(p.Said.LossPpm))
	case p.Said.BuyerSatisfactionPpm != p.Again.BuyerPPM || p.Said.SellerSatisfactionPpm != p.Again.SellerPPM:
		return fmt.Errorf("%s: expected the satisfactions %s and %s, got %s and %s", where,
			units.FormatPercent(p.Again.BuyerPPM), units.FormatPercent(p.Again.SellerPPM),
			units.FormatPercent(p.Said.BuyerSatisfactionPpm), units.FormatPercent(p.Said.SellerSatisfactionPpm))
	}
	return nil
}

// compareCuts compares what the lines could not carry, one by one.
func (a *auditor) compareCuts() error {
	want := a.again.Carried.Cuts
	for i, cut := range a.said.Cuts {
		if i < len(want) && !proto.Equal(cut, want[i]) || i >= len(want) {
			return fmt.Errorf("cut %d, of buy %x and sell %x: expected another or none", i+1, cut.BuyOrder, cut.SellOrder)
		}
	}
	if len(a.said.Cuts) < len(want) {
		missing := want[len(a.said.Cuts)]
		return fmt.Errorf("buy %x of sell %x: expected %s to be cut, got nothing", missing.BuyOrder, missing.SellOrder, units.FormatKWh(missing.EnergyWh))
	}
	return nil
}

// compareBook compares the numbers that the book was reported with. Some add up
// over the rounds; the auction is that of the first, which had the whole book.
func (a *auditor) compareBook() error {
	said, before, want := a.said.Book, a.said.Before, a.again
	var energy int64
	for _, match := range a.rules.Standing {
		energy += match.EnergyWh // no more, with the trades, than the book's energy, which was added up
	}
	for _, t := range want.Trades {
		energy += t.EnergyWh
	}
	for _, number := range []struct{ name, got, want string }{
		{"tie-break hash", a.tieBreak(), fmt.Sprintf("%x", a.rules.PrevAppHash)},
		{"round", fmt.Sprint(said.GetRound()), fmt.Sprint(before.GetRound() + 1)},
		{"mechanism", said.GetMechanism().String(), a.rules.Market.Mechanism.String()},
		{"objective", said.GetObjective(), want.Objective},
		{"fallback", fmt.Sprint(said.GetFallback()), fmt.Sprint(want.Fallback || before.GetFallback())},
		{"sells", fmt.Sprint(said.GetSells()), fmt.Sprint(len(a.sold))},
		{"buys", fmt.Sprint(said.GetBuys()), fmt.Sprint(len(a.bid))},
		{"energy matched", units.FormatKWh(said.GetPrematchedWh()), units.FormatKWh(energy)},
		{"surplus", units.FormatCoins(said.GetSurplusUcoin()), units.FormatCoins(want.SurplusUcoin)},
		{"energy cut", units.FormatKWh(said.GetCutWh()), units.FormatKWh(want.Carried.CutWh)},
		{"limits of lines not held", fmt.Sprint(said.GetLimitsNotHeld()), fmt.Sprint(want.Carried.LimitsNotHeld || before.GetLimitsNotHeld())},
		{"cut not optimal", fmt.Sprint(said.GetCutNotOptimal()), fmt.Sprint(want.Carried.NotOptimal || before.GetCutNotOptimal())},
	} {
		if number.got != number.want {
			return fmt.Errorf("%s: expected %s, got %s", number.name, number.want, number.got)
		}
	}
	auction := want.Auction
	if before != nil {
		auction = before.Auction
	}
	if !proto.Equal(said.GetAuction(), auction) {
		return fmt.Errorf("auction to compare with: expected %s, got %s", describe(auction), describe(said.GetAuction()))
	}
	return nil
}

// tieBreak is the hash that the book says decided ties. Only books with sealed
// orders name one: that of the block before their gate.
func (a *auditor) tieBreak() string {
	if hash := a.said.Book.GetTieBreakHash(); len(hash) > 0 {
		return fmt.Sprintf("%x", hash)
	}
	return fmt.Sprintf("%x", a.rules.PrevAppHash)
}

func describe(auction *matchingv1.Auction) string {
	if auction == nil {
		return "none"
	}
	return fmt.Sprintf("%s, %s clean, at %s with a surplus of %s", units.FormatKWh(auction.MatchedWh), units.FormatKWh(auction.CleanWh),
		units.FormatPrice(auction.PriceUcoinPerKwh), units.FormatCoins(auction.SurplusUcoin))
}
