package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/modbus"
	"github.com/energyd/energyd/meter/sunspec"
)

// place says where a meter is.
type place struct {
	url  string
	unit uint8
}

func (p *place) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.url, "url", "", "tcp://HOST:PORT, rtu+tcp://HOST:PORT or rtu:///dev/NAME?baud=9600&parity=N&stop=1; all take timeout=1s")
	cmd.Flags().Uint8Var(&p.unit, "unit", 1, "the meter's address on the bus")
}

func (p *place) bus() (*modbus.Bus, error) {
	address, err := modbus.ParseAddress(p.url)
	if err != nil {
		return nil, usage("--url: %w", err)
	}
	if address.Kind != modbus.TCP && (p.unit == 0 || p.unit > 247) {
		return nil, usage("--unit: expected a number from 1 to 247, got %d", p.unit)
	}
	return modbus.NewBus(address), nil
}

func readCommand() *cobra.Command {
	var (
		at     place
		model  string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "read",
		Short: "Read a meter once",
		Long: `Read asks a meter for its registers and prints them. What is not to be signed
is not printed: the command ends with an error that names its state.`,
		Example: `  energymeter read --model eastron-sdm630 --url tcp://192.168.1.20:502
  energymeter read --model chint-dtsu666 --url 'rtu:///dev/ttyUSB0?baud=9600' --unit 3 --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bus, err := at.bus()
			if err != nil {
				return err
			}
			defer bus.Close()
			source, err := sourceOf(bus, model, at.unit)
			if err != nil {
				return usage("--model: %w", err)
			}
			snapshot, err := source.Read(cmd.Context())
			if err != nil {
				return err
			}
			return printSnapshot(cmd.OutOrStdout(), snapshot, asJSON)
		},
	}
	at.register(cmd)
	cmd.Flags().StringVar(&model, "model", "", "a device map's name, sunspec, or a map of your own: FILE.yaml")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, energies in Wh")
	return cmd
}

// sourceOf returns the meter of a model on a bus.
func sourceOf(bus device.Bus, model string, unit byte) (device.Source, error) {
	if model == "sunspec" {
		return sunspec.NewMeter(bus, unit), nil
	}
	m, err := device.FindMap(model)
	if err != nil {
		return nil, err
	}
	return device.NewMeter(bus, m, unit), nil
}

// snapshotJSON is a snapshot as programs read it.
type snapshotJSON struct {
	Model      string       `json:"model"`
	Serial     string       `json:"serial,omitempty"`
	Time       string       `json:"time"`
	ImportWh   int64        `json:"import_wh"`
	ExportWh   int64        `json:"export_wh"`
	PowerW     *float64     `json:"power_w,omitempty"`
	Quality    string       `json:"quality"`
	StepWh     int64        `json:"step_wh"`
	RolloverWh int64        `json:"rollover_wh,omitempty"`
	Storage    *storageJSON `json:"storage,omitempty"`
}

type storageJSON struct {
	CapacityWh int64 `json:"capacity_wh,omitempty"`
	ChargePpm  int64 `json:"charge_ppm"`
}

func printSnapshot(out io.Writer, s device.Snapshot, asJSON bool) error {
	if asJSON {
		j := snapshotJSON{
			Model: s.Model, Serial: s.Serial, Time: s.At.UTC().Format(time.RFC3339Nano), ImportWh: s.ImportWh, ExportWh: s.ExportWh,
			Quality: s.Quality.String(), StepWh: s.StepWh, RolloverWh: s.RolloverWh,
		}
		if s.HasPower {
			j.PowerW = &s.PowerW
		}
		if s.Storage != nil {
			j.Storage = &storageJSON{s.Storage.CapacityWh, s.Storage.ChargePpm}
		}
		data, err := json.Marshal(j)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", data)
		return err
	}
	line := func(name, value string) { fmt.Fprintf(out, "%-8s %s\n", name, value) }
	line("model", s.Model)
	if s.Serial != "" {
		line("serial", s.Serial)
	}
	line("time", s.At.UTC().Format(time.RFC3339))
	line("import", fmt.Sprintf("%d.%03d kWh (1.8.0)", s.ImportWh/1000, s.ImportWh%1000))
	line("export", fmt.Sprintf("%d.%03d kWh (2.8.0)", s.ExportWh/1000, s.ExportWh%1000))
	if s.HasPower {
		line("power", fmt.Sprintf("%g W", s.PowerW))
	}
	if s.Storage != nil {
		line("charge", fmt.Sprintf("%.1f %% of %d Wh", float64(s.Storage.ChargePpm)/10000, s.Storage.CapacityWh))
	}
	line("quality", s.Quality.String())
	line("step", fmt.Sprintf("%d Wh", s.StepWh))
	return nil
}

func probeCommand() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Say which meter is at an address",
		Long: `Probe asks the device at an address for what each known meter would show and
names those that fit. Two that are alike in all that is asked are both named:
compare what energymeter read says with the meter's display.`,
		Example: "  energymeter probe --url 'rtu:///dev/ttyUSB0?baud=9600' --unit 3",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bus, err := at.bus()
			if err != nil {
				return err
			}
			defer bus.Close()
			return probe(cmd.Context(), cmd.OutOrStdout(), bus, at.unit)
		},
	}
	at.register(cmd)
	return cmd
}

func probe(ctx context.Context, out io.Writer, bus device.Bus, unit byte) error {
	maps, err := device.Maps()
	if err != nil {
		return err
	}
	found, answered := 0, false
	var silence error
	judge := func(model, title string, err error) {
		switch {
		case err == nil:
			found++
			fmt.Fprintf(out, "%-22s %s\n", model, title)
		case device.QualityOf(err) == device.Unreachable:
			silence = err
		default:
			answered = true
		}
	}
	described, err := sunspec.Discover(ctx, bus, unit)
	if err == nil {
		judge("sunspec", described.String(), nil)
	} else {
		judge("", "", err)
	}
	for _, m := range maps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		judge(m.Model, m.Title, device.NewMeter(bus, m, unit).Fits(ctx))
	}
	switch {
	case found > 0:
		return nil
	case !answered && silence != nil:
		return silence
	}
	return fmt.Errorf("unit %d: %w", unit, errNoneFits)
}
