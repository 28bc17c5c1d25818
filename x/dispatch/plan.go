package dispatch

import (
	"bytes"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

const hourMs = 3_600_000

// planAgain brings the plan of an account up to its devices and to its matches in a
// final book; the version rises if that changes anything.
func planAgain(ctx *module.Ctx, account []byte, period int64) error {
	known, planned := plans.Get(ctx.Store, planKey(account, period))
	steered := devicesOf(ctx.Store, account)
	if !planned && len(steered) == 0 {
		return nil
	}
	plan, err := newPlan(ctx.Store, account, period, steered)
	if err != nil || plan == nil {
		return err
	}
	plan.Version = known.GetVersion()
	if planned && proto.Equal(plan, known) {
		return nil
	}
	plan.Version++
	plans.Set(ctx.Store, planKey(account, period), plan)
	ages.Set(ctx.Store, ageKey(period, account), &emptypb.Empty{})
	ctx.Emit(&dispatchv1.DispatchPlanned{Plan: plan})
	return nil
}

// newPlan shares what an account matched in a period over its devices, without a
// version. It is nil without matches.
func newPlan(r state.Reader, account []byte, period int64, steered []*dispatchv1.Device) (*dispatchv1.Plan, error) {
	found := matching.MatchesOf(r, period, protocol.Address(account))
	if len(found) == 0 {
		return nil, nil
	}
	plan := &dispatchv1.Plan{Account: account, Period: period}
	for _, match := range found {
		energy := match.EnergyWh
		if !bytes.Equal(match.Seller, account) {
			energy = -units.Net(match.EnergyWh, match.LossPpm)
		}
		sum, err := units.Add(plan.EnergyWh, energy)
		if err != nil {
			return nil, err
		}
		plan.EnergyWh = sum
	}
	power, err := units.MulDiv(plan.EnergyWh, hourMs, registry.ChainOf(r).PeriodLengthMs)
	if err != nil {
		return nil, err
	}
	plan.PowerW = power
	plan.SetPoints, plan.UnplannedW, err = share(power, steered)
	return plan, err
}

// share divides power over the devices that can go in its direction, in proportion
// to their limits, by largest remainder; of equal ones the first by name comes
// first. What is beyond all limits together is left over.
func share(powerW int64, steered []*dispatchv1.Device) (points []*dispatchv1.SetPoint, leftW int64, err error) {
	var able []*dispatchv1.Device
	var limits []int64
	for _, device := range steered {
		if limit := limitOf(device, powerW); limit > 0 {
			able, limits = append(able, device), append(limits, limit)
		}
	}
	total, err := units.Sum(limits...)
	if err != nil {
		return nil, 0, err
	}
	sign := int64(1)
	if powerW < 0 {
		sign = -1
	}
	fits := min(sign*powerW, total)
	parts, err := units.ProRata(fits, limits)
	if err != nil {
		return nil, 0, err
	}
	for i, device := range able {
		points = append(points, &dispatchv1.SetPoint{Device: device.Device, PowerW: sign * parts[i]})
	}
	return points, powerW - sign*fits, nil
}

// limitOf returns how far a device can go in the direction of a power, in W.
func limitOf(device *dispatchv1.Device, powerW int64) int64 {
	if powerW < 0 {
		return device.MaxInW
	}
	return device.MaxOutW
}

// planOpen brings an account's plans of the periods that have not ended up to its
// devices. It looks at the books from the present period to the last whose gate may
// have passed, about gate_lead by the length of a period.
func planOpen(ctx *module.Ctx, account []byte) error {
	registered, _ := registry.AccountOf(ctx.Store, protocol.Address(account))
	last := registry.LastPassedGate(ctx.Store, ctx.TimeMs)
	var final []int64
	for period := range matching.PeriodsFrom(ctx.Store, presentPeriod(ctx)) {
		if period > last {
			break
		}
		if matching.IsFinal(ctx.Store, period, registered.GetMarket()) {
			final = append(final, period)
		}
	}
	for _, period := range final {
		if err := planAgain(ctx, account, period); err != nil {
			return err
		}
	}
	return nil
}

// setPointOf returns a device's set-point in a plan, nil if it has none.
func setPointOf(plan *dispatchv1.Plan, device string) *dispatchv1.SetPoint {
	for _, point := range plan.GetSetPoints() {
		if point.Device == device {
			return point
		}
	}
	return nil
}
