package settlement

import (
	"slices"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/metering"
)

// Bounds of a block's corrections: those that it settles, the trades in the
// statements that they read, and those that it looks at, since some wait for their
// period.
const (
	maxCorrected = 1000
	maxRetraded  = 100_000
	maxLookedAt  = 20_000
)

// takeCorrections settles corrected periods again, the oldest first. One that is
// in settlement waits until it has its root: until then an account's trades and
// those of who it trades with are not all known.
func (b *block) takeCorrections(ctx *module.Ctx) error {
	looked, settled, read := 0, 0, 0
	for correction := range metering.Corrections(ctx.Store) {
		if looked++; looked > maxLookedAt || settled >= maxCorrected || read >= maxRetraded {
			break
		}
		if inSettlement(ctx.Store, correction.Period) {
			continue
		}
		if err := b.turnTo(ctx, correction.Period); err != nil {
			return err
		}
		if b.leaves >= maxLeaves {
			break
		}
		settled++
		err := ctx.Atomic(func(ctx *module.Ctx) error { return correct(ctx, correction, &read) })
		if err != nil {
			ctx.Emit(&settlementv1.CorrectionFailed{Period: correction.Period, Account: correction.Account, Reason: err.Error()})
		}
		b.late = b.late || err == nil
		metering.ConsumeCorrection(ctx, protocol.Address(correction.Account), correction.Period)
	}
	return b.finishLate(ctx)
}

// inSettlement says whether accounts of a period have no statement yet.
func inSettlement(r state.Reader, period int64) bool {
	open, ok := periods.Get(r, periodKey(period))
	return ok && open.OpenAccounts > 0
}

// beingRemoved says whether a period's retention time is over. Removing its statements
// takes several blocks where they are many, and then its root keeps its last version.
func beingRemoved(r state.Reader, period int64) bool {
	clock, _ := clocks.Get(r)
	return slices.ContainsFunc(dueNow(r, retirements, clock.GetCount()), func(due *settlementv1.Due) bool { return due.Period == period })
}

// correct settles an account's period again with corrected registers (doc.go), and
// adds to read how many trades are in the statements that it took for that.
func correct(ctx *module.Ctx, correction *meteringv1.Correction, read *int) error {
	period, err := settledPeriod(ctx.Store, correction.Period)
	if err != nil {
		return err
	}
	if beingRemoved(ctx.Store, correction.Period) {
		return ErrNoRecord.With("period %d: its statements are being removed", correction.Period)
	}
	w := &resettlement{ctx: ctx, period: period, byAccount: map[protocol.Address]*party{}}
	defer func() { *read += w.read }()
	a, err := w.party(correction.Account)
	if err != nil {
		return err
	}
	if a.Missing {
		return ErrNoRecord.With("period %d: the registers of %v are missing", period.Period, protocol.Address(a.Account))
	}
	var sums adder
	sums.add(&a.ImportWh, correction.ImportWh)
	sums.add(&a.ExportWh, correction.ExportWh)
	if sums.err != nil {
		return sums.err
	}
	a.changed = true
	if err := w.retrade(a); err != nil {
		return err
	}
	if err := w.settleDifferences(); err != nil {
		return err
	}
	if err := correctStock(ctx, a.Statement, correction); err != nil {
		return err
	}
	periods.Set(ctx.Store, periodKey(period.Period), period) // until its root is formed
	ctx.Emit(&settlementv1.AccountCorrected{
		Period: period.Period, Account: a.Account, ImportWh: correction.ImportWh, ExportWh: correction.ExportWh,
	})
	for _, p := range w.parties {
		if p.changed {
			p.CorrectsVersion = p.Version
			store(ctx, p.Statement)
		}
	}
	return nil
}

// settledPeriod returns a period that has its root.
func settledPeriod(r state.Reader, start int64) (*settlementv1.Period, error) {
	if period, ok := periods.Get(r, periodKey(start)); ok {
		return period, nil
	}
	root, ok := RootOf(r, start)
	if !ok {
		return nil, ErrNoRecord.With("period %d was not settled", start)
	}
	return &settlementv1.Period{Period: start, Accounts: root.Accounts, Totals: root.Totals}, nil
}
