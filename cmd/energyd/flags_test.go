package main

import (
	"strings"
	"testing"
)

func TestFlagErrors(t *testing.T) {
	for line, want := range map[string]string{
		"status --node 127.0.0.1:1": `--node: expected tcp://HOST:PORT, got "127.0.0.1:1"`,
		"status --node foo":         `--node: expected tcp://HOST:PORT, got "foo"`,
		"demo --periods abc":        `--periods: expected a whole number, got "abc"`,
		"demo --periods 1e99":       `--periods: expected a whole number, got "1e99"`,
	} {
		if _, text, code := energyd(t, strings.Fields(line)...); code != exitUsage || !strings.Contains(text, want) {
			t.Errorf("%s: exit code %d, %s, want %d with %q", line, code, text, exitUsage, want)
		}
	}
}
