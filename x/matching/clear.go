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
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching/kproto"
	"github.com/energyd/energyd/x/registry"
)

// clearBook makes a book's pre-matches and opens its confirmation window.
func clearBook(ctx *module.Ctx, book *matchingv1.Book) error {
	c := loadClearing(ctx, book.Period)
	found, err := c.run()
	if err != nil {
		return err
	}
	if err := c.carry(ctx, book, found); err != nil {
		return err
	}
	for _, trade := range found.trades {
		if err := c.prematch(ctx, book, trade); err != nil {
			return err
		}
	}
	book.Mechanism, book.Objective, book.Fallback = c.market.Mechanism, found.objective, found.fallback
	if book.SurplusUcoin, err = c.surplus(found.trades); err != nil {
		return err
	}
	book.Auction = c.compare()
	if certificate := found.certificate; certificate != nil && !found.fallback {
		certificate.Period, certificate.PrevAppHash = book.Period, ctx.PrevAppHash
		certificates.Set(ctx.Store, certificateKey(book.Period), certificate)
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
	book.ConfirmUntilMs = confirmUntil(c.params, book.Period, ctx.TimeMs)
	setDue(ctx, book)
	books.Set(ctx.Store, bookKey(book.Period), book)
	ctx.Emit(&matchingv1.PeriodCleared{Book: book})
	return nil
}

// clearing is a book laid out for a mechanism: orders in the order of their tie
// breaks, whose they are, and what lies between them.
type clearing struct {
	params          *registryv1.Params
	market          *matchingv1.Market
	sells           []*matchingv1.SellOrder
	buys            []*matchingv1.BuyOrder
	sellers, buyers []party // of the orders
	paths           *grid.Paths
}

// party is who stands behind an order: identity and connection point are numbers
// that equal ones share.
type party struct{ identity, point int32 }

func loadClearing(ctx *module.Ctx, period int64) *clearing {
	r := ctx.Store
	params := registry.ParamsAt(r, period)
	c := &clearing{
		params: params,
		market: marketAt(r, period).Market,
		sells:  collect(values(sells.All(r, sells.Key().Int64(period)))),
		buys:   collect(values(buys.All(r, buys.Key().Int64(period)))),
		paths:  grid.NewPaths(r, params.DefaultLossPpmPerKm),
	}
	sortByTieBreak(c.sells, period, ctx.PrevAppHash)
	sortByTieBreak(c.buys, period, ctx.PrevAppHash)
	identities := numbering{}
	for _, order := range c.sells {
		c.sellers = append(c.sellers, party{identities.of(string(order.Identity)), c.point(order.GridNode)})
	}
	for _, order := range c.buys {
		c.buyers = append(c.buyers, party{identities.of(string(order.Identity)), c.point(order.GridNode)})
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

// point numbers an order's connection point; kproto.None if the node was removed
// since.
func (c *clearing) point(node string) int32 {
	place, ok := c.paths.Place(node)
	if !ok {
		return kproto.None
	}
	return place
}

func (c *clearing) loss(buy, sell int) (ppm int64, ok bool) {
	from, to := c.sellers[sell].point, c.buyers[buy].point
	if from == kproto.None || to == kproto.None {
		return 0, false
	}
	return c.paths.LossBetween(from, to)
}

// distance is the length in m of the way from sell to buy.
func (c *clearing) distance(buy, sell int) (metres int64, ok bool) {
	from, to := c.sellers[sell].point, c.buyers[buy].point
	if from == kproto.None || to == kproto.None {
		return 0, false
	}
	return c.paths.LengthBetween(from, to)
}

// prematch records one trade of the mechanism and confirms it for the sides that
// gave a standing consent.
func (c *clearing) prematch(ctx *module.Ctx, book *matchingv1.Book, trade trade) error {
	sell, buy := c.sells[trade.sell], c.buys[trade.buy]
	escrow, err := cost(trade.price, c.params.FeeUcoinPerKwh, trade.energyWh)
	if err != nil {
		return err
	}
	sell.AvailableWh -= trade.energyWh
	buy.OpenWh -= trade.energyWh
	buy.EscrowUcoin -= escrow
	id := module.DeriveID("match", buy.Id, sell.Id)
	match := &matchingv1.Match{
		Id: id.Bytes(), Period: book.Period, SellOrder: sell.Id, BuyOrder: buy.Id, Seller: sell.Account, Buyer: buy.Account,
		EnergyWh: trade.energyWh, PriceUcoinPerKwh: trade.price, FeeUcoinPerKwh: c.params.FeeUcoinPerKwh,
		LossPpm: trade.lossPPM, Environment: sell.Environment, EnergyType: sell.EnergyType,
		SellerSatisfactionPpm: trade.sellerPPM, BuyerSatisfactionPpm: trade.buyerPPM,
		EscrowUcoin: escrow, Meter: sell.Meter,
	}
	match.SellerConfirmed = consents(sell.Consent, match.SellerSatisfactionPpm)
	match.BuyerConfirmed = consents(buy.Consent, match.BuyerSatisfactionPpm)
	if book.PrematchedWh, err = units.Add(book.PrematchedWh, trade.energyWh); err != nil {
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
