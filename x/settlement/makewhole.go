package settlement

import (
	"bytes"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

// makeWhole lets the side of a trade that fell short of the other pay what the
// difference costs the other with the grid (SPEC 8): a seller what the buyer pays
// there beyond price and fee, a buyer what the seller gets there less than the
// price. It pays from its free balance; the rest becomes debt. The guarantee fund
// pays for energy only. What of it repaid older debts is added to repaid.
func makeWhole(ctx *module.Ctx, period int64, trade *settlementv1.Trade, d delivered, repaid *repayments) error {
	buyers, _ := tariffAt(ctx.Store, trade.Buyer, period)
	sellers, _ := tariffAt(ctx.Store, trade.Seller, period)
	if err := setMakeWhole(trade, d, buyers.GetRetailUcoinPerKwh(), sellers.GetFeedInUcoinPerKwh()); err != nil {
		return err
	}
	if d.buyer > d.seller {
		return compensate(ctx, trade, &repaid.buyer)
	}
	return compensate(ctx, trade, &repaid.seller)
}

// setMakeWhole writes down what the side of a trade that fell short of the other
// owes it, by the buyer's retail and the seller's feed-in price.
func setMakeWhole(trade *settlementv1.Trade, d delivered, retail, feedIn int64) (err error) {
	extra := max(0, retail-trade.PriceUcoinPerKwh-trade.FeeUcoinPerKwh)
	if trade.MakeWholeBySellerUcoin, err = units.Amount(extra, max(0, d.buyer-d.seller)); err != nil {
		return err
	}
	lost := max(0, trade.PriceUcoinPerKwh-feedIn)
	trade.MakeWholeByBuyerUcoin, err = units.Amount(lost, max(0, d.seller-d.buyer))
	return err
}

// compensate pays a trade's make-whole payment.
func compensate(ctx *module.Ctx, trade *settlementv1.Trade, repaid *int64) error {
	from, to, amount := makeWholeOf(trade)
	paid, toCreditors, err := bank.Pay(ctx, protocol.Address(from), protocol.Address(to), amount)
	if err != nil {
		return err
	}
	trade.UnpaidMakeWholeUcoin = amount - paid
	var sums adder
	sums.add(repaid, toCreditors)
	return sums.err
}

// makeWholeOf returns who makes whom whole in a trade, and the amount in ucoin.
func makeWholeOf(trade *settlementv1.Trade) (from, to []byte, amount int64) {
	if trade.MakeWholeByBuyerUcoin > 0 {
		return trade.Buyer, trade.Seller, trade.MakeWholeByBuyerUcoin
	}
	return trade.Seller, trade.Buyer, trade.MakeWholeBySellerUcoin
}

// madeWhole is what of a trade's make-whole payment was paid when it settled, in
// ucoin.
func madeWhole(trade *settlementv1.Trade) int64 {
	return trade.MakeWholeBySellerUcoin + trade.MakeWholeByBuyerUcoin - trade.UnpaidMakeWholeUcoin
}

// addMakeWhole counts a trade's make-whole payment in the statement of a side.
func addMakeWhole(sums *adder, statement *settlementv1.Statement, trade *settlementv1.Trade) {
	paid := madeWhole(trade)
	if from, _, _ := makeWholeOf(trade); !bytes.Equal(from, statement.Account) {
		sums.add(&statement.ReceivedUcoin, paid)
		sums.add(&statement.MakeWholeReceivedUcoin, paid)
		return
	}
	sums.add(&statement.PaidUcoin, paid)
	sums.add(&statement.DebtUcoin, trade.UnpaidMakeWholeUcoin)
	sums.add(&statement.MakeWholePaidUcoin, paid)
}
