package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

func sealKey(period, market int64, account, id []byte) state.Key {
	return seals.Key().Int64(period).Int64(market).Bytes(account, id)
}

// sealsOf reads an account's sealed orders in a market's book, or all of the book.
func sealsOf(r state.Reader, period, market int64, account []byte) []*matchingv1.Seal {
	return collect(values(seals.All(r, sealKey(period, market, account, nil))))
}

// takesSeals says whether a market has time to reveal and to confirm before the
// period. It was so when the market was set; parameters may have changed since.
func takesSeals(market *matchingv1.Market, params *registryv1.Params) bool {
	return market.RevealLengthMs > 0 && market.RevealLengthMs+params.RoundLengthMs <= params.GateLeadMs
}

// startReveal opens the time for revealing in the first block at or after the
// gate, and fixes what decides ties: all commitments are made, none is known.
func startReveal(ctx *module.Ctx, book *matchingv1.Book) {
	dropDue(ctx, book)
	book.Phase, book.TieBreakHash = matchingv1.Phase_PHASE_REVEAL, ctx.PrevAppHash
	// At the start of the period it is too late to clear: then nobody loses a bond.
	market, _ := marketAt(ctx.Store, book.Market, book.Period)
	book.RevealUntilMs = min(ctx.TimeMs+market.Market.RevealLengthMs, book.Period)
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(book.Period, book.Market), book)
	ctx.Emit(&matchingv1.RevealStarted{Book: book})
}

// unseal takes a sealed order out of its account's and its book's counts; its
// bond stays in escrow.
func unseal(ctx *module.Ctx, book *matchingv1.Book, seal *matchingv1.Seal) {
	seals.Delete(ctx.Store, sealKey(seal.Period, seal.Market, seal.Account, seal.Id))
	book.Seals--
	book.Orders--
	addLoad(ctx.Store, book.Period, -1)
	key := presenceKey(seal.Account, seal.Period)
	presence, _ := presences.Get(ctx.Store, key)
	if presence.Seals--; presence.Seals+presence.Sells+presence.Buys == 0 {
		presences.Delete(ctx.Store, key)
	} else {
		presences.Set(ctx.Store, key, presence)
	}
}

// forfeit gives the bonds of what was not revealed in time to the guarantee fund.
func forfeit(ctx *module.Ctx, book *matchingv1.Book) error {
	for _, seal := range sealsOf(ctx.Store, book.Period, book.Market, nil) {
		unseal(ctx, book, seal)
		payment := []bank.Payment{{To: protocol.GuaranteeAddress, AmountUcoin: seal.BondUcoin}}
		if _, err := bank.PayOut(ctx, protocol.Address(seal.Account), seal.BondUcoin, payment); err != nil {
			return err
		}
		ctx.Emit(&matchingv1.BondForfeited{Seal: seal})
	}
	return nil
}

// returnBonds ends the sealed orders of a book that is not cleared, which is
// nobody's fault.
func returnBonds(ctx *module.Ctx, book *matchingv1.Book, reason string) error {
	for _, seal := range sealsOf(ctx.Store, book.Period, book.Market, nil) {
		unseal(ctx, book, seal)
		if err := returnBond(ctx, seal, reason); err != nil {
			return err
		}
	}
	return nil
}

func returnBond(ctx *module.Ctx, seal *matchingv1.Seal, reason string) error {
	emitCancelled(ctx, seal.Id, seal.Account, seal.Period, reason)
	return bank.Release(ctx, protocol.Address(seal.Account), seal.BondUcoin)
}

// removeSeal deletes a sealed order and gives its bond back; the caller takes it
// out of the counts.
func removeSeal(ctx *module.Ctx, seal *matchingv1.Seal, reason string) error {
	seals.Delete(ctx.Store, sealKey(seal.Period, seal.Market, seal.Account, seal.Id))
	return returnBond(ctx, seal, reason)
}

// checkRevealTime refuses a market whose time for revealing leaves none to
// confirm before the period.
func checkRevealTime(r state.Reader, market *matchingv1.Market, period int64) error {
	params := registry.ParamsAt(r, period)
	if most := max(params.GateLeadMs-params.RoundLengthMs, 0); market.RevealLengthMs > most {
		return ErrOutOfRange.With("market.reveal_length_ms: expected 0 to %d, the time from gate to start less a round, got %d", most, market.RevealLengthMs)
	}
	return nil
}
