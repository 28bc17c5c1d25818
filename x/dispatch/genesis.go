package dispatch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/emptypb"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// InitGenesis implements module.Module.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(dispatchv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	if genesis.LastCommand < 0 {
		return ErrBadGenesis.With("last_command: expected 0 or more, got %d", genesis.LastCommand)
	}
	if genesis.LastCommand > 0 {
		counter.Set(ctx.Store, &dispatchv1.Counter{LastCommand: genesis.LastCommand})
	}
	for _, part := range []func(state.Store, *dispatchv1.GenesisState) error{
		initDevices, initPlans, initCommands, initAcknowledgements,
	} {
		if err := part(ctx.Store, genesis); err != nil {
			return ErrBadGenesis.With("%v", err)
		}
	}
	if err := checkDispatch(ctx.Store); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	return nil
}

func initDevices(s state.Store, genesis *dispatchv1.GenesisState) error {
	for i, device := range genesis.Devices {
		field := fmt.Sprintf("devices[%d]", i)
		if err := checkDeviceName(device.GetDevice()); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		account, err := registered(s, field+".account", device.Account)
		if err != nil {
			return err
		}
		if _, err := registered(s, field+".gateway", device.Gateway); err != nil {
			return err
		}
		if owners.Has(s, ownerKey(device.Device)) {
			return fmt.Errorf("%s: expected each device once, got %q again", field, device.Device)
		}
		saveDevice(s, account.Market, device)
	}
	return nil
}

func initPlans(s state.Store, genesis *dispatchv1.GenesisState) error {
	for i, plan := range genesis.Plans {
		field := fmt.Sprintf("plans[%d]", i)
		if err := checkRow(s, field, plan.GetAccount(), plan.GetPeriod()); err != nil {
			return err
		}
		if plans.Has(s, planKey(plan.Account, plan.Period)) {
			return fmt.Errorf("%s: expected each account and period once", field)
		}
		plans.Set(s, planKey(plan.Account, plan.Period), plan)
		ages.Set(s, ageKey(plan.Period, plan.Account), &emptypb.Empty{})
	}
	return nil
}

func initCommands(s state.Store, genesis *dispatchv1.GenesisState) error {
	var numbers []int64
	for i, command := range genesis.Commands {
		field := fmt.Sprintf("commands[%d]", i)
		if err := checkRow(s, field, command.GetAccount(), command.GetFromPeriod()); err != nil {
			return err
		}
		if err := checkPeriod(s, field+".until_period", command.UntilPeriod); err != nil {
			return err
		}
		if err := checkDeviceName(command.Device); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if _, err := protocol.AddressFrom(command.By); err != nil {
			return fmt.Errorf("%s.by: %w", field, err)
		}
		numbers = append(numbers, command.Number)
		saveCommand(s, command)
	}
	slices.Sort(numbers)
	for i, number := range numbers {
		if number < 1 || number > genesis.LastCommand || i > 0 && number == numbers[i-1] {
			return fmt.Errorf("commands: expected distinct numbers from 1 to last_command %d, got %d", genesis.LastCommand, number)
		}
	}
	return nil
}

func initAcknowledgements(s state.Store, genesis *dispatchv1.GenesisState) error {
	for i, row := range genesis.Acknowledgements {
		field, done := fmt.Sprintf("acknowledgements[%d]", i), row.GetAcknowledgement()
		if err := checkRow(s, field, row.GetAccount(), done.GetPeriod()); err != nil {
			return err
		}
		if err := checkAcknowledgement(done); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		key := ackKey(row.Account, done.Period, done.Device)
		if acks.Has(s, key) {
			return fmt.Errorf("%s: expected each device and period once", field)
		}
		acks.Set(s, key, done)
		ages.Set(s, ageKey(done.Period, row.Account), &emptypb.Empty{})
	}
	return nil
}

// checkRow checks what rows of accounts and periods have.
func checkRow(r state.Reader, field string, account []byte, period int64) error {
	if _, err := registered(r, field+".account", account); err != nil {
		return err
	}
	return checkPeriod(r, field+".period", period)
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(dispatchv1.GenesisState)
	last, _ := counter.Get(ctx.Store)
	genesis.LastCommand = last.GetLastCommand()
	for _, device := range devices.All(ctx.Store, devices.Key()) {
		genesis.Devices = append(genesis.Devices, device)
	}
	for _, plan := range plans.All(ctx.Store, plans.Key()) {
		genesis.Plans = append(genesis.Plans, plan)
	}
	for _, command := range commands.All(ctx.Store, commands.Key()) {
		genesis.Commands = append(genesis.Commands, command)
	}
	for key, done := range acks.All(ctx.Store, acks.Key()) {
		account := bytes.Clone(key[2 : 2+protocol.AddressSize])
		genesis.Acknowledgements = append(genesis.Acknowledgements, &dispatchv1.AccountAcknowledgement{Account: account, Acknowledgement: done})
	}
	return module.MarshalGenesis(genesis)
}
