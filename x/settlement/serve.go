package settlement

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/settlement/pricematrix"
)

// settleComponent serves the contracts of a component whose accounts are all
// ready, and makes their statements.
func settleComponent(ctx *module.Ctx, start int64, component []byte) error {
	for _, party := range serve(ctx, start, component) {
		tally, ok := tallies.Get(ctx.Store, tallyKey(start, party))
		if !ok {
			return ErrNoRecord.With("period %d: no tally of %v", start, protocol.Address(party))
		}
		tally.Component, tally.Ready = nil, false
		if awaitsGroups(ctx.Store, tally) {
			tallies.Set(ctx.Store, tallyKey(start, party), tally)
			continue
		}
		if err := closeForGood(ctx, tally); err != nil {
			return err
		}
	}
	period, err := loadPeriod(ctx.Store, start)
	if err != nil {
		return err
	}
	return savePeriod(ctx, period)
}

// serve lets the accounts of a component trade by their contracts, those without
// registers left out, and returns them. Contracts that cannot be settled deliver
// nothing.
func serve(ctx *module.Ctx, period int64, component []byte) [][]byte {
	terms := collect(values(contractTerms.All(ctx.Store, termsOf(period, component))))
	for _, t := range terms {
		contractTerms.Delete(ctx.Store, termsKey(period, component, t.Contract))
		countOpenPeriod(ctx.Store, t, -1)
	}
	components.Delete(ctx.Store, componentKey(period, component))
	parties := partiesOf(terms)
	err := ctx.Atomic(func(ctx *module.Ctx) error { return shareOutRest(ctx, period, terms, parties) })
	if err != nil {
		ctx.Emit(&settlementv1.SettlementFailed{Period: period, Component: component, Reason: err.Error()})
	}
	return parties
}

// shareOutRest shares what the matches left of the registers out over the
// contracts, in their order.
func shareOutRest(ctx *module.Ctx, start int64, terms []*settlementv1.ContractTerms, parties [][]byte) error {
	period, err := loadPeriod(ctx.Store, start)
	if err != nil {
		return err
	}
	left, need := make([]int64, len(parties)), make([]int64, len(parties))
	for i, party := range parties {
		if left[i], need[i], err = restOf(ctx.Store, start, party); err != nil {
			return err
		}
	}
	inOrder(terms)
	pairs := make([]pricematrix.Pair, len(terms))
	for i, t := range terms {
		seller, _ := slices.BinarySearchFunc(parties, t.Seller, bytes.Compare)
		buyer, _ := slices.BinarySearchFunc(parties, t.Buyer, bytes.Compare)
		pairs[i] = pricematrix.Pair{Seller: seller, Buyer: buyer, LossPPM: t.LossPpm}
	}
	for i, deliveredWh := range pricematrix.Share(pairs, left, need) {
		if err := countDelivered(ctx.Store, terms[i], deliveredWh, left[pairs[i].Seller]); err != nil {
			return err
		}
		if deliveredWh == 0 {
			continue
		}
		if err := deliver(ctx, period, terms[i], deliveredWh); err != nil {
			return err
		}
	}
	periods.Set(ctx.Store, periodKey(start), period)
	return nil
}

// restOf is what an account exported beyond what it sold in matches, and
// imported beyond what it bought, in Wh: nothing without registers, and nothing
// of a register that the tolerance made up for.
func restOf(r state.Reader, period int64, account []byte) (left, need int64, err error) {
	tally, ok := tallies.Get(r, tallyKey(period, account))
	if !ok || !tally.HasRegisters {
		return 0, 0, nil
	}
	var sums adder
	left, need = tally.ExportWh, tally.ImportWh
	for row := range values(trades.All(r, tradesOf(period, account))) {
		switch {
		case bytes.Equal(row.Trade.Buyer, account):
			sums.add(&need, -row.Trade.BoughtWh)
		case !row.Trade.GridStoodIn:
			sums.add(&left, -row.Trade.SoldWh)
		}
	}
	return max(left, 0), max(need, 0), sums.err
}

// queued is a contract that waits to be served.
type queued struct {
	terms *settlementv1.ContractTerms
	// places in the seller's list by priority and in the buyer's by rank, from 0;
	// equal ones share a place.
	places [2]int
	lot    protocol.ID
}

// listed returns a side of the contract and where that side put it.
func (q *queued) listed(side int) (account []byte, value int64) {
	if side == 0 {
		return q.terms.Seller, q.terms.Priority
	}
	return q.terms.Buyer, q.terms.Rank
}

// inOrder sorts contracts as they are served (doc.go): by the place in the
// seller's list, then by that in the buyer's, then by lot. Places count, not the
// numbers in the contracts, so that nobody gets ahead by smaller numbers.
func inOrder(terms []*settlementv1.ContractTerms) {
	queue := make([]queued, len(terms))
	for i, t := range terms {
		period := binary.BigEndian.AppendUint64(nil, uint64(t.Period))
		queue[i] = queued{terms: t, lot: module.DeriveID("contract lot", period, t.Seller, t.Buyer)}
	}
	for side := range 2 {
		place(queue, side)
	}
	slices.SortFunc(queue, func(a, b queued) int {
		return cmp.Or(cmp.Compare(a.places[0], b.places[0]), cmp.Compare(a.places[1], b.places[1]), bytes.Compare(a.lot[:], b.lot[:]))
	})
	for i := range queue {
		terms[i] = queue[i].terms
	}
}

// place numbers the contracts of each account on one side.
func place(queue []queued, side int) {
	slices.SortFunc(queue, func(a, b queued) int {
		first, x := a.listed(side)
		second, y := b.listed(side)
		return cmp.Or(bytes.Compare(first, second), cmp.Compare(x, y), bytes.Compare(a.lot[:], b.lot[:]))
	})
	for i := 1; i < len(queue); i++ {
		before, value := queue[i-1].listed(side)
		account, next := queue[i].listed(side)
		if !bytes.Equal(before, account) {
			continue
		}
		queue[i].places[side] = queue[i-1].places[side]
		if next > value {
			queue[i].places[side]++
		}
	}
}

// deliver makes a trade of what a contract delivered. The buyer pays what it
// has and may draw, then the guarantee fund in its place; the rest becomes debt to
// the seller and the fee ledger.
func deliver(ctx *module.Ctx, period *settlementv1.Period, t *settlementv1.ContractTerms, deliveredWh int64) error {
	trade := &settlementv1.Trade{
		Contract: t.Contract, Seller: t.Seller, Buyer: t.Buyer, ServedWh: deliveredWh, SoldWh: deliveredWh, BoughtWh: units.Net(deliveredWh, t.LossPpm),
		LossPpm: t.LossPpm, PriceUcoinPerKwh: t.PriceUcoinPerKwh, FeeUcoinPerKwh: t.FeeUcoinPerKwh, Environment: t.Environment,
		FromZone: t.FromZone, ToZone: t.ToZone, ZoneFeeUcoinPerKwh: t.ZoneFeeUcoinPerKwh,
	}
	if err := certifyContract(ctx, period.Period, trade); err != nil {
		return err
	}
	var err error
	if trade.AmountUcoin, err = units.Amount(trade.PriceUcoinPerKwh, deliveredWh); err != nil {
		return err
	}
	if trade.FeeUcoin, err = units.Amount(t.FeeUcoinPerKwh, deliveredWh); err != nil {
		return err
	}
	var repaid repayments
	if err := payRest(ctx, period.Period, trade, protocol.Address(t.Seller), 0, 0, &repaid); err != nil {
		return err
	}
	if repaid.loans, err = credit.RepayFromSale(ctx, protocol.Address(t.Seller), receivedAmount(trade)-repaid.seller); err != nil {
		return err
	}
	sold, bought := rowsOf(period.Period, trade, repaid)
	keepTrade(ctx, sold)
	keepTrade(ctx, bought)
	ctx.Emit(&settlementv1.Settled{Period: period.Period, Trade: trade})
	return addTrade(period.Totals, trade)
}
