package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

func readingCommand(o *options) *cobra.Command {
	var meter, out, boundary string
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
			reading, err := l.fetchReading(meter, sequence, boundary)
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
	cmd.Flags().StringVar(&boundary, "boundary", "", "time of a boundary: the reading that corrected it last")
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	return cmd
}

// fetchReading returns a signed reading by its sequence, or the one that corrected
// a boundary.
func (l *link) fetchReading(meter string, sequence uint64, boundary string) (*client.SignedReading, error) {
	if boundary == "" {
		return l.SignedReading(l.ctx, l.chainID, meter, sequence)
	}
	at := new(meteringv1.Reading)
	for _, field := range readingLeaves() {
		if field.field.Name() != "time_ms" {
			continue
		}
		field.flag = "boundary"
		if err := l.reader().set(field, boundary, at); err != nil {
			return nil, err
		}
	}
	return l.CorrectedReading(l.ctx, l.chainID, meter, at.TimeMs)
}

// submitReadingCommand signs one reading as the meter's gateway and sends it:
// by hand what a gateway does all the time.
func submitReadingCommand(o *options) *cobra.Command {
	all := readingLeaves("signature", "version")
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

// readingLeaves are the fields of a reading but for some.
func readingLeaves(without ...protoreflect.Name) []leaf {
	return slices.DeleteFunc(leaves((&meteringv1.Reading{}).ProtoReflect().Descriptor()), func(l leaf) bool {
		return slices.Contains(without, l.field.Name())
	})
}

// correctReadingCommand signs one corrected reading as the meter's gateway and
// sends it.
func correctReadingCommand(o *options) *cobra.Command {
	all := readingLeaves("signature", "sequence", "quality")
	cmd := &cobra.Command{
		Use: "correct-reading", Short: "Sign one corrected reading as the meter's gateway and send it", Args: noArguments,
		Long: `Sign what a meter's cumulative registers were at a boundary between two periods,
where the chain fixed others, as its gateway, with the key of --from, and send
it. Both periods are settled again. Without --version it is the boundary's next
one; energycli query metering boundaries shows them.`,
		Example: "  energycli tx metering correct-reading --from gateway --meter m-1 --time 2026-01-31T12:00:00Z --import 1230 --export 67",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			reading := &meteringv1.Reading{Quality: meteringv1.Quality_QUALITY_CORRECTED}
			if _, err := l.reader().apply(cmd.Flags(), all, reading); err != nil {
				return err
			}
			if err := stated(all, func(l leaf) bool { return cmd.Flags().Changed(l.flag) }); err != nil {
				return err
			}
			if reading.TimeMs == 0 {
				return usage("--time: expected the time of a boundary between two periods")
			}
			if reading.Version == 0 {
				if err := l.connect(); err != nil {
					return err
				}
				known, err := l.Boundary(l.ctx, reading.Meter, reading.TimeMs)
				if err != nil {
					return err
				}
				reading.Version = known.Version + 1
			}
			return o.send(cmd, l, &meteringv1.MsgCorrectReadings{Readings: []*meteringv1.Reading{reading}})
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
