package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/bench"
	"github.com/energyd/energyd/demo"
)

// mostTrades keeps the orders of a key within what a block takes of it.
const mostTrades = 30

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure a network of real processes on this machine"}
	cmd.AddCommand(benchVerificationCommand(), benchCatchUpCommand())
	return cmd
}

func benchVerificationCommand() *cobra.Command {
	o := demo.Options{Seed: 1}
	var asJSON bool
	var plot string
	cmd := &cobra.Command{
		Use:   "verification",
		Short: "What the reliability coefficient spares: time and transactions of 1 to 10 trades, with it and without",
		Long: "Starts a network of four validators on this machine. A seller and a buyer with a valid reliability coefficient\n" +
			"make 1, 2, ... trades, each number in a period of its own: no escrow, standing consents (fast path). Another pair,\n" +
			"whose coefficient is never valid, makes the same trades: each side is re-authorised by its home aggregator, holds\n" +
			"escrow or security and signs every match (full path). Shown are the time of the verification, the transactions and\n" +
			"their bytes in blocks. Takes about two periods a trade.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runVerification(cmd, o, asJSON, plot)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Periods, "trades", 10, "the most trades in a period")
	flags.DurationVar(&o.PeriodLength, "period-length", 5*time.Second, "length of a period on the chain")
	flags.BoolVar(&asJSON, "json", false, "write JSON (ms, bytes, ucoin) instead of the table")
	flags.StringVar(&plot, "plot", "", "write time, transactions and bytes over the number of trades as SVG to this file")
	return cmd
}

func benchCatchUpCommand() *cobra.Command {
	o := bench.CatchUpFigure()
	gateways := 1
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "catch-up",
		Short: "What a gateway's return after missed periods takes, and what it does to orders",
		Long: "Starts a network of four validators on this machine. Members order all the time. Their meters are silent for some\n" +
			"periods; then energymeter processes come back with the readings of that time in their spools. Shown are the time until\n" +
			"blocks hold them all and all periods are settled, and how long orders took before and meanwhile.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCatchUp(cmd, o, gateways, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Accounts, "meters", o.Accounts, "number of meters, one a member")
	flags.IntVar(&gateways, "gateways", gateways, "number of gateways they are divided over")
	flags.IntVar(&o.Missed, "missed", o.Missed, "number of periods that are missed")
	flags.IntVar(&o.OrdersPerSecond, "orders", o.OrdersPerSecond, "orders a second")
	flags.DurationVar(&o.PeriodLength, "period-length", o.PeriodLength, "length of a period on the chain")
	flags.StringVar(&o.Energymeter, "energymeter", "", "the program of the gateways; default: the one beside this program")
	flags.BoolVar(&asJSON, "json", false, "write JSON (ns, ms) instead of the table")
	return cmd
}

func runCatchUp(cmd *cobra.Command, o bench.CatchUpOptions, gateways int, asJSON bool) (err error) {
	switch {
	case o.Accounts < 2 || o.Accounts > 10_000:
		return usage("--meters: expected 2 to 10000, got %d", o.Accounts)
	case gateways < 1 || (o.Accounts+gateways-1)/gateways > 1000:
		return usage("--gateways: expected at least one for each 1000 meters, got %d", gateways)
	case o.Missed < 1 || o.Missed > 1000:
		return usage("--missed: expected 1 to 1000 periods, got %d", o.Missed)
	case o.OrdersPerSecond < 1 || o.OrdersPerSecond > 1000:
		return usage("--orders: expected 1 to 1000 a second, got %d", o.OrdersPerSecond)
	case o.PeriodLength < 3*time.Second || o.PeriodLength%time.Millisecond != 0:
		return usage("--period-length: expected at least 3s, in whole milliseconds, got %s", o.PeriodLength)
	}
	o.MetersPerGateway = (o.Accounts + gateways - 1) / gateways
	if o.Binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if o.Energymeter, err = findEnergymeter(o.Binary, o.Energymeter); err != nil {
		return err
	}
	if o.Dir, err = os.MkdirTemp("", "energyd-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	o.Say = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
	report, err := bench.RunCatchUp(cmd.Context(), o)
	if err != nil {
		return err
	}
	if !asJSON {
		_, err = fmt.Fprint(cmd.OutOrStdout(), report)
		return err
	}
	data, err := report.JSON()
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(data)
	return err
}

func runVerification(cmd *cobra.Command, o demo.Options, asJSON bool, plot string) (err error) {
	switch {
	case o.Periods < 1 || o.Periods > mostTrades:
		return usage("--trades: expected 1 to %d, got %d", mostTrades, o.Periods)
	case o.PeriodLength < 3*time.Second || o.PeriodLength%time.Millisecond != 0:
		return usage("--period-length: expected at least 3s, in whole milliseconds, so that all stages fit before the gate, got %s", o.PeriodLength)
	}
	var drawing *os.File
	if plot != "" { // before the run: it would be a pity to notice afterwards
		if drawing, err = os.Create(plot); err != nil {
			return fail(exitUsage, fmt.Errorf("--plot: %w", err), "name a file that can be written")
		}
		defer func() { err = errors.Join(err, drawing.Close()) }()
	}
	if o.Binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if o.Dir, err = os.MkdirTemp("", "energyd-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	o.Out = cmd.ErrOrStderr()
	bar := newBar(cmd.ErrOrStderr())
	defer bar.stop()
	o.Progress = bar.show
	v, err := demo.MeasureVerification(cmd.Context(), o)
	if err != nil {
		return err
	}
	bar.stop()
	if drawing != nil {
		if err := v.WritePlot(drawing); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if asJSON {
		return v.WriteJSON(cmd.OutOrStdout())
	}
	return v.WriteText(cmd.OutOrStdout())
}
