package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/testnet"
)

// A folder that holds another network than the flags or the manifest ask for
// is refused; what was not asked for may be anything.
func TestStartOnOtherFolder(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "net")
	mustRun(t, "testnet", "init", "--output-dir", dir, "--validators", "2", "--chain-id", "c-1", "--period-length", "1m",
		"--seed", "s", "--param", "deadline_periods=20")
	manifest := filepath.Join(base, "m.toml")
	text := "chain_id = \"c-1\"\nvalidators = 2\nperiod_length = \"30s\"\nseed = \"s\"\n"
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, want string }{
		{"--validators 4", "--validators: the folder holds a network with 2"},
		{"--chain-id c-2", "--chain-id: the folder holds a network with c-1"},
		{"--period-length 10s", "--period-length: the folder holds a network with 1m0s"},
		{"--timeout-propose 1s", "--timeout-propose: the folder holds a network with 500ms"},
		{"--timeout-commit 1s", "--timeout-commit: the folder holds a network with 200ms"},
		{"--param deadline_periods=21", "--param: the folder holds a network with deadline_periods=20"},
		{"--param deadline=21", "--param: expected the name of a parameter"},
		{"--seed other", "--seed: the folder holds a network with keys of another seed"},
		{"--manifest " + manifest, manifest + ": field period_length: the folder holds a network with 1m0s"},
		{"--manifest " + manifest + " --period-length 10s", "--period-length: the folder holds a network with 1m0s"},
	} {
		_, got, code := energyd(t, append([]string{"testnet", "start", "--dir", dir}, strings.Fields(tc.args)...)...)
		if code != exitUsage || !strings.Contains(got, tc.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, want %q and what to do", tc.args, code, got, tc.want)
		}
	}
	same, m := &cobra.Command{}, testnet.Simple()
	manifestFlags(same, &m)
	if err := same.ParseFlags([]string{"--chain-id", "c-1", "--period-length", "60s", "--seed", "s", "--param", "deadline_periods=20"}); err != nil {
		t.Fatal(err)
	}
	if err := checkFolder(same.Flags(), dir, "", m); err != nil {
		t.Errorf("the same network: %v", err)
	}
}
