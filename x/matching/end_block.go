package matching

import (
	"fmt"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// EndBlock implements module.EndBlocker: it stops accounts and advances the
// books that are due, as doc.go says.
func (Module) EndBlock(ctx *module.Ctx) error {
	for _, account := range registry.StoppedThisBlock(ctx.Store, ctx.Height) {
		if err := Stop(ctx, account); err != nil {
			return fmt.Errorf("orders of %v: %w", account, err)
		}
	}
	ways := new(network) // no hook changes the grid
	for {
		due := nextDue(ctx)
		if period, passed := nextGate(ctx); passed && (due == nil || gateAt(ctx.Store, period) <= due.TimeMs) {
			passGate(ctx, period)
			continue
		}
		if due == nil {
			return nil
		}
		if err := advance(ctx, ways, due); err != nil {
			return fmt.Errorf("period %d, market %d: %w", due.Period, due.Market, err)
		}
	}
}

// nextDue returns the oldest boundary that has been reached.
func nextDue(ctx *module.Ctx) *matchingv1.Due {
	for _, due := range dues.All(ctx.Store, dues.Key()) {
		if due.TimeMs <= ctx.TimeMs {
			return due
		}
		break
	}
	return nil
}

// advance takes a book one phase further; the caller goes on until no book is
// due, so a book in which nothing waits or comes back is cleared and final in one
// block. No block clears a book twice.
func advance(ctx *module.Ctx, ways *network, due *matchingv1.Due) error {
	book, ok := books.Get(ctx.Store, bookKey(due.Period, due.Market))
	if !ok {
		return ErrUnknownBook.With("due at %d without a book", due.TimeMs)
	}
	if book.Phase == matchingv1.Phase_PHASE_CONFIRM {
		return endConfirming(ctx, book)
	}
	if ctx.TimeMs >= book.Period {
		book.Missed = book.Round == 0
		return giveUp(ctx, book, reasonMissed)
	}
	if book.Phase == matchingv1.Phase_PHASE_OPEN && book.Seals > 0 {
		startReveal(ctx, book)
		return nil
	}
	err := ctx.Atomic(func(ctx *module.Ctx) error {
		if err := forfeit(ctx, book); err != nil {
			return err
		}
		return clearBook(ctx, ways, book)
	})
	if err == nil {
		return nil
	}
	*ways = network{} // what the clearing put on the lines is not there
	ctx.Emit(&matchingv1.ClearingFailed{Period: due.Period, Market: due.Market, Reason: err.Error()})
	book, _ = books.Get(ctx.Store, bookKey(due.Period, due.Market))
	return giveUp(ctx, book, reasonFailed)
}

// endConfirming lets what was not confirmed lapse, and ends the round.
func endConfirming(ctx *module.Ctx, book *matchingv1.Book) error {
	dropDue(ctx, book)
	for _, match := range prematchesOf(ctx.Store, book) {
		sides := by{seller: !match.SellerConfirmed, buyer: !match.BuyerConfirmed}
		if sides.seller {
			answered(ctx, match.Seller, true)
		}
		if sides.buyer {
			answered(ctx, match.Buyer, true)
		}
		if err := lapse(ctx, book, match, sides, matchingv1.Cause_CAUSE_LAPSE); err != nil {
			return err
		}
	}
	if again(ctx, book) {
		awaitRound(ctx, book)
		return nil
	}
	asks, bids := ordersOf(ctx.Store, book.Period, book.Market, nil)
	return finish(ctx, book, asks, bids, "")
}

// giveUp ends a book that is not cleared: not at all, or not once more, so that
// only what was never in a clearing is cancelled for a reason.
func giveUp(ctx *module.Ctx, book *matchingv1.Book, reason string) error {
	dropDue(ctx, book)
	if err := returnBonds(ctx, book, reason); err != nil {
		return err
	}
	if book.Round > 0 {
		reason = ""
	}
	asks, bids := ordersOf(ctx.Store, book.Period, book.Market, nil)
	return finish(ctx, book, asks, bids, reason)
}

// finish makes a book final: its orders with the rest of their escrow go,
// confirmed matches stay for settlement. A reason is given if the orders never
// were in a clearing.
func finish(ctx *module.Ctx, book *matchingv1.Book, asks []*matchingv1.SellOrder, bids []*matchingv1.BuyOrder, reason string) error {
	for _, order := range asks {
		leaveRest(ctx, order)
		removeSell(ctx, order, reason)
		presences.Delete(ctx.Store, presenceKey(order.Account, order.Period))
	}
	for _, order := range bids {
		if err := removeBuy(ctx, order, reason); err != nil {
			return err
		}
		presences.Delete(ctx.Store, presenceKey(order.Account, order.Period))
	}
	book.Phase = matchingv1.Phase_PHASE_FINAL
	books.Set(ctx.Store, bookKey(book.Period, book.Market), book)
	ctx.Emit(&matchingv1.PeriodFinal{Book: book})
	return nil
}

// Stop cancels a frozen or revoked account's orders in books that were not
// cleared, with the bonds of sealed ones back, and what is left of them in cleared
// ones, where its unconfirmed pre-matches lapse. The hook calls it for accounts that
// messages stopped, later hooks for those that they stop.
func Stop(ctx *module.Ctx, account protocol.Address) error {
	for _, presence := range collect(values(presences.All(ctx.Store, presences.Key().Bytes(account[:])))) {
		book, ok := books.Get(ctx.Store, bookKey(presence.Period, presence.Market))
		if !ok {
			return ErrUnknownBook.With("period %d has orders of %v", presence.Period, account)
		}
		if book.Round > 0 {
			if err := stopIn(ctx, book, account); err != nil {
				return err
			}
			continue
		}
		sold, bid := ordersOf(ctx.Store, presence.Period, presence.Market, account[:])
		for _, order := range sold {
			removeSell(ctx, order, reasonStopped)
		}
		for _, order := range bid {
			if err := removeBuy(ctx, order, reasonStopped); err != nil {
				return err
			}
		}
		for _, seal := range sealsOf(ctx.Store, presence.Period, presence.Market, account[:]) {
			if err := removeSeal(ctx, seal, reasonStopped); err != nil {
				return err
			}
		}
		if err := leave(ctx, account[:], presence.Period, presence); err != nil {
			return err
		}
	}
	return nil
}
