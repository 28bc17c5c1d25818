package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot returns the whole command line; lookup reads the environment.
func newRoot(lookup func(string) (string, bool)) *cobra.Command {
	root := &cobra.Command{
		Use:   "energymeter",
		Short: "Reads meters for an energy market",
		Long: `Energymeter stands between meters and an energy market: it reads their
registers over Modbus TCP, RTU and RTU over TCP, by device maps or by what
SunSpec devices say of themselves. Every flag can also be given in the
environment as ENERGYD_ and its name, --unit as ENERGYD_UNIT.`,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), lookup)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	root.AddCommand(readCommand(), probeCommand(), simulateCommand())
	root.AddCommand(gatewayCommands()...)
	return root
}

// flagsFromEnv sets each flag that the command line left out from the variable
// ENERGYD_<FLAG>, with _ for -.
func flagsFromEnv(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var first error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := "ENERGYD_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		value, set := lookup(name)
		if first != nil || flag.Changed || !set {
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			first = usage("%s=%q: %w", name, value, flagError(err))
		}
	})
	return first
}

// noArguments is the cobra.PositionalArgs of a command that takes flags only,
// or groups others.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0 && cmd.HasSubCommands():
		return usage("%s: unknown command %q", cmd.CommandPath(), args[0])
	case len(args) > 0:
		return usage("%s: expected no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
