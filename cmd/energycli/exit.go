package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes (DESIGN 11).
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2 // wrong use, or input that is broken
	exitRejected    = 3 // by the chain, which says with what code
	exitUnknown     = 4 // sent, and no answer whether it stands
	exitUnreachable = 5 // no node, or one that is still syncing
	exitKey         = 6 // key or permission
)

// usageError is a mistake in what the user wrote, on the command line or in a
// file; the command ends with exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// noArguments is the cobra.PositionalArgs of a command that takes flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s: expected no argument, got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}
