package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes (DESIGN 11).
const (
	exitError       = 1
	exitUsage       = 2
	exitUnreachable = 5
	exitPermission  = 6
)

// failure is an error that says which exit code it deserves and what to do.
type failure struct {
	code int
	err  error
	todo string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail adds the exit code and one line of advice to an error.
func fail(code int, err error, todo string, args ...any) error {
	return &failure{code: code, err: err, todo: fmt.Sprintf(todo, args...)}
}

// usage is a mistake in what the user wrote.
func usage(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), todo: "see --help"}
}

// exitCode returns the process's exit code for err.
func exitCode(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return exitError
}

// describe writes one line what and, where it is known, one line what to do.
func describe(err error) string {
	text := "energyd: " + err.Error()
	if f, ok := errors.AsType[*failure](err); ok && f.todo != "" {
		text += "\n  " + f.todo
	}
	return text
}

// newRoot returns the whole command line.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "energyd",
		Short:         "Node of an energy market that settles by consensus",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), os.LookupEnv)
		},
	}
	root.PersistentFlags().String("home", defaultHome(), "the node's folder")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fail(exitUsage, flagError(err), "see %s --help", cmd.CommandPath())
	})
	root.AddCommand(initCommand(), startCommand(), statusCommand(), testnetCommand(), demoCommand(), benchCommand(), genesisCommand(),
		exportCommand(), rollbackCommand(), doctorCommand(), versionCommand())
	refuseStrayArguments(root)
	return root
}

func defaultHome() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return filepath.Join(dir, ".energyd")
	}
	return ".energyd"
}

// refuseStrayArguments gives every command without arguments of its own an
// error that is one of usage; a command that only groups others shows its help.
func refuseStrayArguments(cmd *cobra.Command) {
	if cmd.Args == nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			what := "argument"
			if cmd.HasSubCommands() {
				what = "command"
			}
			return fail(exitUsage, fmt.Errorf("unknown %s %q for %q", what, args[0], cmd.CommandPath()), "see %s --help", cmd.CommandPath())
		}
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, child := range cmd.Commands() {
		refuseStrayArguments(child)
	}
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
			first = fail(exitUsage, fmt.Errorf("%s=%q: %w", name, value, flagError(err)), "unset %s or give --%s", name, flag.Name)
		}
	})
	return first
}

// expectedOf says what a flag of a type takes.
var expectedOf = map[string]string{
	"bool": "true or false", "duration": "a duration like 15m", "int": "a whole number", "int64": "a whole number",
}

// flagError says in the words of our own errors what is wrong with a flag's
// value.
func flagError(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	expected, ok := expectedOf[invalid.GetFlag().Value.Type()]
	if !ok {
		return fmt.Errorf("--%s: %w, got %q", invalid.GetFlag().Name, errors.Unwrap(invalid), invalid.GetValue())
	}
	return fmt.Errorf("--%s: expected %s, got %q", invalid.GetFlag().Name, expected, invalid.GetValue())
}

// homeFlag returns the value of --home.
func homeFlag(cmd *cobra.Command) (home, error) {
	dir, err := cmd.Flags().GetString("home")
	if err != nil {
		return "", err
	}
	if dir == "" {
		return "", usage("--home: expected a folder")
	}
	abs, err := filepath.Abs(dir)
	return home(abs), err
}
