package dispatch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/settlement"
)

var errBroken = errors.New("dispatch does not agree")

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{{Name: "dispatch", Check: checkDispatch}}
}

// checkDispatch says that devices, their indexes, plans and commands agree.
func checkDispatch(r state.Reader) error {
	for _, check := range []func(state.Reader) error{checkDevices, checkIndexes, checkPlans, checkPlanned, checkCommands, checkAges} {
		if err := check(r); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
	}
	return nil
}

func checkDevices(r state.Reader) error {
	var account []byte
	count := 0
	for _, device := range devices.All(r, devices.Key()) {
		if !bytes.Equal(account, device.Account) {
			account, count = device.Account, 0
		}
		count++
		registered, err := registered(r, "device "+device.Device, account)
		if err != nil {
			return err
		}
		switch {
		case count > maxDevices:
			return fmt.Errorf("%v has more than %d devices", protocol.Address(account), maxDevices)
		case max(device.MaxOutW, device.MaxInW) > registered.ConnectionRatingW:
			return fmt.Errorf("device %q is beyond the rating of its account", device.Device)
		case len(device.Commands) > maxCommands || !slices.IsSortedFunc(device.Commands, strictly):
			return fmt.Errorf("device %q has commands %v", device.Device, device.Commands)
		case !pointsTo(r, owners, ownerKey(device.Device), account),
			!pointsTo(r, carried, carriedKey(device.Gateway, device.Device), account),
			!pointsTo(r, fleets, fleetKey(registered.Market, account), account):
			return fmt.Errorf("device %q is not in the indexes", device.Device)
		}
		if err := checkLimits(device.Kind, device.MaxOutW, device.MaxInW); err != nil {
			return fmt.Errorf("device %q: %w", device.Device, err)
		}
		for _, number := range device.Commands {
			if !commands.Has(r, commandKey(account, device.Device, number)) {
				return fmt.Errorf("device %q has no command %d", device.Device, number)
			}
		}
	}
	return nil
}

// strictly orders numbers such that equal ones are not in order.
func strictly(a, b int64) int {
	if a <= b {
		return -1
	}
	return 1
}

func pointsTo(r state.Reader, index state.Map[*dispatchv1.Owner], key state.Key, account []byte) bool {
	owner, ok := index.Get(r, key)
	return ok && bytes.Equal(owner.Account, account)
}

// checkIndexes says that no index has more rows than there are devices and accounts
// with devices.
func checkIndexes(r state.Reader) error {
	var accounts, count int
	var last []byte
	for _, device := range devices.All(r, devices.Key()) {
		if !bytes.Equal(device.Account, last) {
			accounts, last = accounts+1, device.Account
		}
		count++
	}
	for _, index := range []struct {
		name string
		key  state.Key
		want int
	}{{"owners", owners.Key(), count}, {"gateways", carried.Key(), count}, {"fleets", fleets.Key(), accounts}} {
		if got := len(keysOf(r, index.key)); got != index.want {
			return fmt.Errorf("index of %s has %d rows, expected %d", index.name, got, index.want)
		}
	}
	return nil
}

// checkPlans says that set-points and what is left over add up, and that plans of
// periods which have not ended are what matches and devices make of them.
func checkPlans(r state.Reader) error {
	latest := settlement.LatestPeriod(r)
	for _, plan := range plans.All(r, plans.Key()) {
		name := fmt.Sprintf("plan of %v for %s", protocol.Address(plan.Account), units.FormatTime(plan.Period))
		sum := plan.UnplannedW
		for _, point := range plan.SetPoints {
			if (point.PowerW < 0) != (plan.PowerW < 0) && point.PowerW != 0 {
				return fmt.Errorf("%s: a set-point goes the other way: %v", name, plan)
			}
			total, err := units.Add(sum, point.PowerW)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			sum = total
		}
		if sum != plan.PowerW || plan.Version < 1 {
			return fmt.Errorf("%s does not add up: %v", name, plan)
		}
		if plan.Period < latest {
			continue
		}
		want, err := newPlan(r, plan.Account, plan.Period, devicesOf(r, plan.Account))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if want != nil {
			want.Version = plan.Version
		}
		if !proto.Equal(plan, want) {
			return fmt.Errorf("%s: expected %v, got %v", name, want, plan)
		}
	}
	return nil
}

// checkPlanned says that accounts with devices have plans of what they matched in
// final books of periods that have not ended.
func checkPlanned(r state.Reader) error {
	periods := slices.Collect(matching.PeriodsFrom(r, settlement.LatestPeriod(r)))
	for _, owner := range fleets.All(r, fleets.Key()) {
		account, err := registered(r, "fleet", owner.Account)
		if err != nil {
			return err
		}
		for _, period := range periods {
			if !matching.IsFinal(r, period, account.Market) || plans.Has(r, planKey(owner.Account, period)) {
				continue
			}
			// What cannot be planned has no plan.
			if want, err := newPlan(r, owner.Account, period, devicesOf(r, owner.Account)); err == nil && want != nil {
				return fmt.Errorf("%v has no plan for %s", protocol.Address(owner.Account), units.FormatTime(period))
			}
		}
	}
	return nil
}

// checkCommands says that commands are numbered, within their device's limits as
// long as they may come into force, and found by their ends, and that one that was
// cancelled ends with that period.
func checkCommands(r state.Reader) error {
	last, _ := counter.Get(r)
	latest, count := settlement.LatestPeriod(r), 0
	for _, command := range commands.All(r, commands.Key()) {
		count++
		if command.Number < 1 || command.Number > last.GetLastCommand() || !ends.Has(r, endKey(command)) || command.FromPeriod >= command.UntilPeriod {
			return fmt.Errorf("command %v", command)
		}
		if err := checkContent(command.PowerW, command.Switch, command.ChargeSource, command.Reason); err != nil {
			return fmt.Errorf("command %d: %w", command.Number, err)
		}
		if at := command.CancelledPeriod; at != 0 && (at < command.FromPeriod || command.UntilPeriod != at+registry.ChainOf(r).PeriodLengthMs) {
			return fmt.Errorf("command %v goes on when it is cancelled", command)
		}
		device, ok := devices.Get(r, deviceKey(command.Account, command.Device))
		if command.UntilPeriod <= latest || command.CancelledPeriod != 0 {
			continue
		}
		if !ok || !slices.Contains(device.Commands, command.Number) || checkAction(device, command) != nil {
			return fmt.Errorf("command %d is not one of device %q", command.Number, command.Device)
		}
	}
	if got := len(keysOf(r, ends.Key())); got != count {
		return fmt.Errorf("%d commands, %d ends", count, got)
	}
	return nil
}

// checkAges says that all that is kept of periods is found by its age.
func checkAges(r state.Reader) error {
	for key := range plans.All(r, plans.Key()) {
		if !ages.Has(r, ages.Key().Bytes(key[22:], key[2:22])) {
			return fmt.Errorf("plan %x has no age", []byte(key))
		}
	}
	for key := range acks.All(r, acks.Key()) {
		if !ages.Has(r, ages.Key().Bytes(key[22:30], key[2:22])) {
			return fmt.Errorf("acknowledgement %x has no age", []byte(key))
		}
	}
	return nil
}
