package matching

import (
	"crypto/sha256"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

func checkSealOrder(_ string, m *matchingv1.MsgSealOrder) error {
	if len(m.Commitment) != sha256.Size {
		return ErrMalformed.With("commitment: expected %d bytes, got %d", sha256.Size, len(m.Commitment))
	}
	return checkPeriod(m.Period)
}

// sealOrder takes an order that nobody can read, against a bond. What it asks
// for is judged when it is revealed.
func sealOrder(ctx *module.Ctx, m *matchingv1.MsgSealOrder) error {
	if err := checkWindow(ctx, m.Period); err != nil {
		return err
	}
	e, err := arrive(ctx, m.Period)
	if err != nil {
		return err
	}
	if !takesSeals(e.market, e.params) {
		return ErrNotSealed.With("period: expected one whose market takes sealed orders, got %s", units.FormatTime(m.Period))
	}
	// Its side is not known: there must be room for it on either.
	if err := e.checkRoom(ctx.Store, max(e.book.Sells, e.book.Buys)); err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	seal := &matchingv1.Seal{
		Id: protocol.SealID(m.Commitment).Bytes(), Account: sender.Bytes(), Period: m.Period,
		Commitment: m.Commitment, BondUcoin: e.market.BondUcoin, Market: e.book.Market,
	}
	key := sealKey(seal.Period, seal.Market, seal.Account, seal.Id)
	if seals.Has(ctx.Store, key) {
		return ErrOrderExists.With("commitment: expected a new one, %x is sealed", m.Commitment)
	}
	if err := bank.Hold(ctx, sender, seal.BondUcoin); err != nil {
		return err
	}
	seals.Set(ctx.Store, key, seal)
	e.record(ctx, &matchingv1.Presence{Seals: 1})
	ctx.Emit(&matchingv1.OrderSealed{Seal: seal})
	return nil
}

func checkRevealOrder(chainID string, m *matchingv1.MsgRevealOrder) error {
	if (m.Sell == nil) == (m.Buy == nil) {
		return ErrMalformed.With("sell: expected either a sell or a buy")
	}
	if len(m.Salt) != protocol.SaltSize {
		return ErrMalformed.With("salt: expected %d bytes, got %d", protocol.SaltSize, len(m.Salt))
	}
	if m.Sell != nil {
		return checkPlaceSell(chainID, m.Sell)
	}
	return checkPlaceBuy(chainID, m.Buy)
}

// revealOrder places an order that the sender sealed, judged as any other, and
// gives its bond back. A refusal changes nothing: the sender may try again until
// the time for revealing ends, with the block that ends it, so that there is one
// block to reveal in however long the chain stood still.
func revealOrder(ctx *module.Ctx, m *matchingv1.MsgRevealOrder) error {
	period := max(m.Sell.GetPeriod(), m.Buy.GetPeriod()) // of the one that there is
	sender, market := ctx.Signer.Address(), ctx.Signer.Account.GetMarket()
	commitment, err := protocol.SealCommitment(ctx.ChainID, sender, m)
	if err != nil {
		return err
	}
	id := protocol.SealID(commitment).Bytes()
	seal, ok := seals.Get(ctx.Store, sealKey(period, market, sender[:], id))
	if !ok || string(seal.Commitment) != string(commitment) {
		return ErrUnknownSeal.With("salt: expected order and salt of one that the sender sealed for %s, %x is none", units.FormatTime(period), commitment)
	}
	book, ok := books.Get(ctx.Store, bookKey(period, market))
	if !ok || book.Phase != matchingv1.Phase_PHASE_REVEAL || ctx.TimeMs >= period {
		return ErrNotRevealing.With("period: expected one whose orders are being revealed, got %s at %s", units.FormatTime(period), units.FormatTime(ctx.TimeMs))
	}
	unseal(ctx, book, seal)
	books.Set(ctx.Store, bookKey(period, market), book)
	if err := bank.Release(ctx, sender, seal.BondUcoin); err != nil {
		return err
	}
	if m.Sell != nil {
		order := statedSell(m.Sell)
		order.Id = id
		err = enterSell(ctx, order)
	} else {
		order := statedBuy(m.Buy)
		order.Id = id
		err = enterBuy(ctx, order)
	}
	if err != nil {
		return err
	}
	return endRevealing(ctx, period, market)
}

// endRevealing lets this block's hook clear the book if nothing is sealed any
// more.
func endRevealing(ctx *module.Ctx, period, market int64) error {
	book, ok := books.Get(ctx.Store, bookKey(period, market))
	if !ok {
		return ErrUnknownBook.With("period: %s", units.FormatTime(period))
	}
	if book.Seals > 0 {
		return nil
	}
	dropDue(ctx, book)
	book.RevealUntilMs = ctx.TimeMs
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(period, market), book)
	return nil
}
