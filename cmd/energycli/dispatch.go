package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/units"
)

// shortDispatch makes "query dispatch ACCOUNT" the short way to the module's own
// comparison; without arguments it shows the module's commands.
func shortDispatch(o *options, query *cobra.Command, e entry) {
	for _, group := range query.Commands() {
		if group.Name() != e.module {
			continue
		}
		whole := stateCommand(o, e)
		group.Use = e.module + positions(e.leaves())
		group.Args = whole.Args
		group.Flags().SortFlags = false
		registerLeaves(group.Flags(), e.leaves())
		group.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && cmd.Flags().NFlag() == 0 {
				return showHelp(cmd, args)
			}
			return whole.RunE(cmd, args)
		}
	}
}

// writeDispatch prints for each period what the account matched, was planned and
// measured, then its devices.
func writeDispatch(w io.Writer, answer *dispatchv1.QueryDispatchResponse) error {
	if len(answer.Periods) == 0 {
		_, err := fmt.Fprintln(w, "nothing was asked of devices in these periods")
		return err
	}
	list := newTable("Period", "Device", "Planned", "Energy", "Left over", "Command", "Outcome", "Set to", "Said at", "Measured")
	for _, period := range answer.Periods {
		start := units.FormatTime(period.Period)
		row := table.Row{start, "(account)", "", "", "", "", "", "", "", ""}
		if plan := period.Plan; plan != nil {
			row[2], row[3] = showPower(plan.PowerW), units.FormatKWh(plan.EnergyWh)
			if plan.UnplannedW != 0 {
				row[4] = showPower(plan.UnplannedW)
			}
		}
		if period.Measured {
			row[9] = fmt.Sprintf("in %s, out %s", units.FormatKWh(period.ImportWh), units.FormatKWh(period.ExportWh))
		}
		list.AppendRow(row)
		for _, device := range period.Devices {
			row, err := deviceRow(start, device, answer.PeriodLengthMs)
			if err != nil {
				return err
			}
			list.AppendRow(row)
		}
	}
	_, err := fmt.Fprintf(w, "account  %s\n%s\nPositive feeds out, negative draws; a command stands in place of what was planned.\n",
		client.FormatBytes(answer.Account), list.Render())
	return err
}

func deviceRow(start string, device *dispatchv1.DeviceOutcome, lengthMs int64) (table.Row, error) {
	row := table.Row{start, device.Device, "", "", "", showCommand(device.Command), "", "", "", ""}
	if device.Version != 0 {
		energy, err := units.MulDiv(device.PowerW, lengthMs, 3_600_000)
		if err != nil {
			return nil, fmt.Errorf("set-point of %s: %w", device.Device, err)
		}
		row[2], row[3] = showPower(device.PowerW), units.FormatKWh(energy)
	}
	if done := device.Done; done != nil {
		row[6] = strings.ToLower(strings.TrimPrefix(done.Outcome.String(), "OUTCOME_"))
		row[7], row[8] = showPower(done.AppliedW), units.FormatTime(done.AtMs)
		if done.Command == 0 && done.Version != device.Version {
			row[6] = fmt.Sprintf("%v (version %d of %d)", row[6], done.Version, device.Version)
		}
	}
	return row, nil
}

// showCommand writes what a command wants.
func showCommand(command *dispatchv1.Command) string {
	switch {
	case command == nil:
		return ""
	case command.PowerW != nil:
		return fmt.Sprintf("%d: %s", command.Number, showPower(*command.PowerW))
	case command.Switch != 0:
		return fmt.Sprintf("%d: %s", command.Number, strings.ToLower(strings.TrimPrefix(command.Switch.String(), "SWITCH_")))
	}
	return fmt.Sprintf("%d: charge from %s", command.Number, strings.ToLower(strings.TrimPrefix(command.ChargeSource.String(), "CHARGE_SOURCE_")))
}

// showPower writes less than a kW in W.
func showPower(w int64) string {
	if w > -1000 && w < 1000 {
		return fmt.Sprintf("%d W", w)
	}
	return units.FormatPower(w)
}
