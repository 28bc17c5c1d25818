package settlement

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// resettlement settles a period again for an account whose registers were
// corrected and for those whose trades with it change by that.
type resettlement struct {
	ctx    *module.Ctx
	period *settlementv1.Period
	// parties are whose statements were read, the corrected account first.
	parties   []*party
	byAccount map[protocol.Address]*party
	// read counts the trades in the statements that were read.
	read int
	// legs are the differences of money that follow.
	legs []leg
}

// party is an account of a resettlement and its statement.
type party struct {
	*settlementv1.Statement
	// changed: the statement gets a new version.
	changed bool
	// parts are those of its registers that fall to its trades, as far as found.
	parts [sharings]map[string]int64
}

// party returns an account that takes part in the period.
func (w *resettlement) party(account []byte) (*party, error) {
	address := protocol.Address(account)
	if p := w.byAccount[address]; p != nil {
		return p, nil
	}
	statement, ok := StatementOf(w.ctx.Store, w.period.Period, address)
	if !ok {
		return nil, ErrNoRecord.With("period %d: no statement of %v", w.period.Period, address)
	}
	statement.CorrectionPaidUcoin, statement.CorrectionReceivedUcoin, statement.CorrectionDebtUcoin = 0, 0, 0
	p := &party{Statement: statement}
	w.parties = append(w.parties, p)
	w.byAccount[address] = p
	w.read += len(p.Trades)
	return p, nil
}

// sides returns the seller and the buyer of a trade.
func (w *resettlement) sides(trade *settlementv1.Trade) (seller, buyer *party, err error) {
	if seller, err = w.party(trade.Seller); err != nil {
		return nil, nil, err
	}
	buyer, err = w.party(trade.Buyer)
	return seller, buyer, err
}

// retrade settles the trades of the corrected account again: its matches, then
// the contracts of everybody whose matches changed, since those have what the
// matches leave.
func (w *resettlement) retrade(corrected *party) error {
	for _, trade := range matchTrades(corrected.Statement) {
		if err := w.rematch(trade); err != nil {
			return err
		}
	}
	for _, p := range w.parties[:len(w.parties):len(w.parties)] {
		if !p.changed {
			continue
		}
		for _, trade := range p.Trades {
			if len(trade.Contract) == 0 {
				continue
			}
			if err := w.recontract(trade); err != nil {
				return err
			}
		}
	}
	return nil
}

// rematch settles a match again with what its sides' registers say now.
func (w *resettlement) rematch(trade *settlementv1.Trade) error {
	if trade.SellerMissing && trade.BuyerMissing {
		return nil
	}
	seller, buyer, err := w.sides(trade)
	if err != nil {
		return err
	}
	d := delivered{seller: trade.ContractedWh, buyer: trade.ContractedWh}
	if !trade.SellerMissing || !seller.Missing {
		if d.seller, err = partOf(seller, trade, sellable); err != nil {
			return err
		}
	}
	if !trade.BuyerMissing {
		if d.buyer, err = partOf(buyer, trade, takeable); err != nil {
			return err
		}
	}
	if trade.GridStoodIn {
		return w.restandIn(seller, buyer, trade, d)
	}
	next, err := redelivered(trade, min(d.seller, d.buyer))
	if err != nil {
		return err
	}
	if !trade.SellerMissing && !trade.BuyerMissing && !seller.Estimated && !buyer.Estimated {
		err = setMakeWhole(next, d, buyer.RetailUcoinPerKwh, seller.FeedInUcoinPerKwh)
	}
	if err != nil {
		return err
	}
	if err := w.recertify(seller, buyer, next); err != nil {
		return err
	}
	return w.replace(seller, buyer, trade, next)
}

// restandIn settles a match again that the grid stood in for: what it sold, and
// what of that passed to the seller, if its registers came.
func (w *resettlement) restandIn(seller, buyer *party, trade *settlementv1.Trade, d delivered) error {
	own, bought := tradeOf(seller.Statement, trade), tradeOf(buyer.Statement, trade)
	sold, err := redelivered(bought, d.buyer)
	if err != nil {
		return err
	}
	if sold.SoldWh != bought.SoldWh {
		if err := w.replaceBought(buyer, bought, sold); err != nil {
			return err
		}
		w.owe(buyer.Account, protocol.GridAddress.Bytes(), sold.AmountUcoin-bought.AmountUcoin)
	}
	if seller.Missing {
		if sold.SoldWh != bought.SoldWh {
			put(seller, sold)
		}
		return w.addStoodIn(sold.SoldWh - bought.SoldWh)
	}
	passed, err := redelivered(own, min(d.seller, d.buyer))
	if err != nil {
		return err
	}
	if passed.SoldWh != own.SoldWh {
		put(seller, passed)
		w.owe(protocol.GridAddress.Bytes(), seller.Account, passed.AmountUcoin-own.AmountUcoin)
	}
	var sums adder
	sums.add(&seller.SoldWh, passed.SoldWh-own.SoldWh)
	if sums.err != nil {
		return sums.err
	}
	return w.addStoodIn(sold.SoldWh - bought.SoldWh - (passed.SoldWh - own.SoldWh))
}

// addStoodIn counts what more the grid sold in a seller's place.
func (w *resettlement) addStoodIn(moreWh int64) error {
	var sums adder
	sums.add(&w.period.Totals.GridSoldWh, moreWh)
	return sums.err
}

// recontract settles what a contract delivered again: what it did at first, if
// the matches leave that much of the registers of both sides, else the part that
// is left for it.
func (w *resettlement) recontract(trade *settlementv1.Trade) error {
	seller, buyer, err := w.sides(trade)
	if err != nil {
		return err
	}
	sold, err := partOf(seller, trade, sellableByContract)
	if err != nil {
		return err
	}
	taken, err := partOf(buyer, trade, takeableByContract)
	if err != nil {
		return err
	}
	next, err := redelivered(trade, min(sold, taken))
	if err != nil {
		return err
	}
	if err := w.recertify(seller, buyer, next); err != nil {
		return err
	}
	return w.replace(seller, buyer, trade, next)
}

// replace puts a trade in the place of what it was in the statements of both
// sides.
func (w *resettlement) replace(seller, buyer *party, was, next *settlementv1.Trade) error {
	if was.SoldWh == next.SoldWh && was.CertifiedWh == next.CertifiedWh && was.MakeWholeBySellerUcoin == next.MakeWholeBySellerUcoin &&
		was.MakeWholeByBuyerUcoin == next.MakeWholeByBuyerUcoin {
		return nil
	}
	more, err := units.Sum(next.AmountUcoin, -was.AmountUcoin, next.MakeWholeByBuyerUcoin, -was.MakeWholeByBuyerUcoin,
		-next.MakeWholeBySellerUcoin, was.MakeWholeBySellerUcoin)
	if err != nil {
		return err
	}
	w.owe(buyer.Account, seller.Account, more)
	if err := w.remakeWhole(seller, buyer, was, next); err != nil {
		return err
	}
	put(seller, next)
	var sums adder
	sums.add(&seller.SoldWh, next.SoldWh-was.SoldWh)
	if sums.err != nil {
		return sums.err
	}
	return w.replaceBought(buyer, was, next)
}

// replaceBought puts a trade in the buyer's statement and counts it in the
// period's totals.
func (w *resettlement) replaceBought(buyer *party, was, next *settlementv1.Trade) error {
	put(buyer, next)
	w.legs = append(w.legs, feeLeg(next, next.FeeUcoin-was.FeeUcoin))
	totals, soldWh := w.period.Totals, next.SoldWh-was.SoldWh
	var sums adder
	sums.add(&buyer.BoughtWh, next.BoughtWh-was.BoughtWh)
	sums.add(&totals.SoldWh, soldWh)
	sums.add(&totals.BoughtWh, next.BoughtWh-was.BoughtWh)
	sums.add(&totals.LossWh, soldWh-(next.BoughtWh-was.BoughtWh))
	if next.Environment > 0 {
		sums.add(&totals.CleanWh, soldWh)
	}
	if len(next.Contract) > 0 {
		sums.add(&totals.ContractWh, soldWh)
	}
	sums.add(&totals.AmountUcoin, next.AmountUcoin-was.AmountUcoin)
	if sums.err != nil {
		return sums.err
	}
	if err := w.rebookZoneFee(was, next); err != nil {
		return err
	}
	return w.reissue(buyer, was, next)
}

// remakeWhole counts a trade's make-whole payment anew. What of the earlier one
// became debt stays owed.
func (w *resettlement) remakeWhole(seller, buyer *party, was, next *settlementv1.Trade) error {
	var sums adder
	count := func(trade *settlementv1.Trade, sign int64) (payee *party) {
		payer, payee := seller, buyer
		if from, _, _ := makeWholeOf(trade); bytes.Equal(from, buyer.Account) {
			payer, payee = buyer, seller
		}
		sums.add(&payer.MakeWholePaidUcoin, sign*madeWhole(trade))
		sums.add(&payee.MakeWholeReceivedUcoin, sign*madeWhole(trade))
		sums.add(&w.period.Totals.MakeWholeUcoin, sign*madeWhole(trade))
		return payee
	}
	owedTo := count(was, -1)
	sums.add(&owedTo.ClaimsUcoin, was.UnpaidMakeWholeUcoin)
	next.UnpaidMakeWholeUcoin = 0
	count(next, 1)
	return sums.err
}

// redelivered returns a trade as it is with another energy delivered, and
// without make-whole payments.
func redelivered(trade *settlementv1.Trade, deliveredWh int64) (next *settlementv1.Trade, err error) {
	next = proto.Clone(trade).(*settlementv1.Trade)
	next.SoldWh, next.BoughtWh = deliveredWh, units.Net(deliveredWh, trade.LossPpm)
	next.MakeWholeBySellerUcoin, next.MakeWholeByBuyerUcoin = 0, 0
	if next.AmountUcoin, err = units.Amount(next.PriceUcoinPerKwh, deliveredWh); err != nil {
		return nil, err
	}
	next.FeeUcoin, err = units.Amount(next.FeeUcoinPerKwh, deliveredWh)
	return next, err
}

// tradeOf returns a trade as it is in a statement, nil if it is not there.
func tradeOf(statement *settlementv1.Statement, trade *settlementv1.Trade) *settlementv1.Trade {
	for _, own := range statement.Trades {
		if bytes.Equal(tradeID(own), tradeID(trade)) {
			return own
		}
	}
	return nil
}

// put replaces a trade in a party's statement.
func put(p *party, next *settlementv1.Trade) {
	for i, own := range p.Trades {
		if bytes.Equal(tradeID(own), tradeID(next)) {
			p.Trades[i] = next
		}
	}
	p.changed = true
}
