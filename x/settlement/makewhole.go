package settlement

import (
	"bytes"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

// setMakeWhole writes down what the side of a trade that fell short of the other
// owes it: what the difference costs the other with the grid. A seller owes what
// the buyer pays there (retail) beyond price and fee, a buyer what the seller gets
// there (feedIn) less than the price.
func setMakeWhole(trade *settlementv1.Trade, d delivered, retail, feedIn int64) (err error) {
	extra := max(0, retail-trade.PriceUcoinPerKwh-trade.FeeUcoinPerKwh)
	if trade.MakeWholeBySellerUcoin, err = units.Amount(extra, max(0, d.buyer-d.seller)); err != nil {
		return err
	}
	lost := max(0, trade.PriceUcoinPerKwh-feedIn)
	trade.MakeWholeByBuyerUcoin, err = units.Amount(lost, max(0, d.seller-d.buyer))
	return err
}

// makeWhole pays a trade's make-whole payment, a seller's out of its security
// first, and gives the rest of that back; what is missing is paid from the free
// balance, else becomes debt. The guarantee fund pays for energy only. What of it
// all repaid older debts is added to repaid.
func makeWhole(ctx *module.Ctx, trade *settlementv1.Trade, security int64, repaid *repayments) error {
	from, to, amount := makeWholeOf(trade)
	receiver := &repaid.seller
	if bytes.Equal(to, trade.Buyer) {
		receiver = &repaid.buyer
	}
	var sums adder
	secured := min(security, trade.MakeWholeBySellerUcoin)
	if security > 0 {
		payments := []bank.Payment{{To: protocol.Address(trade.Buyer), AmountUcoin: secured}}
		returned, err := bank.PayOut(ctx, protocol.Address(trade.Seller), security, payments)
		if err != nil {
			return err
		}
		sums.add(receiver, payments[0].RepaidUcoin)
		sums.add(&repaid.seller, returned)
	}
	if amount > secured {
		paid, toCreditors, err := bank.Pay(ctx, protocol.Address(from), protocol.Address(to), amount-secured)
		if err != nil {
			return err
		}
		trade.UnpaidMakeWholeUcoin = amount - secured - paid
		sums.add(receiver, toCreditors)
	}
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
