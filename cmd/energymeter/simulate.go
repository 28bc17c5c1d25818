package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/meter/simulate"
)

// battery is the model that is steered: its power and how long it keeps a
// set-point.
const (
	battery         = "battery"
	batteryW        = 5000
	batteryFallback = 10 * time.Minute
)

var models = append(slices.Clone(simulate.Models), battery)

// simulation is what the flags of simulate say.
type simulation struct {
	listen, model, csv string
	seed               uint64
	units              uint8
	speed              float64
}

func simulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Be a Modbus TCP server with simulated meters",
		Long: `Simulate serves meters that count: each unit is a house of its own with
photovoltaics, or all replay one CSV file with the header
time,import_wh,export_wh,power_w. Units of the model battery are steered: holding
register 0 is the set-point in W (int16, positive feeds out, up to 5000), which is
lost after 10 minutes unless it is repeated, coil 0 the switch, coil 1 the key at
the panel, discrete input 0 says whether it is turned; the input registers are an
SDM630's. It serves until it is interrupted.`,
		Example: `  energymeter simulate --listen 127.0.0.1:5020 --units 3 --speed 60
  energymeter simulate --model sunspec --csv day.csv
  energymeter simulate --model battery`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			units, err := s.meters(time.Now())
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", s.listen)
			if err != nil {
				return usage("--listen: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s, units 1 to %d, at tcp://%s\n", s.model, s.units, listener.Addr())
			defer context.AfterFunc(cmd.Context(), func() { _ = listener.Close() })()
			if err := simulate.Serve(listener, units); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:5020", "address to serve at; port 0 takes a free one")
	flags.StringVar(&s.model, "model", models[0], strings.Join(models, ", "))
	flags.StringVar(&s.csv, "csv", "", "file to replay, instead of houses")
	flags.Uint64Var(&s.seed, "seed", 1, "of the first house; each unit adds 1")
	flags.Uint8Var(&s.units, "units", 1, "how many meters, at units 1 and up to 247")
	flags.Float64Var(&s.speed, "speed", 1, "how many times faster than the clock the meters live, up to 10000")
	return cmd
}

// meters returns the units, which begin to count at start.
func (s *simulation) meters(start time.Time) (map[byte]simulate.Unit, error) {
	switch {
	case !slices.Contains(models, s.model):
		return nil, usage("--model: expected %s, got %q", strings.Join(models, ", "), s.model)
	case s.model == battery && s.csv != "":
		return nil, usage("--csv: expected none for a battery: it does what it is told")
	case s.units < 1 || s.units > 247:
		return nil, usage("--units: expected 1 to 247, got %d", s.units)
	case !(s.speed > 0 && s.speed <= 10000):
		return nil, usage("--speed: expected a number above 0 up to 10000, got %g", s.speed)
	}
	at, err := s.profile(start)
	if err != nil {
		return nil, err
	}
	out := map[byte]simulate.Unit{}
	for unit := byte(1); unit <= s.units; unit++ {
		show := at(unit)
		clock := func() time.Time { return start.Add(time.Duration(float64(time.Since(start)) * s.speed)) }
		now := func() simulate.State { return show(clock()) }
		if s.model == battery {
			out[unit] = simulate.NewBattery(batteryW, batteryFallback, simulate.State{ImportWh: 1_000_000, ExportWh: 500_000}, clock)
			continue
		}
		if out[unit], err = simulate.NewMeter(s.model, fmt.Sprintf("SIM-%d-%03d", s.seed, unit), now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// profile returns what each unit shows at a time.
func (s *simulation) profile(start time.Time) (func(unit byte) func(time.Time) simulate.State, error) {
	if s.csv == "" {
		return func(unit byte) func(time.Time) simulate.State {
			return simulate.NewHouse(s.seed+uint64(unit)-1, start, simulate.State{ImportWh: 1_000_000, ExportWh: 500_000}).At
		}, nil
	}
	file, err := os.Open(s.csv)
	if err != nil {
		return nil, usage("--csv: %w", err)
	}
	defer file.Close()
	replay, err := simulate.ParseReplay(s.csv, file, start)
	if err != nil {
		return nil, usage("--csv: %w", err)
	}
	return func(byte) func(time.Time) simulate.State { return replay.At }, nil
}
