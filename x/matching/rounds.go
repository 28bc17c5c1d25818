package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// by says which sides declined a pre-match.
type by struct{ seller, buyer bool }

// begin counts a round in: what the one before left is proposed anew, so only
// matches that stand keep what they have.
func begin(book *matchingv1.Book, sold []*matchingv1.SellOrder, bid []*matchingv1.BuyOrder) {
	book.Round++
	book.PrematchedWh, book.ReturnedWh = book.MatchedWh, 0
	for _, order := range sold {
		order.Priority = false // it has been served
	}
	for _, order := range bid {
		order.Priority = false
	}
}

// again says whether there is another round: energy came back in the one that
// ended, and neither max_rounds nor the start of the period is reached.
func again(ctx *module.Ctx, book *matchingv1.Book) bool {
	return book.ReturnedWh > 0 && ctx.TimeMs < book.Period && book.Round < registry.ParamsAt(ctx.Store, book.Period).MaxRounds
}

// awaitRound leaves a book for the next block to clear again, so that a block
// clears a book once at most.
func awaitRound(ctx *module.Ctx, book *matchingv1.Book) {
	book.Phase, book.ConfirmUntilMs = matchingv1.Phase_PHASE_AGAIN, ctx.TimeMs
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(book.Period, book.Market), book)
}

// rejects is the rejection rule of an order (S3 4.3 step 9).
func rejects(consent *matchingv1.Consent, satisfaction int64) bool {
	return satisfaction < consent.GetRejectBelowPpm()
}

// decline notes that a pair is not proposed again and that the orders of those
// who would have traded come first in the next round. Both orders have their
// energy already; the caller stores them.
func decline(ctx *module.Ctx, book *matchingv1.Book, match *matchingv1.Match, sell *matchingv1.SellOrder, buy *matchingv1.BuyOrder, sides by, cause matchingv1.Cause) error {
	total, err := units.Add(book.ReturnedWh, match.EnergyWh)
	if err != nil {
		return err
	}
	book.ReturnedWh = total
	book.Declined++
	pair := &matchingv1.Declined{Period: book.Period, Market: book.Market, SellOrder: sell.Id, BuyOrder: buy.Id}
	declined.Set(ctx.Store, declinedKey(pair), pair)
	sell.Priority = sell.Priority || !sides.seller
	buy.Priority = buy.Priority || !sides.buyer
	ctx.Emit(&matchingv1.MatchLapsed{Match: match, Cause: cause, BySeller: sides.seller, ByBuyer: sides.buyer})
	return nil
}

// lapse ends a pre-match that was not confirmed: energy and escrow go back to its
// orders.
func lapse(ctx *module.Ctx, book *matchingv1.Book, match *matchingv1.Match, sides by, cause matchingv1.Cause) error {
	prematches.Delete(ctx.Store, prematchKey(match.Period, match.Market, match.Id))
	book.Pending--
	sell, sold := sells.Get(ctx.Store, sellKey(match.Period, match.Market, match.Seller, match.SellOrder))
	buy, bid := buys.Get(ctx.Store, buyKey(match.Period, match.Market, match.Buyer, match.BuyOrder))
	if !sold || !bid {
		return ErrUnknownOrder.With("pre-match %x: expected its orders", match.Id)
	}
	giveBack(match, sell, buy)
	if err := decline(ctx, book, match, sell, buy, sides, cause); err != nil {
		return err
	}
	sells.Set(ctx.Store, sellKey(match.Period, match.Market, match.Seller, match.SellOrder), sell)
	buys.Set(ctx.Store, buyKey(match.Period, match.Market, match.Buyer, match.BuyOrder), buy)
	return nil
}

// withdraw takes what is left of a stopped account's orders out of a cleared
// book. The orders stay, with nothing left, as long as matches of theirs may
// stand on the lines.
func withdraw(ctx *module.Ctx, book *matchingv1.Book, account protocol.Address) error {
	sold, bid := ordersOf(ctx.Store, book.Period, book.Market, account[:])
	for _, order := range sold {
		if order.AvailableWh == 0 {
			continue
		}
		emitCancelled(ctx, order.Id, order.Account, order.Period, reasonStopped)
		if err := uncoverSell(ctx, order); err != nil {
			return err
		}
		order.AvailableWh, order.SecurityUcoin = 0, 0
		sells.Set(ctx.Store, sellKey(order.Period, order.Market, order.Account, order.Id), order)
	}
	for _, order := range bid {
		if order.OpenWh == 0 {
			continue
		}
		emitCancelled(ctx, order.Id, order.Account, order.Period, reasonStopped)
		if err := uncoverBuy(ctx, order); err != nil {
			return err
		}
		order.OpenWh, order.EscrowUcoin, order.ExposedUcoin = 0, 0, 0
		buys.Set(ctx.Store, buyKey(order.Period, order.Market, order.Account, order.Id), order)
	}
	return nil
}

// stoppedIn is an account that was stopped with orders in a cleared book.
type stoppedIn struct {
	period, market int64
	account        protocol.Address
}

// stopIn lapses the unconfirmed pre-matches of stopped accounts in the cleared
// book that all of them name, and takes the rest of their orders out. That a side
// is stopped is no lapse.
func stopIn(ctx *module.Ctx, all []stoppedIn) error {
	book, ok := books.Get(ctx.Store, bookKey(all[0].period, all[0].market))
	if !ok {
		return ErrUnknownBook.With("period %d", all[0].period)
	}
	stopped := map[string]bool{}
	for _, s := range all {
		stopped[string(s.account[:])] = true
	}
	for _, match := range prematchesOf(ctx.Store, book) {
		sides := by{stopped[string(match.Seller)], stopped[string(match.Buyer)]}
		if !sides.seller && !sides.buyer {
			continue
		}
		if err := lapse(ctx, book, match, sides, matchingv1.Cause_CAUSE_STOPPED); err != nil {
			return err
		}
	}
	for _, s := range all {
		if err := withdraw(ctx, book, s.account); err != nil {
			return err
		}
	}
	updateConfirming(ctx, book)
	return nil
}

// leaveRest tells the gateway what the market left of an order whose rest is not
// the grid's.
func leaveRest(ctx *module.Ctx, order *matchingv1.SellOrder) {
	if order.AvailableWh > 0 && order.Rest > matchingv1.Rest_REST_GRID {
		ctx.Emit(&matchingv1.RestLeft{
			Order: order.Id, Account: order.Account, Period: order.Period, Meter: order.Meter,
			EnergyWh: order.AvailableWh, Rest: order.Rest,
		})
	}
}

func declinedKey(d *matchingv1.Declined) state.Key {
	return declined.Key().Int64(d.Period).Int64(d.Market).Bytes(d.SellOrder, d.BuyOrder)
}

// declinedIn returns the pairs of a book that are not proposed again.
func declinedIn(r state.Reader, period, market int64) []*matchingv1.Declined {
	return collect(values(declined.All(r, declined.Key().Int64(period).Int64(market))))
}
