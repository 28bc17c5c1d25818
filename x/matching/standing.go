package matching

import (
	"encoding/binary"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
)

// standingKey orders rules by account, the sell before the buy.
func standingKey(account []byte, side matchingv1.Side) state.Key {
	return standings.Key().Bytes(account, []byte{byte(side)})
}

func sideOf(rule *matchingv1.StandingOrder) matchingv1.Side {
	if rule.Sell != nil {
		return matchingv1.Side_SIDE_SELL
	}
	return matchingv1.Side_SIDE_BUY
}

// nextGate returns the period whose gate the standing orders wait for, if it has
// passed. Periods that began without it, in an outage of the chain, are left to
// the grid.
func nextGate(ctx *module.Ctx) (period int64, passed bool) {
	clock, ok := standingClock.Get(ctx.Store)
	if !ok {
		return 0, false
	}
	period = clock.NextPeriod
	if period <= ctx.TimeMs {
		period = registry.PeriodOf(ctx.Store, ctx.TimeMs) + registry.ChainOf(ctx.Store).PeriodLengthMs
	}
	return period, gateAt(ctx.Store, period) <= ctx.TimeMs
}

func gateAt(r state.Reader, period int64) int64 {
	return registry.GateOf(registry.ParamsAt(r, period), period)
}

// passGate writes the standing orders of a period, each on its own: one that
// cannot be placed is skipped and says why. It does at most as much as people
// could have placed by hand: max_orders rules a period.
func passGate(ctx *module.Ctx, period int64) {
	for _, rule := range collect(values(standings.All(ctx.Store, standings.Key()))) {
		switch {
		case period < rule.FromPeriod:
		case rule.UntilMs != 0 && period >= rule.UntilMs:
			removeStanding(ctx, rule, reasonExpired)
		case ordered(ctx.Store, rule.Account, period):
		default:
			err := ctx.Atomic(func(ctx *module.Ctx) error { return writeStanding(ctx, rule, period) })
			switch {
			case err == nil:
			case revoked(ctx.Store, rule.Account): // for good, and nobody else can end it
				removeStanding(ctx, rule, reasonRevoked)
			default:
				ctx.Emit(&matchingv1.StandingSkipped{Account: rule.Account, Period: period, Side: sideOf(rule), Reason: err.Error()})
			}
		}
	}
	if clock, ok := standingClock.Get(ctx.Store); ok {
		clock.NextPeriod = period + registry.ChainOf(ctx.Store).PeriodLengthMs
		standingClock.Set(ctx.Store, clock)
	}
}

// ordered says whether an account has orders in a period: its own override its
// rules, and of its rules the sell comes first.
func ordered(r state.Reader, account []byte, period int64) bool {
	return presences.Has(r, presenceKey(account, period))
}

// writeStanding places the order of a rule as if its owner had.
func writeStanding(ctx *module.Ctx, rule *matchingv1.StandingOrder, period int64) error {
	account, err := trader(ctx.Store, protocol.Address(rule.Account))
	if err != nil {
		return err
	}
	ctx.Signer = module.Signer{Account: account}
	if book, ok := books.Get(ctx.Store, bookKey(period, account.Market)); ok && book.Phase != matchingv1.Phase_PHASE_OPEN {
		return ErrGateClosed.With("period: expected one whose gate has just passed, got %s", units.FormatTime(period))
	}
	energyWh, err := standingEnergy(ctx.Store, rule, period)
	if err != nil {
		return err
	}
	id := module.DeriveID("standing", rule.Account, binary.BigEndian.AppendUint64(nil, uint64(period)))
	if rule.Sell != nil {
		order := proto.CloneOf(rule.Sell)
		order.Id, order.Period, order.EnergyWh = id.Bytes(), period, energyWh
		return enterSell(ctx, order)
	}
	order := proto.CloneOf(rule.Buy)
	order.Id, order.Period, order.EnergyWh = id.Bytes(), period, energyWh
	return enterBuy(ctx, order)
}

// trader returns an account that may order now: what admission asks of who sends
// an order.
func trader(r state.Reader, address protocol.Address) (*registryv1.Account, error) {
	account, ok := registry.AccountOf(r, address)
	if !ok || account.Status != registryv1.Status_STATUS_ACTIVE {
		return nil, ErrNotActive.With("account: expected an active one, got %v", address)
	}
	for _, role := range traders {
		if registry.HasRole(account, role) {
			return account, nil
		}
	}
	return nil, ErrNotActive.With("account: expected a prosumer or aggregator, got %v", address)
}

func revoked(r state.Reader, account []byte) bool {
	record, ok := registry.AccountOf(r, protocol.Address(account))
	return !ok || record.Status == registryv1.Status_STATUS_REVOKED
}

// standingEnergy is what a rule orders in a period, in Wh.
func standingEnergy(r state.Reader, rule *matchingv1.StandingOrder, period int64) (int64, error) {
	most := rule.GetBuy().GetEnergyWh() + rule.GetSell().GetEnergyWh() // one of them
	if !rule.AsMeasured {
		return most, nil
	}
	latest, ok := metering.Latest(r, protocol.Address(rule.Account), period)
	if !ok {
		return 0, ErrNothingMeasured.With("account: expected a period closed by each of its billing meters, got none")
	}
	// Of older periods settlement has given up the registers.
	oldest := gateAt(r, period) - (registry.ParamsAt(r, period).DeadlinePeriods+1)*registry.ChainOf(r).PeriodLengthMs
	if latest.Period < oldest {
		return 0, ErrNothingMeasured.With("account: expected its billing meters' latest closed period from %s on, got %s",
			units.FormatTime(oldest), units.FormatTime(latest.Period))
	}
	measured := latest.ImportWh
	if rule.Sell != nil {
		measured = max(latest.ExportWh-rule.KeepWh, 0)
	}
	if measured == 0 {
		return 0, ErrNothingMeasured.With("energy_wh: expected more than 0 kWh left to %s as measured, got 0 kWh in %s",
			sideName(sideOf(rule)), units.FormatTime(latest.Period))
	}
	return min(measured, most), nil
}
