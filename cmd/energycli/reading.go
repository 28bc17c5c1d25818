package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

func readingCommand(o *options) *cobra.Command {
	var meter, out string
	var sequence uint64
	cmd := &cobra.Command{
		Use: "reading --meter METER", Short: "Fetch a signed reading that anyone can check", Args: noArguments,
		Long: `Fetch a reading that the chain still keeps, with the key of the gateway that
signed it. energycli verify reading checks it without a node.`,
		Example: "  energycli reading --meter m-1 --out reading.json\n  energycli verify reading reading.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if meter == "" {
				return usage("--meter: expected the name of a meter")
			}
			l := o.link(cmd.Context())
			if err := l.connect(); err != nil {
				return err
			}
			reading, err := l.SignedReading(l.ctx, l.chainID, meter, sequence)
			if err != nil {
				return err
			}
			data, err := json.MarshalIndent(reading, "", "  ")
			if err != nil {
				return err
			}
			return writeFile(cmd, out, data)
		},
	}
	cmd.Flags().StringVar(&meter, "meter", "", "name of the meter")
	cmd.Flags().Uint64Var(&sequence, "sequence", 0, "sequence of the reading (default: the latest)")
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	return cmd
}

// submitReadingCommand signs one reading as the meter's gateway and sends it:
// by hand what a gateway does all the time.
func submitReadingCommand(o *options) *cobra.Command {
	var all []leaf
	for _, l := range leaves((&meteringv1.Reading{}).ProtoReflect().Descriptor()) {
		if l.field.Name() != "signature" {
			all = append(all, l)
		}
	}
	cmd := &cobra.Command{
		Use: "submit-reading", Short: "Sign one reading as the meter's gateway and send it", Args: noArguments,
		Long: `Sign one reading of a meter's cumulative registers as its gateway, with the key
of --from, and send it. Without --sequence it follows the latest one, without
--time it is of now, without --quality it is measured.`,
		Example: "  energycli tx metering submit-reading --from gateway --meter m-1 --import 1234.5 --export 67",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			reading := new(meteringv1.Reading)
			if _, err := l.reader().apply(cmd.Flags(), all, reading); err != nil {
				return err
			}
			if err := stated(all, func(l leaf) bool { return cmd.Flags().Changed(l.flag) }); err != nil {
				return err
			}
			if err := l.complete(cmd, reading); err != nil {
				return err
			}
			return o.send(cmd, l, &meteringv1.MsgSubmitReadings{Readings: []*meteringv1.Reading{reading}})
		},
	}
	cmd.Flags().SortFlags = false
	registerLeaves(cmd.Flags(), all)
	return cmd
}

// complete fills in what the flags left out of a reading.
func (l *link) complete(cmd *cobra.Command, reading *meteringv1.Reading) error {
	if reading.Quality == 0 {
		reading.Quality = meteringv1.Quality_QUALITY_MEASURED
	}
	if reading.TimeMs == 0 {
		reading.TimeMs = time.Now().UnixMilli()
	}
	if cmd.Flags().Changed("sequence") {
		return nil
	}
	if err := l.connect(); err != nil {
		return err
	}
	state := new(meteringv1.QueryMeterStateResponse)
	if _, err := l.Query(l.ctx, &meteringv1.QueryMeterStateRequest{Meter: reading.Meter}, state, 0); err != nil {
		return fmt.Errorf("the latest reading: %w", err)
	}
	reading.Sequence = state.State.GetLastSequence() + 1
	return nil
}
