package matching

import (
	"cmp"
	"fmt"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// EndBlock implements module.EndBlocker: it stops accounts and advances the
// books that are due, as doc.go says.
func (Module) EndBlock(ctx *module.Ctx) error {
	if err := Stop(ctx, registry.StoppedThisBlock(ctx.Store, ctx.Height)); err != nil {
		return fmt.Errorf("orders of stopped accounts: %w", err)
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

// endConfirming lets what was not confirmed lapse, and ends the round. It counts
// for the accounts only if there was a block in which they could have answered.
func endConfirming(ctx *module.Ctx, book *matchingv1.Book) error {
	dropDue(ctx, book)
	couldAnswer := ctx.Height > book.AskedHeight+1
	for _, match := range prematchesOf(ctx.Store, book) {
		sides := by{seller: !match.SellerConfirmed, buyer: !match.BuyerConfirmed}
		if couldAnswer && sides.seller {
			answered(ctx, match.Seller, true)
		}
		if couldAnswer && sides.buyer {
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
		if err := removeSell(ctx, order, reason); err != nil {
			return err
		}
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
	finals.Set(ctx.Store, finalKey(book.Period, book.Market), &matchingv1.Due{Period: book.Period, Market: book.Market})
	ctx.Emit(&matchingv1.PeriodFinal{Book: book})
	return nil
}

// Stop cancels the orders of frozen or revoked accounts in books that were not
// cleared, with the bonds of sealed ones back, and what is left of them in cleared
// ones, where their unconfirmed pre-matches lapse. Each cleared book is gone
// through once, however many accounts stop. Later hooks call it for those that they
// stop.
func Stop(ctx *module.Ctx, accounts []protocol.Address) error {
	var cleared []stoppedIn
	for _, account := range accounts {
		for _, presence := range collect(values(presences.All(ctx.Store, presences.Key().Bytes(account[:])))) {
			book, ok := books.Get(ctx.Store, bookKey(presence.Period, presence.Market))
			if !ok {
				return ErrUnknownBook.With("period %d has orders of %v", presence.Period, account)
			}
			if book.Round > 0 {
				cleared = append(cleared, stoppedIn{presence.Period, presence.Market, account})
			} else if err := takeBack(ctx, presence); err != nil {
				return err
			}
		}
	}
	// Stable: of a book the accounts stay in their order.
	slices.SortStableFunc(cleared, func(a, b stoppedIn) int {
		return cmp.Or(cmp.Compare(a.period, b.period), cmp.Compare(a.market, b.market))
	})
	for len(cleared) > 0 {
		n := 1
		for n < len(cleared) && cleared[n].period == cleared[0].period && cleared[n].market == cleared[0].market {
			n++
		}
		if err := stopIn(ctx, cleared[:n]); err != nil {
			return err
		}
		cleared = cleared[n:]
	}
	return nil
}

// takeBack cancels all that a stopped account has in a book that was not cleared.
func takeBack(ctx *module.Ctx, presence *matchingv1.Presence) error {
	sold, bid := ordersOf(ctx.Store, presence.Period, presence.Market, presence.Account)
	for _, order := range sold {
		if err := removeSell(ctx, order, reasonStopped); err != nil {
			return err
		}
	}
	for _, order := range bid {
		if err := removeBuy(ctx, order, reasonStopped); err != nil {
			return err
		}
	}
	for _, seal := range sealsOf(ctx.Store, presence.Period, presence.Market, presence.Account) {
		if err := removeSeal(ctx, seal, reasonStopped); err != nil {
			return err
		}
	}
	return leave(ctx, presence.Account, presence.Period, presence)
}
