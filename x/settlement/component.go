package settlement

import (
	"bytes"
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
)

// Reasons of ContractSkipped.
const (
	reasonNotSettling = "not_settling"
	reasonTooFar      = "too_far"
)

// connect takes down what contracts mean in a period that is being opened, and
// which accounts they connect.
func (b *block) connect(ctx *module.Ctx, period int64) {
	terms := b.termsAt(ctx, period)
	if len(terms) == 0 {
		return
	}
	parties := partiesOf(terms)
	place := func(account []byte) int {
		at, _ := slices.BinarySearchFunc(parties, account, bytes.Compare)
		return at
	}
	leads := newForest(len(parties))
	for _, t := range terms {
		leads.join(place(t.Seller), place(t.Buyer))
	}
	for _, t := range terms {
		t.Component = parties[leads.root(place(t.Seller))]
		contractTerms.Set(ctx.Store, termsKey(period, t.Component, t.Contract), t)
		countOpenPeriod(ctx.Store, t, +1)
	}
	sizes := make([]int64, len(parties))
	for i, party := range parties {
		root := leads.root(i)
		sizes[root]++
		tally, _ := tallies.Get(ctx.Store, tallyKey(period, party))
		tally.Component = parties[root]
		tallies.Set(ctx.Store, tallyKey(period, party), tally)
	}
	for i, size := range sizes {
		if size > 0 {
			components.Set(ctx.Store, componentKey(period, parties[i]), &settlementv1.Component{
				Component: parties[i], Period: period, OpenAccounts: size,
			})
		}
	}
}

// termsAt returns what the contracts that cover a period mean in it. Those that
// cannot deliver are skipped.
func (b *block) termsAt(ctx *module.Ctx, period int64) []*settlementv1.ContractTerms {
	skip := func(c *settlementv1.Contract, reason string) {
		ctx.Emit(&settlementv1.ContractSkipped{Period: period, Contract: c.Id, Reason: reason})
	}
	var covering []*settlementv1.Contract
	for _, c := range b.contractsNow(ctx.Store) {
		switch {
		case !c.Accepted || period < c.FromPeriod || period >= c.UntilPeriod || revokedBefore(ctx.Store, c, period):
		case !tallies.Has(ctx.Store, tallyKey(period, c.Seller)) || !tallies.Has(ctx.Store, tallyKey(period, c.Buyer)):
			skip(c, reasonNotSettling)
		default:
			covering = append(covering, c)
		}
	}
	if len(covering) == 0 {
		return nil // who has no contracts reads no graph
	}
	params := registry.ParamsAt(ctx.Store, period)
	paths := grid.PathsOf(ctx.Store, params.DefaultLossPpmPerKm)
	fees := grid.FeesOf(ctx.Store, paths, period)
	var terms []*settlementv1.ContractTerms
	for _, c := range covering {
		from, known := paths.Place(nodeOf(ctx.Store, c.Seller))
		to, knownTo := paths.Place(nodeOf(ctx.Store, c.Buyer))
		var loss int64
		if known = known && knownTo; known {
			loss, known = paths.LossBetween(from, to)
		}
		if !known || loss > params.MaxLossPpm {
			skip(c, reasonTooFar)
			continue
		}
		t := &settlementv1.ContractTerms{
			Contract: c.Id, Period: period, Seller: c.Seller, Buyer: c.Buyer, PriceUcoinPerKwh: c.PriceUcoinPerKwh,
			Priority: c.Priority, Rank: c.Rank, LossPpm: loss, Environment: environmentOf(ctx.Store, params, c.Seller, period),
			FeeUcoinPerKwh: params.FeeUcoinPerKwh + fees.Between(from, to), // both bounded
		}
		if fee := fees.Between(from, to); fee > 0 {
			t.FromZone, t.ToZone, t.ZoneFeeUcoinPerKwh = paths.Zone(from), paths.Zone(to), fee
		}
		terms = append(terms, t)
	}
	return terms
}

func nodeOf(r state.Reader, account []byte) string {
	found, _ := registry.AccountOf(r, protocol.Address(account))
	return found.GetGridNode()
}

// environmentOf is the environmental index of what an account exports: that of its
// stock, or the least of its billing meters', which a contract does not tell apart.
func environmentOf(r state.Reader, params *registryv1.Params, account []byte, period int64) int64 {
	if hasStock(r, params, account, period) {
		return origin.Environment(r, protocol.Address(account), 1)
	}
	index := int64(0)
	for i, meter := range metering.BillingMeters(r, protocol.Address(account), period) {
		if i == 0 || meter.Environment < index {
			index = meter.Environment
		}
	}
	return index
}

// partiesOf returns the accounts of contracts, each once and sorted.
func partiesOf(terms []*settlementv1.ContractTerms) [][]byte {
	parties := make([][]byte, 0, 2*len(terms))
	for _, t := range terms {
		parties = append(parties, t.Seller, t.Buyer)
	}
	slices.SortFunc(parties, bytes.Compare)
	return slices.CompactFunc(parties, bytes.Equal)
}

// forest joins numbers into sets, each led by its least number.
type forest []int

func newForest(size int) forest {
	f := make(forest, size)
	for i := range f {
		f[i] = i
	}
	return f
}

func (f forest) root(i int) int {
	for f[i] != i {
		f[i] = f[f[i]]
		i = f[i]
	}
	return i
}

func (f forest) join(a, b int) {
	a, b = f.root(a), f.root(b)
	f[max(a, b)] = min(a, b)
}
