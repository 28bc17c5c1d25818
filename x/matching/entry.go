package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
)

// msPerHour turns a rating in W times a time in ms into Wh.
const msPerHour = 3_600_000

// terms are what sell and buy orders have in common.
type terms struct {
	period, price, energyWh int64
	consent                 *matchingv1.Consent
	sell                    bool
}

// checkTerms is the stateless part, without the period.
func checkTerms(price, energyWh int64, consent *matchingv1.Consent) error {
	switch {
	case energyWh <= 0:
		return ErrBadEnergy.With("energy_wh: expected more than 0 kWh, got %s", units.FormatKWh(energyWh))
	case price < 0:
		return ErrBadPrice.With("price_ucoin_per_kwh: expected 0 coin/kWh or more, got %s", units.FormatPrice(price))
	}
	if err := checkRange("consent.min_satisfaction_ppm", consent.GetMinSatisfactionPpm(), units.PPM); err != nil {
		return err
	}
	if err := checkRange("consent.reject_below_ppm", consent.GetRejectBelowPpm(), units.PPM); err != nil {
		return err
	}
	if consent.GetStanding() && consent.GetRejectBelowPpm() > consent.GetMinSatisfactionPpm() {
		return ErrBadConsent.With("consent.reject_below_ppm: expected at most min_satisfaction_ppm, %d, of the standing consent, got %d",
			consent.GetMinSatisfactionPpm(), consent.GetRejectBelowPpm())
	}
	return nil
}

func checkPeriod(period int64) error {
	if period <= 0 {
		return ErrBadPeriod.With("period: expected the start of a period, got %s", units.FormatTime(period))
	}
	return nil
}

func checkRange(field string, value, most int64) error {
	if value < 0 || value > most {
		return ErrOutOfRange.With("%s: expected 0 to %d, got %d", field, most, value)
	}
	return nil
}

func checkID(field string, id []byte) error {
	if _, err := protocol.IDFrom(id); err != nil {
		return ErrMalformed.With("%s: %v", field, err)
	}
	return nil
}

// entry is an order on its way into a book: what it is judged by, and the
// records that it changes.
type entry struct {
	terms    terms
	account  *registryv1.Account
	params   *registryv1.Params
	market   *matchingv1.Market
	book     *matchingv1.Book
	presence *matchingv1.Presence
}

// admit checks everything that sell and buy orders have in common, but for the
// time at which an order comes.
func admit(ctx *module.Ctx, t terms) (*entry, error) {
	e, err := arrive(ctx, t.period)
	if err != nil {
		return nil, err
	}
	e.terms = t
	if t.price < e.params.PriceMinUcoinPerKwh || t.price > e.params.PriceMaxUcoinPerKwh {
		return nil, ErrBadPrice.With("price_ucoin_per_kwh: expected %s to %s, got %s", units.FormatPrice(e.params.PriceMinUcoinPerKwh),
			units.FormatPrice(e.params.PriceMaxUcoinPerKwh), units.FormatPrice(t.price))
	}
	if err := e.checkConsent(ctx.Store); err != nil {
		return nil, err
	}
	return e, e.checkCaps(ctx.Store)
}

// arrive checks whether the signer may order in a period at all.
func arrive(ctx *module.Ctx, period int64) (*entry, error) {
	e := &entry{account: ctx.Signer.Account, params: registry.ParamsAt(ctx.Store, period)}
	market, ok := marketAt(ctx.Store, e.account.GetMarket(), period)
	if !ok {
		return nil, ErrUnknownMarket.With("sender: expected an account whose market is open in %s, its market is %d",
			units.FormatTime(period), e.account.GetMarket())
	}
	e.market = market.Market
	sender := ctx.Signer.Address()
	if debt := bank.DebtOf(ctx.Store, sender); debt > 0 {
		return nil, ErrInDebt.With("sender: expected no debt, owes %s", units.FormatCoins(debt))
	}
	if node := e.account.GetGridNode(); !grid.HasNode(ctx.Store, node) || !grid.Reachable(ctx.Store, node) {
		return nil, ErrUnreachableNode.With("sender: expected a grid node with a line, got %q", node)
	}
	if len(metering.BillingMeters(ctx.Store, sender, period)) == 0 {
		return nil, ErrNoBillingMeter.With("sender: expected a billing meter bound before the period %s", units.FormatTime(period))
	}
	e.load(ctx.Store, sender, period)
	return e, nil
}

// checkWindow says whether orders for the period are taken now.
func checkWindow(ctx *module.Ctx, period int64) error {
	params := registry.ParamsAt(ctx.Store, period)
	if start := registry.PeriodOf(ctx.Store, period); start != period {
		return ErrBadPeriod.With("period: expected a multiple of the period length such as %s, got %s", units.FormatTime(start), units.FormatTime(period))
	}
	gate := registry.GateOf(params, period)
	if ctx.TimeMs >= gate {
		return ErrGateClosed.With("period: expected one whose gate is after %s, that of %s was at %s",
			units.FormatTime(ctx.TimeMs), units.FormatTime(period), units.FormatTime(gate))
	}
	if opens := gate - params.OrderHorizonMs; ctx.TimeMs < opens {
		return ErrNotOpen.With("period: expected one open at %s, orders for %s are taken from %s",
			units.FormatTime(ctx.TimeMs), units.FormatTime(period), units.FormatTime(opens))
	}
	return nil
}

func (e *entry) load(r state.Reader, sender protocol.Address, period int64) {
	var ok bool
	number := e.account.GetMarket()
	if e.book, ok = books.Get(r, bookKey(period, number)); !ok {
		e.book = &matchingv1.Book{Period: period, Market: number, Phase: matchingv1.Phase_PHASE_OPEN}
	}
	if e.presence, ok = presences.Get(r, presenceKey(sender[:], period)); !ok {
		e.presence = &matchingv1.Presence{Account: sender.Bytes(), Period: period, Market: number}
	}
}

// checkCaps checks the limits on the account's and the book's orders.
func (e *entry) checkCaps(r state.Reader) error {
	mine := e.presence
	if e.terms.sell && mine.Buys > 0 || !e.terms.sell && mine.Sells > 0 {
		return ErrBothSides.With("period: expected one side, the account already has orders on the other in %s", units.FormatTime(e.terms.period))
	}
	side := e.book.Buys
	if e.terms.sell {
		side = e.book.Sells
	}
	if err := e.checkRoom(r, side); err != nil {
		return err
	}
	most, err := units.MulDiv(e.account.GetConnectionRatingW(), registry.ChainOf(r).PeriodLengthMs, msPerHour)
	if err != nil {
		return err
	}
	total, err := units.Sum(mine.SellWh, mine.BuyWh, e.terms.energyWh)
	if err != nil {
		return ErrOverRating.With("energy_wh: expected at most %s in a period by the connection rating: %v", units.FormatKWh(most), err)
	}
	if total > most {
		return ErrOverRating.With("energy_wh: expected at most %s in a period by the connection rating, got %s with earlier orders",
			units.FormatKWh(most), units.FormatKWh(total))
	}
	return nil
}

// checkRoom checks what the period has room for over all markets, so that what a
// block clears is bounded, then whether the market's book and the account may have
// one more order, where a side of the book has so many. Each sealed order may be
// of that side.
func (e *entry) checkRoom(r state.Reader, side int64) error {
	p, mine, period := e.params, e.presence, e.book.Period
	if load, _ := loads.Get(r, loadKey(period)); load.GetOrders() >= p.MaxOrders {
		return ErrBookFull.With("period: expected fewer than %d orders in the books of %s", p.MaxOrders, units.FormatTime(period))
	}
	if most := e.market.MaxOrders; most > 0 && e.book.Orders >= most {
		return ErrBookFull.With("period: expected fewer than %d orders in the market's book of %s", most, units.FormatTime(period))
	}
	if most := perSide(e.market); most > 0 && side+e.book.Seals >= most {
		return ErrBookFull.With("period: expected fewer than %d orders of a side in the book of %s", most, units.FormatTime(period))
	}
	if mine.Sells+mine.Buys+mine.Seals >= p.MaxOrdersPerAccount {
		return ErrTooManyOrders.With("period: expected fewer than %d orders of the account in %s", p.MaxOrdersPerAccount, units.FormatTime(period))
	}
	return nil
}

// record counts an order in and sees that the book is looked at at its gate.
func (e *entry) record(ctx *module.Ctx, more *matchingv1.Presence) {
	if e.book.Orders == 0 {
		setDue(ctx, e.book)
	}
	orders := more.Sells + more.Buys + more.Seals
	e.book.Orders += orders
	e.book.Sells += more.Sells
	e.book.Buys += more.Buys
	e.book.Seals += more.Seals
	add(e.presence, more)
	addLoad(ctx.Store, e.book.Period, orders)
	books.Set(ctx.Store, bookKey(e.book.Period, e.book.Market), e.book)
	presences.Set(ctx.Store, presenceKey(e.presence.Account, e.presence.Period), e.presence)
}

// add counts orders in. Their energy is within the connection rating.
func add(presence, more *matchingv1.Presence) {
	presence.Sells += more.Sells
	presence.Buys += more.Buys
	presence.Seals += more.Seals
	presence.SellWh += more.SellWh
	presence.BuyWh += more.BuyWh
}
