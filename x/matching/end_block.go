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
		if err := stop(ctx, account); err != nil {
			return fmt.Errorf("orders of %v: %w", account, err)
		}
	}
	for {
		due := nextDue(ctx)
		if due == nil {
			return nil
		}
		if err := advance(ctx, due); err != nil {
			return fmt.Errorf("period %d: %w", due.Period, err)
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
func advance(ctx *module.Ctx, due *matchingv1.Due) error {
	book, ok := books.Get(ctx.Store, bookKey(due.Period))
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
	err := ctx.Atomic(func(ctx *module.Ctx) error { return clearBook(ctx, book) })
	if err == nil {
		return nil
	}
	ctx.Emit(&matchingv1.ClearingFailed{Period: due.Period, Reason: err.Error()})
	book, _ = books.Get(ctx.Store, bookKey(due.Period))
	return giveUp(ctx, book, reasonFailed)
}

// endConfirming lets what was not confirmed lapse, and ends the round.
func endConfirming(ctx *module.Ctx, book *matchingv1.Book) error {
	dropDue(ctx, book)
	for _, match := range collect(values(prematches.All(ctx.Store, prematches.Key().Int64(book.Period)))) {
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
	asks, bids := ordersOf(ctx.Store, book.Period, nil)
	return finish(ctx, book, asks, bids, "")
}

// giveUp ends a book that is not cleared: not at all, or not once more, so that
// only what was never in a clearing is cancelled for a reason.
func giveUp(ctx *module.Ctx, book *matchingv1.Book, reason string) error {
	dropDue(ctx, book)
	if book.Round > 0 {
		reason = ""
	}
	asks, bids := ordersOf(ctx.Store, book.Period, nil)
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
	books.Set(ctx.Store, bookKey(book.Period), book)
	ctx.Emit(&matchingv1.PeriodFinal{Book: book})
	return nil
}

// stop cancels a frozen or revoked account's orders in open books, and what is
// left of them in cleared ones, where its unconfirmed pre-matches lapse.
func stop(ctx *module.Ctx, account protocol.Address) error {
	for _, presence := range collect(values(presences.All(ctx.Store, presences.Key().Bytes(account[:])))) {
		book, ok := books.Get(ctx.Store, bookKey(presence.Period))
		if !ok {
			return ErrUnknownBook.With("period %d has orders of %v", presence.Period, account)
		}
		if book.Round > 0 {
			if err := stopIn(ctx, book, account); err != nil {
				return err
			}
			continue
		}
		sold, bid := ordersOf(ctx.Store, presence.Period, account[:])
		for _, order := range sold {
			removeSell(ctx, order, reasonStopped)
		}
		for _, order := range bid {
			if err := removeBuy(ctx, order, reasonStopped); err != nil {
				return err
			}
		}
		if err := leave(ctx, account[:], presence.Period, presence); err != nil {
			return err
		}
	}
	return nil
}
