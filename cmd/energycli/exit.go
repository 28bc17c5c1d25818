package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	"github.com/energyd/energyd/internal/strictjson"
)

// Exit codes (DESIGN 11).
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2 // wrong use, or input that is broken
	exitRejected    = 3 // by the chain, which says with what code
	exitUnknown     = 4 // sent, and no answer whether it stands
	exitUnreachable = 5 // no node, one that is still syncing, or one without the data
	exitKey         = 6 // key or permission
)

// usageError is a mistake in what the user wrote, on the command line or in a
// file; the command ends with exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage returns a usageError.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSyncing is returned when the node has not caught up with the chain.
var errSyncing = errors.New("the node is still syncing")

// errNoPassphrase is returned where nobody can be asked for a passphrase.
var errNoPassphrase = errors.New("no passphrase: standard input is no terminal")

// errDeclined is returned when the user does not confirm.
var errDeclined = errors.New("not confirmed, nothing was sent")

// errNotProved is returned for a bill that is well written and not proved.
var errNotProved = errors.New("not proved")

// errWrongClearing is returned for a clearing that its check did not confirm.
var errWrongClearing = errors.New("the clearing is not proved")

// exitCode returns the process's exit code for err.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case is[usageError](err):
		return exitUsage
	case is[*client.Rejected](err):
		return exitRejected
	case is[*client.Unknown](err):
		return exitUnknown
	case errors.Is(err, client.ErrUnreachable), errors.Is(err, errSyncing), errors.Is(err, errNoData):
		return exitUnreachable
	case keyError(err):
		return exitKey
	case errors.Is(err, proof.ErrBillChanged), errors.Is(err, client.ErrReadingChanged):
		return exitError
	case is[*strictjson.Error](err):
		return exitUsage
	}
	return exitError
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func keyError(err error) bool {
	for _, target := range []error{
		client.ErrNoKey, client.ErrKeyExists, client.ErrPassphrase, client.ErrLooseMode, errNoPassphrase, fs.ErrPermission,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// describe writes one line what is wrong and, where it is known, one line what
// to do.
func describe(cmd *cobra.Command, err error) string {
	text := "energycli: " + strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if advice := advise(cmd, err); advice != "" {
		text += "\n  " + advice
	}
	return text
}

func advise(cmd *cobra.Command, err error) string {
	unknown, _ := errors.AsType[*client.Unknown](err)
	rejected, _ := errors.AsType[*client.Rejected](err)
	switch {
	case is[usageError](err):
		return "see " + cmd.CommandPath() + " --help"
	case rejected != nil && rejected.Height == 0 && asks(cmd):
		return "check the names and times that you gave; --height asks for the state of an earlier block"
	case rejected != nil && rejected.Height == 0:
		return "nothing was changed"
	case rejected != nil:
		return fmt.Sprintf("block %d holds it as failed, nothing was changed", rejected.Height)
	case unknown != nil:
		return fmt.Sprintf("it may still be committed: look with energycli query tx %X before you send it again", unknown.Hash)
	case errors.Is(err, client.ErrExpired):
		return "it can no longer be committed: send it again"
	case errors.Is(err, client.ErrUnreachable):
		return "is energyd running there? name other nodes with --node tcp://HOST:PORT,..."
	case errors.Is(err, errNoData):
		return "look at the period and at the chain's clock with energycli query matching periods, or ask a node that keeps more blocks with --node"
	case errors.Is(err, errWrongOnChain):
		return "ask another node with --node: if it says the same, validators agreed on a wrong clearing"
	case errors.Is(err, errSyncing):
		return "wait until energyd status says it has caught up, or name another node with --node"
	case errors.Is(err, client.ErrNoKey):
		return "see energycli keys list, or make one with energycli keys add NAME"
	case errors.Is(err, client.ErrKeyExists):
		return "choose another name: keys are never overwritten"
	case errors.Is(err, client.ErrLooseMode):
		return "take the others' access away: chmod go= PATH"
	case errors.Is(err, client.ErrPassphrase):
		return "nothing was done: try again with the passphrase that the key was made with"
	case errors.Is(err, proof.ErrBillChanged), errors.Is(err, errNotProved):
		return "do not rely on this bill: get it anew with energycli bill --proof, and the header from a node that you trust"
	case errors.Is(err, client.ErrReadingChanged):
		return "do not rely on this reading: get it anew with energycli reading"
	case errors.Is(err, errNoPassphrase):
		return "give --passphrase-file FILE or --passphrase-fd N"
	}
	return ""
}

// asks says whether a command only asks the chain.
func asks(cmd *cobra.Command) bool {
	path := cmd.CommandPath()
	return strings.HasPrefix(path, "energycli query") || strings.HasPrefix(path, "energycli audit") || path == "energycli bill" || path == "energycli reading"
}

// expectedOf says what a flag of a type takes.
var expectedOf = map[string]string{
	"bool": "true or false", "duration": "a duration like 15m", "int": "a whole number", "int64": "a whole number", "uint64": "a whole number of 0 or more",
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

// noArguments is the cobra.PositionalArgs of a command that takes flags only,
// or groups others.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.HasSubCommands() {
		return usageError{fmt.Errorf("%s: unknown command %q", cmd.CommandPath(), args[0])}
	}
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s: expected no argument, got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

// oneArgument is the cobra.PositionalArgs of a command that takes one, called
// name in its error.
func oneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s: expected one argument %s, got %d", cmd.CommandPath(), name, len(args))
		}
		return nil
	}
}
