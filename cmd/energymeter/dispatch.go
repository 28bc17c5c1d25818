package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/gateway"
)

func dispatchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dispatch", Short: "Devices that are steered", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(dispatchStatusCommand())
	return cmd
}

func dispatchStatusCommand() *cobra.Command {
	h := &home{}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say what is planned for each device, and what it was last set to", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := gateway.ReadDispatchStatus(h.dir)
			if err != nil {
				return err
			}
			if !asJSON {
				return printDispatch(cmd.OutOrStdout(), status)
			}
			data, err := json.MarshalIndent(status, "", "  ")
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", data)
			}
			return err
		},
	}
	h.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// toTheMinute is as exact as the status file is.
const toTheMinute = "2006-01-02T15:04Z07:00"

func printDispatch(out io.Writer, status *gateway.DispatchStatus) error {
	schedule := "none"
	if !status.PlanOf.IsZero() {
		schedule = "of " + status.PlanOf.Format(toTheMinute)
	}
	if status.Problem != "" {
		schedule += ", not renewed: " + status.Problem
	}
	fmt.Fprintf(out, "schedule          %s\nacknowledgements  %d wait\n", schedule, status.Waiting)
	for _, name := range slices.Sorted(maps.Keys(status.Devices)) {
		device := status.Devices[name]
		set := "not known"
		if device.Set != nil {
			set = fmt.Sprintf("%d W, written at %s", device.Set.PowerW, device.WrittenAt.Format(toTheMinute))
		}
		if device.Reason != "" {
			device.Outcome += ": " + device.Reason
		}
		fmt.Fprintf(out, "%s\n  set      %s\n  outcome  %s\n", name, set, device.Outcome)
		for _, data := range device.Duties {
			duty := new(dispatchv1.Duty)
			if err := client.DecodeJSON(data, duty); err != nil {
				return fmt.Errorf("duty of %s: %w", name, err)
			}
			fmt.Fprintf(out, "  planned  %s  %s\n", time.UnixMilli(duty.Period).UTC().Format(time.RFC3339), describeDuty(duty))
		}
	}
	return nil
}

// describeDuty says what is asked: the command in force, or the schedule.
func describeDuty(duty *dispatchv1.Duty) string {
	command := duty.Command
	if command == nil {
		return fmt.Sprintf("%d W (schedule, version %d)", duty.PowerW, duty.Version)
	}
	what := ""
	switch {
	case command.PowerW != nil:
		what = fmt.Sprintf("%d W", *command.PowerW)
	case command.Switch != 0:
		what = "switch " + strings.ToLower(strings.TrimPrefix(command.Switch.String(), "SWITCH_"))
	default:
		what = "charge source " + strings.ToLower(strings.TrimPrefix(command.ChargeSource.String(), "CHARGE_SOURCE_"))
	}
	what += fmt.Sprintf(" (command %d", command.Number)
	if command.Reason != "" {
		what += fmt.Sprintf(", %q", command.Reason)
	}
	return what + ")"
}
