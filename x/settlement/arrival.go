package settlement

import (
	"bytes"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/matching"
)

// arrival is an account whose registers came in this block, and what they mean
// for its matches.
type arrival struct {
	*settlementv1.Tally
	// matches by id, and s_k or g_k of each; of s_k what the meter shows
	// (certificates).
	matches          []*matchingv1.Match
	ids              []protocol.ID
	parts, certified []int64
	selling          bool
	params           *registryv1.Params
	// settled says which of the matches are, trades what they became: here, not in
	// the store, until the account has its statement or the block is done with the
	// period.
	settled []bool
	trades  []*settlementv1.AccountTrade
}

// done says that the account waits for nothing: it gets its statement at once.
func (a *arrival) done() bool { return a.OpenMatches == 0 && a.alone() }

// alone says that nobody but its matches' other sides has a say in when the account
// gets its statement: neither a component nor a group.
func (a *arrival) alone() bool { return len(a.Component) == 0 && !a.Estimated }

// place is where an account's matches have one.
func (a *arrival) place(match []byte) (int, bool) {
	return slices.BinarySearchFunc(a.ids, match, func(id protocol.ID, match []byte) int { return bytes.Compare(id[:], match) })
}

// settle notes that a match became a trade.
func (a *arrival) settle(i int, row *settlementv1.AccountTrade) {
	a.settled[i] = true
	a.OpenMatches--
	a.trades = append(a.trades, row)
}

// unsettle takes the latest settle back.
func (a *arrival) unsettle(i int) {
	a.settled[i] = false
	a.OpenMatches++
	a.trades = a.trades[:len(a.trades)-1]
}

// store keeps what waits for others' registers: the account's parts of open
// matches, and the trades for its statement.
func (a *arrival) store(ctx *module.Ctx) {
	for i, match := range a.matches {
		if a.settled[i] {
			continue
		}
		shares.Set(ctx.Store, shareKey(match.Period, a.Account, match.Id), &settlementv1.Share{
			Account: a.Account, Period: match.Period, Match: match.Id, EnergyWh: a.parts[i], Estimated: a.Estimated,
			CertifiedWh: a.certified[i], CertifiedType: a.CertifiedType,
		})
	}
	for _, row := range a.trades {
		keepTrade(ctx, row)
	}
	tallies.Set(ctx.Store, tallyKey(a.Period, a.Account), a.Tally)
}

// waiting are the accounts whose registers this block took in the period it is at
// and that wait for other sides' only. Most of those come in the same block: what
// is between them is settled without the store.
type waiting struct {
	by map[protocol.Address]*arrival
	// order is that in which they came, for one result everywhere.
	order []*arrival
	// latest are the matches that the latest arrival settled with them, to be taken
	// back if it fails.
	latest []settledWith
	// stored says that the store has parts of the period's matches.
	stored bool
}

type settledWith struct {
	*arrival
	match int
}

// add lets an account wait.
func (w *waiting) add(a *arrival) {
	if w.by == nil {
		w.by = make(map[protocol.Address]*arrival)
	}
	w.by[protocol.Address(a.Account)] = a
	w.order = append(w.order, a)
}

// settle settles a match of one that waits, and makes its statement if it was the
// last.
func (w *waiting) settle(ctx *module.Ctx, period *settlementv1.Period, a *arrival, i int, row *settlementv1.AccountTrade) error {
	a.settle(i, row)
	w.latest = append(w.latest, settledWith{a, i})
	if !a.done() {
		return nil
	}
	return a.close(ctx, period)
}

// takeBack undoes what a failed arrival settled, and its waiting; the store has
// taken back the rest.
func (w *waiting) takeBack(account protocol.Address) {
	for _, latest := range slices.Backward(w.latest) {
		latest.unsettle(latest.match)
	}
	if failed, ok := w.by[account]; ok {
		delete(w.by, account)
		w.order = slices.DeleteFunc(w.order, func(a *arrival) bool { return a == failed })
	}
}

// storeAll stores what of those that still wait does, and forgets them.
func (w *waiting) storeAll(ctx *module.Ctx) {
	for _, a := range w.order {
		if !a.done() {
			a.store(ctx)
		}
	}
	*w = waiting{}
}

// settleRegisters shares an account's registers out over its matches and
// settles those whose other side's are here.
func (b *block) settleRegisters(ctx *module.Ctx, tally *settlementv1.Tally, energy *meteringv1.Energy) error {
	if tally.HasRegisters {
		return nil
	}
	period, err := loadPeriod(ctx.Store, energy.Period)
	if err != nil {
		return err
	}
	a := &arrival{Tally: tally, params: b.paramsOf(ctx.Store, energy.Period), matches: matching.MatchesOf(ctx.Store, energy.Period, protocol.Address(energy.Account))}
	if err := a.measure(ctx, energy); err != nil {
		return err
	}
	if err := b.countRegisters(ctx.Store, tally); err != nil {
		return err
	}
	for i := range a.matches {
		if err := b.settleArrived(ctx, period, a, i); err != nil {
			return err
		}
	}
	switch {
	case a.done():
		err = a.close(ctx, period)
	case a.alone():
		b.waiting.add(a)
	default:
		a.store(ctx)
		b.waiting.stored = true
		err = b.closeIfDone(ctx, period, tally)
	}
	if err != nil {
		return err
	}
	return savePeriod(ctx, period)
}

// measure shares the registers out over the account's matches.
func (a *arrival) measure(ctx *module.Ctx, energy *meteringv1.Energy) (err error) {
	a.selling = len(a.matches) > 0 && bytes.Equal(a.matches[0].Seller, energy.Account)
	a.OpenMatches, a.settled = int64(len(a.matches)), make([]bool, len(a.matches))
	obligations := make([]obligation, len(a.matches))
	for i, match := range a.matches {
		obligations[i] = obligation{match.EnergyWh, match.LossPpm}
		a.ids = append(a.ids, protocol.ID(match.Id))
	}
	if a.parts, err = measure(ctx, a.params, a.Tally, energy, a.selling, obligations); err != nil {
		return err
	}
	a.certified, err = certifyExport(ctx.Store, a.params, a.Tally, a.selling, a.parts)
	return err
}

// close makes the account's statement, its trades in the order of their ids.
func (a *arrival) close(ctx *module.Ctx, period *settlementv1.Period) error {
	rows := slices.Clone(a.trades) // which stay in the order in which they may be taken back
	slices.SortFunc(rows, func(x, y *settlementv1.AccountTrade) int { return bytes.Compare(x.Trade.Match, y.Trade.Match) })
	return closeAccount(ctx, a.params, period, a.Tally, rows)
}

// counterpart is the other side of an account's match, whose registers are here.
type counterpart struct {
	*settlementv1.Tally
	// part is its s_k or g_k, certified what of s_k its meter shows.
	part, certified int64
	// here is set if its registers came in this block, and at which place it has
	// the match.
	here *arrival
	at   int
}

// counterpart returns the other side of a match, nil if its registers are not here;
// what the store held of it for the match is removed.
func (b *block) counterpart(ctx *module.Ctx, match *matchingv1.Match, account []byte) (*counterpart, error) {
	if here, ok := b.waiting.by[protocol.Address(account)]; ok {
		if at, ok := here.place(match.Id); ok {
			return &counterpart{Tally: here.Tally, part: here.parts[at], certified: here.certified[at], here: here, at: at}, nil
		}
	}
	if !b.waiting.stored {
		return nil, nil
	}
	share := takeShare(ctx, match, account)
	if share == nil {
		return nil, nil
	}
	tally, ok := tallies.Get(ctx.Store, tallyKey(match.Period, account))
	if !ok {
		return nil, ErrNoRecord.With("period %d: no tally of %v", match.Period, protocol.Address(account))
	}
	return &counterpart{Tally: tally, part: share.EnergyWh, certified: share.CertifiedWh}, nil
}

// settleArrived settles a match of an account whose registers came, if the other
// side's are here; else its part of them waits for those.
func (b *block) settleArrived(ctx *module.Ctx, period *settlementv1.Period, a *arrival, i int) error {
	match := a.matches[i]
	other := match.Seller
	if a.selling {
		other = match.Buyer
	}
	theirs, err := b.counterpart(ctx, match, other)
	if theirs == nil || err != nil {
		return err
	}
	seller, buyer := theirs.Tally, a.Tally
	d := delivered{seller: theirs.part, buyer: a.parts[i], certified: theirs.certified}
	if a.selling {
		seller, buyer = buyer, seller
		d = delivered{seller: a.parts[i], buyer: theirs.part, certified: a.certified[i]}
	}
	d.measured = !seller.Estimated && !buyer.Estimated
	d.energyType, d.feedIn, d.retail = seller.CertifiedType, seller.FeedInUcoinPerKwh, buyer.RetailUcoinPerKwh
	sold, bought, err := settle(ctx, period, match, d)
	if err != nil {
		return err
	}
	sold.WithIdentity, bought.WithIdentity = buyer.Identity, seller.Identity
	mine, their := bought, sold
	if a.selling {
		mine, their = sold, bought
	}
	a.settle(i, mine)
	if theirs.here != nil {
		return b.waiting.settle(ctx, period, theirs.here, theirs.at, their)
	}
	keepTrade(ctx, their)
	theirs.OpenMatches--
	tallies.Set(ctx.Store, tallyKey(match.Period, other), theirs.Tally)
	return b.closeIfDone(ctx, period, theirs.Tally)
}
