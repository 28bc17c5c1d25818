package dispatch

import (
	"cmp"
	"slices"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/settlement"
)

// Bounds of answers.
const (
	defaultPage, maxPage               = 100, 1000 // devices of a gateway
	defaultAhead, maxAhead             = 4, 32     // periods of a gateway's answer
	defaultBefore                      = 8         // periods back from the present one
	defaultPeriods, maxComparedPeriods = 24, 1000
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryGatewayDispatch),
		module.Answer(queryDispatch),
		module.Answer(queryDevices),
	}
}

func queryGatewayDispatch(ctx module.QueryCtx, q *dispatchv1.QueryGatewayDispatchRequest) (*dispatchv1.QueryGatewayDispatchResponse, error) {
	if _, err := registered(ctx.Store, "gateway", q.Gateway); err != nil {
		return nil, err
	}
	limit, err := countOf("limit", q.Limit, defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	periods, err := spanOf(ctx, q.FromPeriod, q.Periods, 0, defaultAhead, maxAhead)
	if err != nil {
		return nil, err
	}
	if q.After != "" {
		if err := protocol.CheckName(q.After); err != nil {
			return nil, ErrInvalidField.With("after: %v", err)
		}
	}
	answer := &dispatchv1.QueryGatewayDispatchResponse{TimeMs: ctx.TimeMs, PeriodLengthMs: registry.ChainOf(ctx.Store).PeriodLengthMs}
	mine := carried.Key().Bytes(q.Gateway)
	for key, owner := range carried.From(ctx.Store, mine, mine.Name(q.After)) {
		name := nameIn(key[len(mine):])
		if name == q.After {
			continue
		}
		if int64(len(answer.Devices)) == limit {
			answer.NextAfter = answer.Devices[limit-1].Device.Device
			break
		}
		device, _ := devices.Get(ctx.Store, deviceKey(owner.Account, name))
		answer.Devices = append(answer.Devices, dispatchOf(ctx.Store, device, periods))
	}
	return answer, nil
}

// nameIn returns the name in a part of a key.
func nameIn(part []byte) string {
	if end := slices.Index(part, 0); end >= 0 {
		part = part[:end]
	}
	return string(part)
}

// dispatchOf returns what is asked of a device in periods.
func dispatchOf(r state.Reader, device *dispatchv1.Device, periods []int64) *dispatchv1.DeviceDispatch {
	found := &dispatchv1.DeviceDispatch{Device: device}
	live := liveCommands(r, device, periods[0])
	for _, period := range periods {
		duty := &dispatchv1.Duty{Period: period, Command: latestInForce(live, period)}
		if plan, ok := plans.Get(r, planKey(device.Account, period)); ok {
			if point := setPointOf(plan, device.Device); point != nil {
				duty.Version, duty.PowerW = plan.Version, point.PowerW
			}
		}
		if duty.Version != 0 || duty.Command != nil {
			found.Duties = append(found.Duties, duty)
		}
	}
	return found
}

func queryDispatch(ctx module.QueryCtx, q *dispatchv1.QueryDispatchRequest) (*dispatchv1.QueryDispatchResponse, error) {
	if (len(q.Account) == 0) == (q.Device == "") {
		return nil, ErrInvalidField.With("account, device: expected one of the two")
	}
	account := q.Account
	if q.Device != "" {
		device, err := deviceOf(ctx.Store, "device", q.Device)
		if err != nil {
			return nil, err
		}
		account = device.Account
	} else if _, err := registered(ctx.Store, "account", account); err != nil {
		return nil, err
	}
	periods, err := spanOf(ctx, q.FromPeriod, q.Periods, defaultBefore, defaultPeriods, maxComparedPeriods)
	if err != nil {
		return nil, err
	}
	answer := &dispatchv1.QueryDispatchResponse{Account: account, PeriodLengthMs: registry.ChainOf(ctx.Store).PeriodLengthMs}
	given := commandsByDevice(ctx.Store, account, q.Device)
	for _, period := range periods {
		if compared := compare(ctx.Store, account, q.Device, period, given); compared != nil {
			answer.Periods = append(answer.Periods, compared)
		}
	}
	return answer, nil
}

// givenCommands are the commands of one device that are kept, lowest number first.
type givenCommands struct {
	device   string
	commands []*dispatchv1.Command
}

// commandsByDevice returns the kept commands of an account by device, or of one
// device of it.
func commandsByDevice(r state.Reader, account []byte, device string) []givenCommands {
	prefix := commands.Key().Bytes(account)
	if device != "" {
		prefix = commandsOfKey(account, device)
	}
	var all []givenCommands
	for _, command := range commands.All(r, prefix) {
		if len(all) == 0 || all[len(all)-1].device != command.Device {
			all = append(all, givenCommands{device: command.Device})
		}
		last := &all[len(all)-1]
		last.commands = append(last.commands, command)
	}
	return all
}

// compare returns what was planned and done in a period, for all devices of an
// account or one; nil if nothing was.
func compare(r state.Reader, account []byte, only string, period int64, given []givenCommands) *dispatchv1.PeriodDispatch {
	compared := &dispatchv1.PeriodDispatch{Period: period}
	of := func(device string) *dispatchv1.DeviceOutcome {
		for _, known := range compared.Devices {
			if known.Device == device {
				return known
			}
		}
		compared.Devices = append(compared.Devices, &dispatchv1.DeviceOutcome{Device: device})
		return compared.Devices[len(compared.Devices)-1]
	}
	plan, planned := plans.Get(r, planKey(account, period))
	for _, point := range plan.GetSetPoints() {
		of(point.Device).Version, of(point.Device).PowerW = plan.Version, point.PowerW
	}
	for _, device := range given {
		if command := latestInForce(device.commands, period); command != nil {
			of(device.device).Command = command
		}
	}
	for _, done := range acks.All(r, acksOfKey(account, period)) {
		of(done.Device).Done = done
	}
	if !planned && len(compared.Devices) == 0 {
		return nil
	}
	if planned {
		plan.SetPoints = nil
		compared.Plan = plan
	}
	compared.Devices = slices.DeleteFunc(compared.Devices, func(o *dispatchv1.DeviceOutcome) bool { return only != "" && o.Device != only })
	slices.SortFunc(compared.Devices, func(a, b *dispatchv1.DeviceOutcome) int { return cmp.Compare(a.Device, b.Device) })
	compared.ImportWh, compared.ExportWh, compared.Measured = settlement.MeasuredOf(r, period, protocol.Address(account))
	return compared
}

// registered returns an account that must be there.
func registered(r state.Reader, field string, account []byte) (*registryv1.Account, error) {
	address, err := protocol.AddressFrom(account)
	if err != nil {
		return nil, ErrInvalidField.With("%s: %v", field, err)
	}
	found, ok := registry.AccountOf(r, address)
	if !ok {
		return nil, ErrUnknownAccount.With("%s: expected a registered account, got %v", field, address)
	}
	return found, nil
}

// countOf returns how many are asked for, at most so many.
func countOf(field string, count, standard, most int64) (int64, error) {
	if count < 0 {
		return 0, ErrInvalidField.With("%s: expected 0 or more, got %d", field, count)
	}
	if count == 0 {
		return standard, nil
	}
	return min(count, most), nil
}

// spanOf returns the periods that are asked for; without a first one they begin
// some before the present.
func spanOf(ctx module.QueryCtx, from, count, before, standard, most int64) ([]int64, error) {
	count, err := countOf("periods", count, standard, most)
	if err != nil {
		return nil, err
	}
	length := registry.ChainOf(ctx.Store).PeriodLengthMs
	if from == 0 {
		from = max(0, registry.PeriodOf(ctx.Store, ctx.TimeMs)-before*length)
	}
	if err := checkPeriod(ctx.Store, "from_period", from); err != nil {
		return nil, err
	}
	var periods []int64
	for range count {
		periods = append(periods, from)
		from += length
	}
	return periods, nil
}

func queryDevices(ctx module.QueryCtx, q *dispatchv1.QueryDevicesRequest) (*dispatchv1.QueryDevicesResponse, error) {
	if _, err := registered(ctx.Store, "account", q.Account); err != nil {
		return nil, err
	}
	answer := &dispatchv1.QueryDevicesResponse{Devices: devicesOf(ctx.Store, q.Account)}
	for _, device := range answer.Devices {
		answer.Commands = append(answer.Commands, liveCommands(ctx.Store, device, registry.PeriodOf(ctx.Store, ctx.TimeMs))...)
	}
	return answer, nil
}
