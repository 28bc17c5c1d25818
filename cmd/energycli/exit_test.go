package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	"github.com/energyd/energyd/internal/strictjson"
)

func TestExitCodes(t *testing.T) {
	unknown := &client.Unknown{Hash: [32]byte{0xab}, Err: fmt.Errorf("%w: refused", client.ErrUnreachable)}
	for _, tc := range []struct {
		name   string
		err    error
		code   int
		advice string
	}{
		{"nothing", nil, exitOK, ""},
		{"anything", errors.New("anything"), exitError, ""},
		{"usage", usage("--energy: expected a number"), exitUsage, "see test --help"},
		{"wrapped usage", fmt.Errorf("x: %w", usage("y")), exitUsage, "--help"},
		{"a usage error around a key error", usage("--from: %w", client.ErrNoKey), exitUsage, "--help"},
		{"rejected on entry", &client.Rejected{Codespace: "bank", Code: 5}, exitRejected, "nothing was changed"},
		{"rejected in a block", fmt.Errorf("x: %w", &client.Rejected{Height: 7}), exitRejected, "block 7"},
		{"unknown", unknown, exitUnknown, "query tx AB00"},
		{"expired", client.ErrExpired, exitError, "send it again"},
		{"unreachable", fmt.Errorf("%w: refused", client.ErrUnreachable), exitUnreachable, "--node"},
		{"syncing", fmt.Errorf("%w, at height 5", errSyncing), exitUnreachable, "wait"},
		{"no key", fmt.Errorf("key a: %w", client.ErrNoKey), exitKey, "keys list"},
		{"key exists", client.ErrKeyExists, exitKey, "another name"},
		{"passphrase", client.ErrPassphrase, exitKey, "try again"},
		{"no passphrase", errNoPassphrase, exitKey, "--passphrase-file"},
		{"mode", client.ErrLooseMode, exitKey, "chmod"},
		{"permission", fmt.Errorf("open: %w", fs.ErrPermission), exitKey, ""},
		{"bill changed", fmt.Errorf("%w: %w", proof.ErrBillChanged, &strictjson.Error{}), exitError, "do not rely on this bill"},
		{"bill not proved", fmt.Errorf("%w: %w", errNotProved, proof.ErrBillUnproved), exitError, "bill --proof"},
		{"reading changed", client.ErrReadingChanged, exitError, "do not rely on this reading"},
		{"file", fmt.Errorf("bill: %w", &strictjson.Error{Line: 3}), exitUsage, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := exitCode(tc.err); got != tc.code {
				t.Errorf("exit code %d, want %d", got, tc.code)
			}
			if tc.err == nil {
				return
			}
			lines := strings.Split(describe(&cobra.Command{Use: "test"}, tc.err), "\n")
			if len(lines) > 2 || !strings.HasPrefix(lines[0], "energycli: ") {
				t.Errorf("%q, want one line what and one what to do", lines)
			}
			if advice := strings.Join(lines[1:], ""); !strings.Contains(advice, tc.advice) {
				t.Errorf("advice %q, want %q", advice, tc.advice)
			}
		})
	}
}

func TestDescribeIsOneLine(t *testing.T) {
	err := fmt.Errorf("first\nsecond: %w", &client.NodeError{Code: -32603, Message: "Internal error", Data: "no\nblock"})
	if got, want := describe(&cobra.Command{Use: "energycli"}, err), "energycli: first; second: the node says: no; block"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
