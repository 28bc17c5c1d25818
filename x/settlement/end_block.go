package settlement

import (
	"fmt"
	"slices"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
)

// EndBlock implements module.EndBlocker; doc.go says what it does.
func (Module) EndBlock(ctx *module.Ctx) error {
	clock, ended := tick(ctx)
	work := &block{clock: clock}
	if err := work.openEnded(ctx, ended); err != nil {
		return fmt.Errorf("open periods: %w", err)
	}
	if err := work.takeRegisters(ctx); err != nil {
		return fmt.Errorf("take registers: %w", err)
	}
	for _, due := range dueNow(ctx.Store, deadlines, clock.Count) {
		if err := settleOverdue(ctx, due); err != nil {
			return fmt.Errorf("deadline of period %d: %w", due.Period, err)
		}
	}
	prune(ctx, clock)
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
	// renewed are periods whose late statements want a new root; freed are
	// those in which nobody may be waited for any more.
	renewed, freed []int64
}

// takeRegisters settles with the registers that metering has ready, the oldest
// period first. Those of periods that have not ended stay.
func (b *block) takeRegisters(ctx *module.Ctx) error {
	for energy := range metering.Ready(ctx.Store) {
		if energy.Period >= b.clock.LastPeriod {
			break
		}
		if b.mustOpen(ctx.Store, energy.Period) {
			if b.opened >= maxOpened {
				break
			}
			b.open(ctx, energy.Period)
		}
		account := protocol.Address(energy.Account)
		renewed, freed := len(b.renewed), len(b.freed)
		err := ctx.Atomic(func(ctx *module.Ctx) error { return b.arrive(ctx, energy) })
		if err != nil {
			b.renewed, b.freed = b.renewed[:renewed], b.freed[:freed]
			ctx.Emit(&settlementv1.SettlementFailed{Period: energy.Period, Account: energy.Account, Reason: err.Error()})
		}
		metering.Consume(ctx, account, energy.Period)
	}
	return b.finishLate(ctx)
}

// arrive takes the registers of one account. Registers of accounts that do not
// take part in the period are dropped.
func (b *block) arrive(ctx *module.Ctx, energy *meteringv1.Energy) error {
	if err := b.forgetEarlier(ctx, energy); err != nil {
		return err
	}
	if tally, ok := tallies.Get(ctx.Store, tallyKey(energy.Period, energy.Account)); ok {
		return settleRegisters(ctx, tally, energy)
	}
	if missing.Has(ctx.Store, missingKey(energy.Account, energy.Period)) {
		b.renewed = append(b.renewed, energy.Period)
		return settleLate(ctx, energy)
	}
	return nil
}

// forgetEarlier ends the waiting for registers of periods before one whose
// registers are here.
func (b *block) forgetEarlier(ctx *module.Ctx, energy *meteringv1.Energy) error {
	for _, earlier := range collect(values(missing.All(ctx.Store, missing.Key().Bytes(energy.Account)))) {
		if earlier.Period >= energy.Period {
			break
		}
		period, err := loadPeriod(ctx.Store, earlier.Period)
		if err != nil {
			return err
		}
		missing.Delete(ctx.Store, missingKey(earlier.Account, earlier.Period))
		period.Missing--
		periods.Set(ctx.Store, periodKey(period.Period), period)
		b.freed = append(b.freed, period.Period)
	}
	return nil
}

// finishLate forms new roots where late registers changed statements, and lets
// go of periods in which nobody is missing any more.
func (b *block) finishLate(ctx *module.Ctx) error {
	touched := slices.Concat(b.renewed, b.freed)
	slices.Sort(touched)
	for _, start := range slices.Compact(touched) {
		period, err := loadPeriod(ctx.Store, start)
		if err != nil {
			return err
		}
		if slices.Contains(b.renewed, start) {
			if err := formRoot(ctx, period); err != nil {
				return err
			}
		}
		if period.Missing == 0 {
			retire(ctx, period)
		}
	}
	return nil
}

func loadPeriod(r state.Reader, start int64) (*settlementv1.Period, error) {
	period, ok := periods.Get(r, periodKey(start))
	if !ok {
		return nil, ErrNoRecord.With("period %d is not in settlement", start)
	}
	return period, nil
}
