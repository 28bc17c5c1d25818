package main

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

// TestWriteDispatch: planned, commanded, done and measured, in units for people.
func TestWriteDispatch(t *testing.T) {
	const period = 1_769_860_800_000
	answer := &dispatchv1.QueryDispatchResponse{Account: make([]byte, 20), PeriodLengthMs: 900_000, Periods: []*dispatchv1.PeriodDispatch{{
		Period: period, Plan: &dispatchv1.Plan{EnergyWh: -1500, PowerW: -6000, UnplannedW: -1000, Version: 2},
		Measured: true, ImportWh: 1490, ExportWh: 20,
		Devices: []*dispatchv1.DeviceOutcome{
			{Device: "battery", Version: 2, PowerW: -4200, Command: &dispatchv1.Command{Number: 7, PowerW: proto.Int64(-500)}, Done: &dispatchv1.Acknowledgement{
				Command: 7, Outcome: dispatchv1.Outcome_OUTCOME_LIMITED, AppliedW: -450, AtMs: period + 1500,
			}},
			{Device: "heater", Version: 2, PowerW: -800, Done: &dispatchv1.Acknowledgement{Version: 1, Outcome: dispatchv1.Outcome_OUTCOME_DONE, AppliedW: -900, AtMs: period}},
			{Device: "relay", Command: &dispatchv1.Command{Number: 8, Switch: dispatchv1.Switch_SWITCH_OFF}},
			{Device: "store", Command: &dispatchv1.Command{Number: 9, ChargeSource: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}},
		},
	}}}
	var out bytes.Buffer
	if err := writeDispatch(&out, answer); err != nil {
		t.Fatal(err)
	}
	contains(t, "table", out.String(), "-6 kW", "-1.5 kWh", "-1 kW", "in 1.49 kWh, out 0.02 kWh", "-4.2 kW", "-1.05 kWh",
		"7: -500 W", "limited", "-450 W", "2026-01-31T12:00:01.5Z", "done (version 1 of 2)", "8: off", "9: charge from own")
	out.Reset()
	if err := writeDispatch(&out, &dispatchv1.QueryDispatchResponse{}); err != nil {
		t.Fatal(err)
	}
	contains(t, "empty answer", out.String(), "nothing was asked")
}
