package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/demo"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/testnet"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	var jsonFile string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Let a neighbourhood trade a day on a network of real processes and show what came of it",
		Long: "Starts a network of several validators on this machine, registers households with meters on their feeder,\n" +
			"and lets them trade period by period: orders from the forecast of the day before, clearing, signatures,\n" +
			"signed readings of what was measured, settlement. Ends with the members' savings, the invariants, one app\n" +
			"hash of all nodes and a bill verified by proof.\n\n" +
			"With --scenario something goes wrong on the way: who it touches, what it costs whom and by which rule is told at\n" +
			"the end, and the bill is that of who it is about. Everybody then orders exactly what its meter will count, so that\n" +
			"nothing else deviates, and the market is an auction unless --mechanism names another.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd, o, jsonFile)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Data, "data", "", "scenario folder (members.csv, load_wh.csv, pv_wh.csv); default: one generated from the seed")
	flags.StringVar(&o.Start, "start", "", "local time of the first interval; default: the first whose forecast has a surplus")
	flags.IntVar(&o.Validators, "validators", 4, "number of nodes")
	flags.IntVar(&o.Periods, "periods", 24, "number of periods to trade; of a scenario: as many as it takes")
	flags.DurationVar(&o.PeriodLength, "period-length", 3*time.Second, "length of a period on the chain")
	flags.Int64Var(&o.LossPPMPerKm, "loss-ppm-per-km", 10_000, "loss of the lines, ppm per km")
	flags.Uint64Var(&o.Seed, "seed", 1, "draws prices, wishes and consents, and the generated scenario")
	flags.StringVar(&o.Mechanism, "mechanism", "", mechanismHelp+"; "+demo.Matrix+" clears nothing: members deliver by bilateral contracts")
	flags.StringToStringVar(&o.Quotas, "quota", nil, quotaHelp+"; the demo's members are of type household")
	flags.StringVar(&o.Story, "scenario", "", "a disturbance whose story is told: "+strings.Join(demo.StoryNames(), ", ")+"; default: none")
	flags.StringVar(&o.Meters, "meters", demo.DirectMeters, "how readings come on chain: "+demo.DirectMeters+", or "+demo.ModbusMeters+
		": energymeter processes read simulated meters over Modbus TCP")
	flags.StringVar(&o.Energymeter, "energymeter", "", "the program that reads meters; default: the one beside this program")
	flags.StringVar(&o.Dir, "dir", "", "empty folder for the nodes' and gateways' homes, kept afterwards; default: a temporary one")
	flags.StringVar(&jsonFile, "json", "", "write the report (Wh, ucoin) to this file, - for standard output")
	return cmd
}

func runDemo(cmd *cobra.Command, o demo.Options, jsonFile string) (err error) {
	if err := checkDemo(o); err != nil {
		return err
	}
	if o.Story != "" && !cmd.Flags().Changed("periods") {
		o.Periods = 0 // as many as the story takes
	}
	// Before the run: it would be a pity to notice afterwards.
	report, err := openReport(cmd, jsonFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, report.Close()) }()
	if o.Binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if o.Meters == demo.ModbusMeters {
		if o.Energymeter, err = findEnergymeter(o.Binary, o.Energymeter); err != nil {
			return err
		}
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "energyd-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	o.Out = cmd.OutOrStdout()
	if jsonFile == "-" {
		o.Out = cmd.ErrOrStderr()
	}
	bar := newBar(cmd.ErrOrStderr())
	defer bar.stop()
	o.Progress = bar.show
	result, err := demo.Run(cmd.Context(), o)
	if _, wrong := errors.AsType[*demo.InputError](err); wrong {
		return fail(exitUsage, err, "correct the file")
	}
	if _, wrong := errors.AsType[*demo.OptionError](err); wrong {
		return fail(exitUsage, fmt.Errorf("--%w", err), "correct the flag, or leave it out")
	}
	if err != nil {
		return err
	}
	bar.stop()
	if err := result.WriteJSON(report); err != nil {
		return err
	}
	broken := result.Check()
	for _, line := range broken {
		fmt.Fprintln(cmd.ErrOrStderr(), "wrong:", line)
	}
	if len(broken) > 0 {
		return fmt.Errorf("%d laws do not hold", len(broken))
	}
	fmt.Fprintln(o.Out, "All laws hold: energy and money add up for every member, period and the grid.")
	return nil
}

// findEnergymeter returns the program that was named, or the one beside this.
func findEnergymeter(self, named string) (string, error) {
	if named == "" {
		named = filepath.Join(filepath.Dir(self), "energymeter")
	}
	path, err := exec.LookPath(named)
	if err != nil {
		return "", fail(exitUsage, fmt.Errorf("--energymeter: expected the program energymeter, got %s: %w", named, err), "build it with make build, or name it")
	}
	return filepath.Abs(path)
}

func checkDemo(o demo.Options) error {
	switch {
	case o.Validators < 1 || o.Validators > 16:
		return usage("--validators: expected 1 to 16, got %d", o.Validators)
	case o.Periods < 1:
		return usage("--periods: expected at least 1, got %d", o.Periods)
	case o.PeriodLength < 2*time.Second || o.PeriodLength%time.Millisecond != 0:
		return usage("--period-length: expected at least 2s, in whole milliseconds, so that blocks come between gate and start, got %s", o.PeriodLength)
	case o.LossPPMPerKm < 0 || o.LossPPMPerKm > 1_000_000:
		return usage("--loss-ppm-per-km: expected 0 to 1000000, got %d", o.LossPPMPerKm)
	}
	if o.Mechanism != "" && o.Mechanism != demo.Matrix {
		if _, err := client.ParseEnum(matchingv1.Mechanism(0).Descriptor(), o.Mechanism); err != nil {
			return usage("--mechanism: %w", err)
		}
	}
	if _, err := parseQuotas(o.Quotas); err != nil {
		return err
	}
	if o.Dir == "" {
		return nil
	}
	if empty, err := testnet.Empty(o.Dir); err != nil || !empty {
		return fail(exitUsage, fmt.Errorf("--dir: expected an empty folder, got %s", o.Dir), "nothing is overwritten: choose another one")
	}
	return nil
}

// openReport opens what --json names; what is written to none is dropped.
func openReport(cmd *cobra.Command, file string) (io.WriteCloser, error) {
	switch file {
	case "":
		return unclosed{io.Discard}, nil
	case "-":
		return unclosed{cmd.OutOrStdout()}, nil
	}
	out, err := os.Create(file)
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("--json: %w", err), "name a file that can be written, or - for standard output")
	}
	return out, nil
}

// unclosed is a writer that outlives its user.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// bar is a progress bar on a terminal, nothing elsewhere.
type bar struct {
	writer  progress.Writer
	tracker *progress.Tracker
}

func newBar(out io.Writer) *bar {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &bar{}
	}
	b := &bar{writer: progress.NewWriter(), tracker: &progress.Tracker{}}
	b.writer.SetOutputWriter(out)
	b.writer.SetAutoStop(false)
	b.writer.SetStyle(progress.StyleBlocks)
	b.writer.SetUpdateFrequency(200 * time.Millisecond)
	if os.Getenv("NO_COLOR") == "" {
		b.writer.Style().Colors = progress.StyleColorsExample
	}
	b.writer.AppendTracker(b.tracker)
	go b.writer.Render()
	return b
}

// show moves the bar; what names the stage.
func (b *bar) show(done, of int, what string) {
	if b.writer == nil {
		return
	}
	b.tracker.UpdateMessage(what)
	b.tracker.UpdateTotal(int64(of))
	b.tracker.SetValue(int64(done))
}

func (b *bar) stop() {
	if b.writer != nil && b.writer.IsRenderInProgress() {
		b.writer.Stop()
	}
}
