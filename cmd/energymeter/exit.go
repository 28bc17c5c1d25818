package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/gateway"
)

// Exit codes (DESIGN 11).
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2 // wrong use, or input that is broken
	exitUnreachable = 5 // no meter that answers
	exitKey         = 6 // key or permission
)

// usageError is a mistake in what the user wrote, on the command line or in a
// file; the command ends with exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage returns a usageError.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errNoneFits is returned by a probe that knows no map for the device.
var errNoneFits = errors.New("no known meter fits")

// exitCode returns the process's exit code for err.
func exitCode(err error) int {
	quality, ok := errors.AsType[*device.QualityError](err)
	switch {
	case err == nil:
		return exitOK
	case isUsage(err):
		return exitUsage
	case errors.Is(err, fs.ErrPermission), keyError(err):
		return exitKey
	case ok && quality.Quality == device.Unreachable:
		return exitUnreachable
	}
	return exitError
}

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	_, config := errors.AsType[*gateway.ConfigError](err)
	return ok || config
}

// describe writes one line what is wrong and, where it is known, one line what
// to do.
func describe(cmd *cobra.Command, err error) string {
	text := "energymeter: " + strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if advice := advise(cmd, err); advice != "" {
		text += "\n  " + advice
	}
	return text
}

func advise(cmd *cobra.Command, err error) string {
	if advice := adviseGateway(err); advice != "" {
		return advice
	}
	quality, _ := errors.AsType[*device.QualityError](err)
	switch {
	case isUsage(err):
		return "see " + cmd.CommandPath() + " --help"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not open it: a serial line often belongs to the group dialout"
	case errors.Is(err, errNoneFits):
		return "write a device map of your own and give it as --model FILE.yaml"
	case quality == nil:
		return ""
	case quality.Quality == device.Unreachable:
		return "check address, unit, wiring and the line's speed and parity; another program on the same line disturbs"
	case quality.Quality == device.Refused, quality.Quality == device.WrongDevice:
		return "it is another meter: see energymeter probe"
	}
	return "the meter has no value to sign; look at it"
}

// flagError says in the words of our own errors what is wrong with a flag's
// value.
func flagError(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	expected := map[string]string{
		"bool": "true or false", "duration": "a duration like 15m", "uint8": "a number from 0 to 255",
		"int": "a whole number", "uint64": "a whole number of 0 or more", "float64": "a number",
	}[invalid.GetFlag().Value.Type()]
	return fmt.Errorf("--%s: expected %s, got %q", invalid.GetFlag().Name, expected, invalid.GetValue())
}
