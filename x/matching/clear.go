package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// clearBook makes a round's pre-matches and opens its confirmation window.
func clearBook(ctx *module.Ctx, ways *network, book *matchingv1.Book) error {
	asks, bids := ordersOf(ctx.Store, book.Period, book.Market, nil)
	c := lay(ctx, ways, book, asks, bids)
	found, err := c.Run()
	if err != nil {
		return err
	}
	dropDue(ctx, book)
	begin(book, c.Sells, c.Buys)
	if err := propose(ctx, ways, book, c, found.Trades); err != nil {
		return err
	}
	report(ctx, book, found)
	book.Phase = matchingv1.Phase_PHASE_CONFIRM
	if book.Pending == 0 && !again(ctx, book) { // nobody is waited for
		book.ConfirmUntilMs = ctx.TimeMs
		ctx.Emit(&matchingv1.PeriodCleared{Book: book})
		return finish(ctx, book, asks, bids, "")
	}
	for _, order := range c.Sells {
		sells.Set(ctx.Store, sellKey(order.Period, order.Market, order.Account, order.Id), order)
	}
	for _, order := range c.Buys {
		buys.Set(ctx.Store, buyKey(order.Period, order.Market, order.Account, order.Id), order)
	}
	ctx.Emit(&matchingv1.PeriodCleared{Book: book})
	if book.Pending == 0 { // rules declined: nothing to wait for but the next round
		awaitRound(ctx, book)
		return nil
	}
	// Not after the start of the period: a round is no longer than the gate's lead.
	book.AskedHeight = ctx.Height
	book.ConfirmUntilMs = confirmUntil(registry.ParamsAt(ctx.Store, book.Period), book.Period, ctx.TimeMs)
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(book.Period, book.Market), book)
	return nil
}

// propose makes pre-matches of a clearing's trades. Those that both sides consented
// to in advance stand at once.
func propose(ctx *module.Ctx, ways *network, book *matchingv1.Book, c *clearing.Clearing, trades []clearing.Trade) error {
	var agreed []*matchingv1.Match
	for _, trade := range trades {
		match, err := prematch(ctx, ways, book, c.Sells[trade.Sell], c.Buys[trade.Buy], trade)
		if err != nil {
			return err
		}
		if match != nil {
			agreed = append(agreed, match)
		}
	}
	return stand(ctx, book, agreed...)
}

// lay lays out a book as the state has it. Where orders were sealed, ties follow
// from the hash that was fixed before they were revealed.
func lay(ctx *module.Ctx, ways *network, book *matchingv1.Book, asks []*matchingv1.SellOrder, bids []*matchingv1.BuyOrder) *clearing.Clearing {
	r, period := ctx.Store, book.Period
	market, _ := marketAt(r, book.Market, period)
	tieBreak := ctx.PrevAppHash
	if book.TieBreakHash != nil {
		tieBreak = book.TieBreakHash
	}
	ways.at(r, period)
	return clearing.New(clearing.Rules{
		Period: period, PeriodLengthMs: registry.ChainOf(r).PeriodLengthMs, PrevAppHash: tieBreak,
		Params: registry.ParamsAt(r, period), Market: market.Market, Paths: ways.paths, Fees: ways.fees,
		Declined: declinedIn(r, period, book.Market), Standing: ways.standing[book.Market], Beside: ways.beside(book.Market),
	}, asks, bids)
}

// report writes to the book what its clearing came to, and says what was cut.
func report(ctx *module.Ctx, book *matchingv1.Book, found *clearing.Outcome) {
	market, _ := marketAt(ctx.Store, book.Market, book.Period)
	book.Mechanism = market.Market.Mechanism
	book.Objective, book.SurplusUcoin, book.CutWh = found.Objective, found.SurplusUcoin, found.Carried.CutWh
	book.Fallback = book.Fallback || found.Fallback
	book.LimitsNotHeld = book.LimitsNotHeld || found.Carried.LimitsNotHeld
	book.CutNotOptimal = book.CutNotOptimal || found.Carried.NotOptimal
	if book.Round == 1 {
		book.Auction = found.Auction
	}
	for _, cut := range found.Carried.Cuts {
		ctx.Emit(cut)
	}
	if found.Certificate != nil {
		found.Certificate.Market, found.Certificate.Round = book.Market, book.Round
		certificates.Set(ctx.Store, certificateKey(book.Period, book.Market, book.Round), found.Certificate)
	}
}

// prematch records one trade of the mechanism, confirms it for the sides that
// gave a standing consent, and declines it for those whose rule rejects it. It
// returns the match if both sides consented in advance: nobody is asked. What
// stands behind the order covers it: price and fee of the pair are at most the bid,
// and truncating parts gives no more than truncating the whole.
func prematch(ctx *module.Ctx, ways *network, book *matchingv1.Book, sell *matchingv1.SellOrder, buy *matchingv1.BuyOrder, trade clearing.Trade) (*matchingv1.Match, error) {
	whole, err := cost(trade.Price, trade.Fee, trade.EnergyWh)
	if err != nil {
		return nil, err
	}
	// A pair may meet again in a later round, with what others gave back.
	id := module.DeriveID("match", buy.Id, sell.Id, []byte{byte(book.Round)})
	match := &matchingv1.Match{
		Id: id.Bytes(), Period: book.Period, Market: book.Market, SellOrder: sell.Id, BuyOrder: buy.Id, Seller: sell.Account, Buyer: buy.Account,
		EnergyWh: trade.EnergyWh, PriceUcoinPerKwh: trade.Price, FeeUcoinPerKwh: trade.Fee,
		LossPpm: trade.LossPPM, Environment: sell.Environment, EnergyType: sell.EnergyType,
		SellerSatisfactionPpm: trade.SellerPPM, BuyerSatisfactionPpm: trade.BuyerPPM,
		Meter: sell.Meter, Round: book.Round,
	}
	if err := assign(match, sell, buy, whole); err != nil {
		return nil, err
	}
	ways.zoneFee(match, sell.GridNode, buy.GridNode)
	match.SellerConfirmed = consents(sell.Consent, match.SellerSatisfactionPpm)
	match.BuyerConfirmed = consents(buy.Consent, match.BuyerSatisfactionPpm)
	if book.PrematchedWh, err = units.Add(book.PrematchedWh, trade.EnergyWh); err != nil {
		return nil, err
	}
	if sides := (by{rejects(sell.Consent, match.SellerSatisfactionPpm), rejects(buy.Consent, match.BuyerSatisfactionPpm)}); sides.seller || sides.buyer {
		return nil, decline(ctx, book, match, sell, buy, sides, matchingv1.Cause_CAUSE_RULE)
	}
	ways.occupy(ctx.Store, match)
	take(match, sell, buy)
	if match.SellerConfirmed && match.BuyerConfirmed {
		return match, nil
	}
	ctx.Emit(&matchingv1.PreMatched{Match: match})
	prematches.Set(ctx.Store, prematchKey(match.Period, match.Market, match.Id), match)
	book.Pending++
	return nil, nil
}

func consents(consent *matchingv1.Consent, satisfaction int64) bool {
	return consent.GetStanding() && satisfaction >= consent.GetMinSatisfactionPpm()
}

// ordersOf reads an account's orders in a market's book, or all of the book.
func ordersOf(r state.Reader, period, market int64, account []byte) ([]*matchingv1.SellOrder, []*matchingv1.BuyOrder) {
	return collect(values(sells.All(r, sellKey(period, market, account, nil)))),
		collect(values(buys.All(r, buyKey(period, market, account, nil))))
}

// prematchesOf reads what waits for a signature in a book.
func prematchesOf(r state.Reader, book *matchingv1.Book) []*matchingv1.Match {
	return collect(values(prematches.All(r, prematchKey(book.Period, book.Market, nil))))
}

// confirmUntil is the end of the confirmation window: a round after the gate,
// or after the block that cleared late, at the start of the period at the
// latest.
func confirmUntil(params *registryv1.Params, period, nowMs int64) int64 {
	return min(max(registry.GateOf(params, period), nowMs)+params.RoundLengthMs, period)
}
