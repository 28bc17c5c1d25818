package matching

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching/kproto"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// clearBook makes a book's pre-matches and opens its confirmation window.
func clearBook(ctx *module.Ctx, book *matchingv1.Book) error {
	params := registry.ParamsAt(ctx.Store, book.Period)
	c := loadClearing(ctx, book.Period, params)
	for _, trade := range kproto.Clear(solverParams(params), c.demands, c.offers, kproto.LossFunc(c.loss)) {
		if err := c.prematch(ctx, book, params, trade); err != nil {
			return err
		}
	}
	dropDue(ctx, book)
	book.Phase = matchingv1.Phase_PHASE_CONFIRM
	if book.Pending == 0 { // nobody is waited for
		book.ConfirmUntilMs = ctx.TimeMs
		ctx.Emit(&matchingv1.PeriodCleared{Book: book})
		return finish(ctx, book, c.sells, c.buys, "")
	}
	for _, order := range c.sells {
		sells.Set(ctx.Store, sellKey(order.Period, order.Account, order.Id), order)
	}
	for _, order := range c.buys {
		buys.Set(ctx.Store, buyKey(order.Period, order.Account, order.Id), order)
	}
	// Not after the start of the period: a round is no longer than the gate's lead.
	book.ConfirmUntilMs = confirmUntil(params, book.Period, ctx.TimeMs)
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(book.Period), book)
	ctx.Emit(&matchingv1.PeriodCleared{Book: book})
	return nil
}

// clearing is a book laid out for the solver: orders in the order of their tie
// breaks, and the same orders as the solver takes them.
type clearing struct {
	params  kproto.Params
	sells   []*matchingv1.SellOrder
	buys    []*matchingv1.BuyOrder
	meters  []*registryv1.Meter // of the sells
	offers  []kproto.Sell
	demands []kproto.Buy
	paths   *grid.Paths
}

func loadClearing(ctx *module.Ctx, period int64, params *registryv1.Params) *clearing {
	r := ctx.Store
	c := &clearing{
		params: solverParams(params),
		sells:  collect(values(sells.All(r, sells.Key().Int64(period)))),
		buys:   collect(values(buys.All(r, buys.Key().Int64(period)))),
		paths:  grid.NewPaths(r, params.DefaultLossPpmPerKm),
	}
	sortByTieBreak(c.sells, period, ctx.PrevAppHash)
	sortByTieBreak(c.buys, period, ctx.PrevAppHash)
	identities := numbering{}
	for _, order := range c.sells {
		address := protocol.Address(order.Account)
		account, _ := registry.AccountOf(r, address)
		meter, _ := registry.MeterOf(r, order.Meter)
		c.meters = append(c.meters, meter)
		c.offers = append(c.offers, kproto.Sell{
			Price: order.PriceUcoinPerKwh, EnergyWh: order.EnergyWh, Environment: meter.GetEnvironment(),
			Credit: reputation.ValueOf(r, address), EnergyType: int32(meter.GetEnergyType()),
			Identity: identities.of(string(account.GetIdentity())), Point: c.point(account),
		})
	}
	for _, order := range c.buys {
		account, _ := registry.AccountOf(r, protocol.Address(order.Account))
		buy := wishes(order, params)
		buy.Identity = identities.of(string(account.GetIdentity()))
		buy.Point = c.point(account)
		c.demands = append(c.demands, buy)
	}
	return c
}

// sortByTieBreak orders by SHA-256(period | previous app hash | order id)
// (SPEC 5): nobody who orders knows the hash of the block before the gate.
func sortByTieBreak[O interface{ GetId() []byte }](orders []O, period int64, appHash []byte) {
	type ranked struct {
		rank  [sha256.Size]byte
		order O
	}
	all := make([]ranked, len(orders))
	for i, order := range orders {
		data := binary.BigEndian.AppendUint64(nil, uint64(period))
		data = append(append(data, appHash...), order.GetId()...)
		all[i] = ranked{sha256.Sum256(data), order}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(bytes.Compare(a.rank[:], b.rank[:]), bytes.Compare(a.order.GetId(), b.order.GetId()))
	})
	for i := range all {
		orders[i] = all[i].order
	}
}

// point numbers an account's connection point.
func (c *clearing) point(account *registryv1.Account) int32 {
	place, ok := c.paths.Place(account.GetGridNode())
	if !ok {
		return kproto.None
	}
	return place
}

func (c *clearing) loss(buy, sell int) (int64, bool) {
	from, to := c.offers[sell].Point, c.demands[buy].Point
	if from == kproto.None || to == kproto.None {
		return 0, false
	}
	return c.paths.LossBetween(from, to)
}

// prematch records one trade of the solver and confirms it for the sides that
// gave a standing consent.
func (c *clearing) prematch(ctx *module.Ctx, book *matchingv1.Book, params *registryv1.Params, trade kproto.Trade) error {
	sell, buy, meter := c.sells[trade.Sell], c.buys[trade.Buy], c.meters[trade.Sell]
	escrow, err := cost(sell.PriceUcoinPerKwh, params.FeeUcoinPerKwh, trade.EnergyWh)
	if err != nil {
		return err
	}
	sell.AvailableWh -= trade.EnergyWh
	buy.OpenWh -= trade.EnergyWh
	buy.EscrowUcoin -= escrow
	id := module.DeriveID("match", buy.Id, sell.Id)
	match := &matchingv1.Match{
		Id: id.Bytes(), Period: book.Period, SellOrder: sell.Id, BuyOrder: buy.Id, Seller: sell.Account, Buyer: buy.Account,
		EnergyWh: trade.EnergyWh, PriceUcoinPerKwh: sell.PriceUcoinPerKwh, FeeUcoinPerKwh: params.FeeUcoinPerKwh,
		LossPpm: trade.LossPPM, Environment: meter.GetEnvironment(), EnergyType: meter.GetEnergyType(),
		SellerSatisfactionPpm: units.PPM, BuyerSatisfactionPpm: kproto.Satisfaction(c.params, c.demands[trade.Buy], trade),
		EscrowUcoin: escrow, Meter: sell.Meter,
	}
	match.SellerConfirmed = consents(sell.Consent, match.SellerSatisfactionPpm)
	match.BuyerConfirmed = consents(buy.Consent, match.BuyerSatisfactionPpm)
	if book.PrematchedWh, err = units.Add(book.PrematchedWh, trade.EnergyWh); err != nil {
		return err
	}
	if match.SellerConfirmed && match.BuyerConfirmed {
		return stand(ctx, book, match) // consented in advance: nobody is asked
	}
	ctx.Emit(&matchingv1.PreMatched{Match: match})
	prematches.Set(ctx.Store, prematchKey(match.Period, match.Id), match)
	book.Pending++
	return nil
}

func consents(consent *matchingv1.Consent, satisfaction int64) bool {
	return consent.GetStanding() && satisfaction >= consent.GetMinSatisfactionPpm()
}

// numbering gives equal texts equal numbers, from 0 in order of appearance.
type numbering map[string]int32

func (n numbering) of(text string) int32 {
	number, known := n[text]
	if !known {
		number = int32(len(n))
		n[text] = number
	}
	return number
}

// ordersOf reads an account's orders of a period.
func ordersOf(r state.Reader, period int64, account []byte) ([]*matchingv1.SellOrder, []*matchingv1.BuyOrder) {
	return collect(values(sells.All(r, sells.Key().Int64(period).Bytes(account)))),
		collect(values(buys.All(r, buys.Key().Int64(period).Bytes(account))))
}

// confirmUntil is the end of the confirmation window: a round after the gate,
// or after the block that cleared late, at the start of the period at the
// latest.
func confirmUntil(params *registryv1.Params, period, nowMs int64) int64 {
	return min(max(registry.GateOf(params, period), nowMs)+params.RoundLengthMs, period)
}
