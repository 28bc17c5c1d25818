package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// clearBook makes a book's pre-matches and opens its confirmation window.
func clearBook(ctx *module.Ctx, book *matchingv1.Book) error {
	c := lay(ctx, book)
	found, err := c.Run()
	if err != nil {
		return err
	}
	fee := registry.ParamsAt(ctx.Store, book.Period).FeeUcoinPerKwh
	for _, trade := range found.Trades {
		if err := prematch(ctx, book, c.Sells[trade.Sell], c.Buys[trade.Buy], fee, trade); err != nil {
			return err
		}
	}
	report(ctx, book, found)
	dropDue(ctx, book)
	book.Phase = matchingv1.Phase_PHASE_CONFIRM
	if book.Pending == 0 { // nobody is waited for
		book.ConfirmUntilMs = ctx.TimeMs
		ctx.Emit(&matchingv1.PeriodCleared{Book: book})
		return finish(ctx, book, c.Sells, c.Buys, "")
	}
	for _, order := range c.Sells {
		sells.Set(ctx.Store, sellKey(order.Period, order.Account, order.Id), order)
	}
	for _, order := range c.Buys {
		buys.Set(ctx.Store, buyKey(order.Period, order.Account, order.Id), order)
	}
	// Not after the start of the period: a round is no longer than the gate's lead.
	book.ConfirmUntilMs = confirmUntil(registry.ParamsAt(ctx.Store, book.Period), book.Period, ctx.TimeMs)
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(book.Period), book)
	ctx.Emit(&matchingv1.PeriodCleared{Book: book})
	return nil
}

// lay lays out a book as the state has it. Where orders were sealed, ties follow
// from the hash that was fixed before they were revealed.
func lay(ctx *module.Ctx, book *matchingv1.Book) *clearing.Clearing {
	r, period := ctx.Store, book.Period
	params := registry.ParamsAt(r, period)
	sold, bid := ordersOf(r, period, nil)
	tieBreak := ctx.PrevAppHash
	if book.TieBreakHash != nil {
		tieBreak = book.TieBreakHash
	}
	return clearing.New(clearing.Rules{
		Period: period, PeriodLengthMs: registry.ChainOf(r).PeriodLengthMs, PrevAppHash: tieBreak,
		Params: params, Market: marketAt(r, period).Market, Paths: grid.PathsOf(r, params.DefaultLossPpmPerKm),
	}, sold, bid)
}

// report writes to the book what its clearing came to, and says what was cut.
func report(ctx *module.Ctx, book *matchingv1.Book, found *clearing.Outcome) {
	book.Mechanism = marketAt(ctx.Store, book.Period).Market.Mechanism
	book.Objective, book.Fallback = found.Objective, found.Fallback
	book.SurplusUcoin, book.Auction = found.SurplusUcoin, found.Auction
	book.CutWh, book.LimitsNotHeld, book.CutNotOptimal = found.Carried.CutWh, found.Carried.LimitsNotHeld, found.Carried.NotOptimal
	for _, cut := range found.Carried.Cuts {
		ctx.Emit(cut)
	}
	if found.Certificate != nil {
		certificates.Set(ctx.Store, certificateKey(book.Period), found.Certificate)
	}
}

// prematch records one trade of the mechanism and confirms it for the sides that
// gave a standing consent.
func prematch(ctx *module.Ctx, book *matchingv1.Book, sell *matchingv1.SellOrder, buy *matchingv1.BuyOrder, fee int64, trade clearing.Trade) error {
	escrow, err := cost(trade.Price, fee, trade.EnergyWh)
	if err != nil {
		return err
	}
	sell.AvailableWh -= trade.EnergyWh
	buy.OpenWh -= trade.EnergyWh
	buy.EscrowUcoin -= escrow
	id := module.DeriveID("match", buy.Id, sell.Id)
	match := &matchingv1.Match{
		Id: id.Bytes(), Period: book.Period, SellOrder: sell.Id, BuyOrder: buy.Id, Seller: sell.Account, Buyer: buy.Account,
		EnergyWh: trade.EnergyWh, PriceUcoinPerKwh: trade.Price, FeeUcoinPerKwh: fee,
		LossPpm: trade.LossPPM, Environment: sell.Environment, EnergyType: sell.EnergyType,
		SellerSatisfactionPpm: trade.SellerPPM, BuyerSatisfactionPpm: trade.BuyerPPM,
		EscrowUcoin: escrow, Meter: sell.Meter,
	}
	match.SellerConfirmed = consents(sell.Consent, match.SellerSatisfactionPpm)
	match.BuyerConfirmed = consents(buy.Consent, match.BuyerSatisfactionPpm)
	if book.PrematchedWh, err = units.Add(book.PrematchedWh, trade.EnergyWh); err != nil {
		return err
	}
	if match.SellerConfirmed && match.BuyerConfirmed {
		return stand(ctx, book, match) // consented in advance: nobody is asked
	}
	ctx.Emit(&matchingv1.PreMatched{Match: match})
	prematches.Set(ctx.Store, prematchKey(match.Period, match.Id), match)
	book.Pending++
	return nil
}

func consents(consent *matchingv1.Consent, satisfaction int64) bool {
	return consent.GetStanding() && satisfaction >= consent.GetMinSatisfactionPpm()
}

// ordersOf reads an account's orders of a period.
func ordersOf(r state.Reader, period int64, account []byte) ([]*matchingv1.SellOrder, []*matchingv1.BuyOrder) {
	return collect(values(sells.All(r, sells.Key().Int64(period).Bytes(account)))),
		collect(values(buys.All(r, buys.Key().Int64(period).Bytes(account))))
}

// confirmUntil is the end of the confirmation window: a round after the gate,
// or after the block that cleared late, at the start of the period at the
// latest.
func confirmUntil(params *registryv1.Params, period, nowMs int64) int64 {
	return min(max(registry.GateOf(params, period), nowMs)+params.RoundLengthMs, period)
}
