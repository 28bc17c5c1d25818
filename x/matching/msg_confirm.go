package matching

import (
	"bytes"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
)

func checkConfirm(_ string, m *matchingv1.MsgConfirm) error { return checkID("match", m.Match) }

// confirm signs a pre-match for the sender's side, or vetoes it.
func confirm(ctx *module.Ctx, m *matchingv1.MsgConfirm) error {
	book, ok := books.Get(ctx.Store, bookKey(m.Period, ctx.Signer.Account.GetMarket()))
	if !ok {
		return ErrUnknownMatch.With("period: expected one with a book, got %s", units.FormatTime(m.Period))
	}
	if book.Phase != matchingv1.Phase_PHASE_CONFIRM || ctx.TimeMs >= book.ConfirmUntilMs {
		return ErrWindowClosed.With("period: expected the confirmation window of %s, the time is %s", units.FormatTime(m.Period), units.FormatTime(ctx.TimeMs))
	}
	match, ok := prematches.Get(ctx.Store, prematchKey(m.Period, book.Market, m.Match))
	sender := ctx.Signer.Address()
	isSeller := ok && bytes.Equal(match.Seller, sender[:])
	if !ok || !isSeller && !bytes.Equal(match.Buyer, sender[:]) {
		return ErrUnknownMatch.With("match: expected a pre-match of the sender in the period %s, got %x", units.FormatTime(m.Period), m.Match)
	}
	if isSeller && match.SellerConfirmed || !isSeller && match.BuyerConfirmed {
		return ErrAlreadyConfirmed.With("match: the sender already confirmed %x", m.Match)
	}
	answered(ctx, sender[:], false)
	switch {
	case m.Veto:
		if err := lapse(ctx, book, match, by{seller: isSeller, buyer: !isSeller}, matchingv1.Cause_CAUSE_VETO); err != nil {
			return err
		}
	case isSeller:
		match.SellerConfirmed = true
	default:
		match.BuyerConfirmed = true
	}
	if !m.Veto {
		if err := signed(ctx, book, match); err != nil {
			return err
		}
	}
	updateConfirming(ctx, book)
	return nil
}

// signed stores a pre-match with one more signature; with both it is a match.
func signed(ctx *module.Ctx, book *matchingv1.Book, match *matchingv1.Match) error {
	if !match.SellerConfirmed || !match.BuyerConfirmed {
		prematches.Set(ctx.Store, prematchKey(match.Period, match.Market, match.Id), match)
		return nil
	}
	prematches.Delete(ctx.Store, prematchKey(match.Period, match.Market, match.Id))
	book.Pending--
	return stand(ctx, book, match)
}

// stand makes matches of pre-matches that both sides confirmed. Those of one
// clearing come together, as they share the rows of their buyers.
func stand(ctx *module.Ctx, book *matchingv1.Book, agreed ...*matchingv1.Match) error {
	for _, match := range agreed {
		matches.Set(ctx.Store, matchKey(match.Period, match.Seller, match.Id), match)
		total, err := units.Add(book.MatchedWh, match.EnergyWh)
		if err != nil {
			return err
		}
		book.MatchedWh = total
		book.Matches++
		if match.Environment > 0 {
			book.CleanWh += match.EnergyWh
		}
		ctx.Emit(&matchingv1.Matched{Match: match})
	}
	recordPurchases(ctx.Store, agreed)
	return nil
}

// updateConfirming stores a cleared book. Once nothing waits the window ends now,
// and this block's hook ends the round.
func updateConfirming(ctx *module.Ctx, book *matchingv1.Book) {
	if book.Pending == 0 && book.Phase == matchingv1.Phase_PHASE_CONFIRM {
		dropDue(ctx, book)
		book.ConfirmUntilMs = ctx.TimeMs
		setDue(ctx, book)
	}
	books.Set(ctx.Store, bookKey(book.Period, book.Market), book)
}
