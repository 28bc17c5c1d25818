package settlement

import (
	"fmt"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
)

// Bounds of the work of a block. The rest waits for the next one: registers where
// metering has them ready, and with them the deadlines of their periods.
const (
	// maxTaken is the most registers that a block takes.
	maxTaken = 20_000
	// maxLeaves is how many statements may be under the roots that a block
	// forms before it forms no root of a further period.
	maxLeaves = 50_000
)

// EndBlock implements module.EndBlocker; doc.go says what it does.
func (Module) EndBlock(ctx *module.Ctx) error {
	clock, ended := tick(ctx)
	work := &block{clock: clock}
	if err := work.openEnded(ctx, ended); err != nil {
		return fmt.Errorf("open periods: %w", err)
	}
	if ended != 0 {
		work.sweepContracts(ctx, ended)
	}
	if err := work.takeRegisters(ctx); err != nil {
		return fmt.Errorf("take registers: %w", err)
	}
	for _, due := range dueNow(ctx.Store, deadlines, clock.Count) {
		if due.Period >= work.reached || work.leaves >= maxLeaves {
			break
		}
		if err := settleOverdue(ctx, due); err != nil {
			return fmt.Errorf("deadline of period %d: %w", due.Period, err)
		}
		work.countLeaves(ctx.Store, due.Period)
	}
	if err := work.takeCorrections(ctx); err != nil {
		return fmt.Errorf("take corrections: %w", err)
	}
	// After all statements: what a freeze gives back is of none of their periods.
	if err := stopFrozen(ctx); err != nil {
		return fmt.Errorf("orders of frozen accounts: %w", err)
	}
	if ended != 0 {
		thaw(ctx)
	}
	prune(ctx, clock)
	if ended != 0 {
		closeRevoked(ctx, clock.LastPeriod)
	}
	return nil
}

// tick advances the clock and returns the period with blocks that has ended, 0
// if none. The period in which the chain began does not count: nobody could
// read a meter at its start.
func tick(ctx *module.Ctx) (clock *settlementv1.Clock, ended int64) {
	now := registry.PeriodOf(ctx.Store, ctx.TimeMs)
	clock, ok := clocks.Get(ctx.Store)
	switch {
	case !ok:
		clock = &settlementv1.Clock{FirstPeriod: now}
	case now <= clock.LastPeriod:
		return clock, 0
	case clock.LastPeriod > clock.FirstPeriod:
		ended = clock.LastPeriod
	}
	clock.LastPeriod = now
	clock.Count++
	clocks.Set(ctx.Store, clock)
	return clock, ended
}

// dueNow lists what falls due in the clock's present period or before.
func dueNow(r state.Reader, table state.Map[*settlementv1.Due], count int64) []*settlementv1.Due {
	var found []*settlementv1.Due
	for _, due := range table.All(r, table.Key()) {
		if due.Count > count {
			break
		}
		found = append(found, due)
	}
	return found
}

// block is what one run of the hook remembers.
type block struct {
	clock *settlementv1.Clock
	// opened counts periods opened in this block.
	opened int
	// taken counts registers taken and waiting rows ended; leaves counts
	// statements of periods whose root was formed.
	taken, leaves int64
	// period is the one whose registers are being taken; late says that
	// statements of it were completed after its root had been formed.
	period  int64
	late    bool
	waiting waiting
	// someMissing says whether registers of some account are missing past a deadline.
	someMissing bool
	// params are those of a period, once they were read.
	params       *registryv1.Params
	paramsPeriod int64
	// reached is the oldest period of which registers may be left for the next
	// block.
	reached int64
	// contracts are all there are, once they were read.
	contracts     []*settlementv1.Contract
	contractsRead bool
	// complete are the components whose last account the registers being taken
	// made ready.
	complete [][]byte
	// decided are the groups of which they showed whether most fail.
	decided [][]byte
}

// takeRegisters settles with the registers that metering has ready, the oldest
// period first, as many as a block takes. Those of periods that have not ended
// stay.
func (b *block) takeRegisters(ctx *module.Ctx) error {
	b.reached = b.clock.LastPeriod
	b.someMissing = !empty(ctx.Store, missing.Key())
	for energy := range metering.Ready(ctx.Store) {
		if energy.Period >= b.clock.LastPeriod {
			break
		}
		if err := b.turnTo(ctx, energy.Period); err != nil {
			return err
		}
		mustOpen := b.mustOpen(ctx.Store, energy.Period)
		if b.full() || mustOpen && b.opened >= maxOpened {
			b.reached = energy.Period
			break
		}
		if mustOpen {
			b.open(ctx, energy.Period)
		}
		b.taken++
		err := ctx.Atomic(func(ctx *module.Ctx) error { return b.arrive(ctx, energy) })
		if err != nil {
			b.waiting.takeBack()
			ctx.Emit(&settlementv1.SettlementFailed{Period: energy.Period, Account: energy.Account, Reason: err.Error()})
		}
		metering.Consume(ctx, protocol.Address(energy.Account), energy.Period)
	}
	return b.finish(ctx)
}

// paramsOf returns the parameters of a period.
func (b *block) paramsOf(r state.Reader, period int64) *registryv1.Params {
	if b.params == nil || b.paramsPeriod != period {
		b.params, b.paramsPeriod = registry.ParamsAt(r, period), period
	}
	return b.params
}

// full says whether the block has done its work.
func (b *block) full() bool { return b.taken >= maxTaken || b.leaves >= maxLeaves }

// turnTo goes on to the registers of a period; those of the one before are all
// taken.
func (b *block) turnTo(ctx *module.Ctx, period int64) error {
	if period == b.period {
		return nil
	}
	if err := b.finish(ctx); err != nil {
		return err
	}
	b.period = period
	b.waiting.stored = !empty(ctx.Store, shares.Key().Int64(period))
	return nil
}

// arrive takes the registers of one account. Registers of accounts that do not
// take part in the period are dropped.
func (b *block) arrive(ctx *module.Ctx, energy *meteringv1.Energy) error {
	b.waiting.latest = nil
	noteReading(ctx, energy)
	if err := b.forgetEarlier(ctx, energy); err != nil {
		return err
	}
	if tally, ok := tallies.Get(ctx.Store, tallyKey(energy.Period, energy.Account)); ok {
		b.complete, b.decided = nil, nil
		if err := b.settleRegisters(ctx, tally, energy); err != nil {
			return err
		}
		for _, component := range b.complete {
			if err := settleComponent(ctx, energy.Period, component); err != nil {
				return err
			}
		}
		for _, group := range b.decided {
			if err := endWaiting(ctx, energy.Period, group); err != nil {
				return err
			}
		}
		b.countLeaves(ctx.Store, energy.Period)
		return nil
	}
	if !missing.Has(ctx.Store, missingKey(energy.Account, energy.Period)) {
		return nil
	}
	if err := settleLate(ctx, energy); err != nil {
		return err
	}
	b.late = true
	return nil
}

// forgetEarlier ends the waiting for registers of periods before one whose
// registers are here.
func (b *block) forgetEarlier(ctx *module.Ctx, energy *meteringv1.Energy) error {
	if !b.someMissing {
		return nil
	}
	for key, earlier := range missing.All(ctx.Store, missing.Key().Bytes(energy.Account)) {
		if earlier.Period >= energy.Period {
			break
		}
		period, err := loadPeriod(ctx.Store, earlier.Period)
		if err != nil {
			return err
		}
		missing.Delete(ctx.Store, key)
		period.Missing--
		periods.Set(ctx.Store, periodKey(period.Period), period)
		letGo(ctx, period)
		b.taken++
	}
	return nil
}

// finish ends the work on a period's registers.
func (b *block) finish(ctx *module.Ctx) error {
	b.waiting.storeAll(ctx)
	return b.finishLate(ctx)
}

// finishLate forms a new root where late registers changed statements, and lets
// go of a period in which nobody is missing any more.
func (b *block) finishLate(ctx *module.Ctx) error {
	if !b.late {
		return nil
	}
	b.late = false
	period, err := loadPeriod(ctx.Store, b.period)
	if err != nil {
		return err
	}
	leaves, err := formRoot(ctx, period)
	if err != nil {
		return err
	}
	b.leaves += leaves
	letGo(ctx, period)
	return nil
}

// countLeaves counts a period if its first root was just formed.
func (b *block) countLeaves(r state.Reader, period int64) {
	if root, ok := RootOf(r, period); ok {
		b.leaves += root.Accounts
	}
}

func loadPeriod(r state.Reader, start int64) (*settlementv1.Period, error) {
	period, ok := periods.Get(r, periodKey(start))
	if !ok {
		return nil, ErrNoRecord.With("period %d is not in settlement", start)
	}
	return period, nil
}
