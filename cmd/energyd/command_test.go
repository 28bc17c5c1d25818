package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/testnet"
)

// Public keys of nobody in particular; keyB is the authority's.
const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	keyD = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
)

// energyd runs a command line and returns its output, its error text and exit
// code.
func energyd(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	if err := root.ExecuteContext(t.Context()); err != nil {
		return out.String(), describe(err), exitCode(err)
	}
	return out.String(), "", 0
}

// mustRun runs a command line that must succeed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, text, code := energyd(t, args...)
	if code != 0 {
		t.Fatalf("energyd %s: exit code %d\n%s", strings.Join(args, " "), code, text)
	}
	return out
}

// newHome makes a home of a chain with one authority key.
func newHome(t *testing.T) home {
	t.Helper()
	h := home(filepath.Join(t.TempDir(), "home"))
	mustRun(t, "init", "--home", string(h), "--chain-id", "test-1", "--period-length", "10s", "--authority-key", keyB)
	return h
}

func TestUsageErrors(t *testing.T) {
	h := newHome(t)
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"bogus", 2, `unknown command "bogus"`},
		{"genesis bogus", 2, `unknown command "bogus" for "energyd genesis"`},
		{"version extra", 2, `unknown argument "extra"`},
		{"version --output yaml", 2, `--output: expected text or json, got "yaml"`},
		{"status --bogus", 2, "unknown flag: --bogus"},
		{"status --node http://127.0.0.1:1", 5, "connection refused"},
		{"init --home HOME", 2, "exists already"},
		{"init --home HOME/new --period-length 3ms", 2, "--period-length: expected at least 1s"},
		{"init --home HOME/new --authority-key 00", 2, "--authority-key: expected 64 hexadecimal digits"},
		{"init --home HOME/new --moniker=", 2, "field moniker"},
		{"start --home HOME/none", 2, "no such file"},
		{"start --home HOME --rpc-laddr 127.0.0.1", 2, "field rpc.laddr: expected tcp://host:port"},
		{"start --home HOME --log-level loud", 2, "field log_level: expected debug, info, warn or error"},
		{"start --home HOME", 2, "expected at least one active aggregator"},
		{"export --home HOME", 2, "no such file"},
		{"rollback --home HOME", 2, "no such file"},
		{"genesis validate --home HOME", 2, "expected at least one active aggregator"},
		{"genesis add-aggregator --home HOME", 2, "--key: expected a value"},
		{"genesis add-aggregator --home HOME --key 12", 2, "--key: expected 64 hexadecimal digits"},
		{"genesis add-account --home HOME --key " + keyA + " --role king", 2, `--role: expected prosumer, gateway, regulator or auditor, got "king"`},
		{"genesis add-account --home HOME --key " + keyA + " --balance 1.2345678", 2, "--balance: expected coins"},
		{"genesis add-account --home HOME --key " + keyA + " --balance=-1", 2, "--balance: expected coins"},
		{"genesis add-account --home HOME --key " + keyA + " --home-aggregator energy1x", 2, "--home-aggregator"},
		{"testnet init --output-dir HOME", 2, "--output-dir: expected an empty folder"},
		{"testnet init --output-dir HOME/new --validators 0", 2, "field validators: expected 1 to 64, got 0"},
		{"testnet init --output-dir HOME/new --param sigma_ppm=-1", 2, "--param: app_state.registry"},
		{"testnet init --output-dir HOME/new --param sigma=1", 2, "--param: expected the name of a parameter"},
		{"testnet init --output-dir HOME/new --quota household=20", 2, "--quota: expected TYPE=TRADES/WH such as household=20/50000, got household=20"},
		{"testnet init --output-dir HOME/new --quota household=20/5kWh", 2, "--quota: expected TYPE=TRADES/WH"},
		{"testnet init --output-dir HOME/new --quota household=-1/5", 2, "params.reliability_quotas[0]: expected trades and energy_wh of 0 to"},
		{"testnet init --output-dir HOME/new --chain-id c/1", 2, "--chain-id: expected 1 to 50 letters"},
		{"testnet start --dir HOME", 2, "--dir: HOME holds something that is not a test network"},
		{"testnet start --dir HOME/new --period-length 3ms", 2, "--period-length: expected at least 1s"},
		{"testnet start --dir HOME/new --param sigma_ppm=-1", 2, "--param: app_state.registry"},
		{"demo --start noon", 2, "--start: local time: expected the start of an interval"},
		{"demo --start 2025-03-01T00:00", 2, "--start: expected a time on or after 2025-03-02T00:00"},
		{"demo --periods 0", 2, "--periods: expected at least 1"},
		{"demo --scenario flood", 2, `--scenario: expected outage, late-data, short-of-coins, deviation, got "flood"`},
		{"demo --scenario outage --periods 0", 2, "--periods: expected at least 1"},
		{"demo --scenario outage --periods 6", 2, "--periods: expected at least 7, which outage takes, got 6"},
		{"demo --scenario outage --mechanism matrix", 2, "--mechanism: expected one that clears orders"},
		{"demo --meters mqtt", 2, `--meters: expected direct or modbus, got "mqtt"`},
		{"demo --meters modbus --energymeter HOME/none", 2, "--energymeter: expected the program energymeter, got HOME/none"},
		{"demo --meters modbus --energymeter /bin/true --scenario outage --periods 7", 2, "--meters: expected direct with --scenario"},
		{"demo --meters modbus --energymeter /bin/true --period-length 2001ms", 2, "--period-length: expected an even number of ms"},
		{"bench catch-up --gateways 0", 2, "--gateways: expected at least one for each 1000 meters, got 0"},
		{"bench catch-up --meters 2001 --gateways 2", 2, "--gateways: expected at least one for each 1000 meters, got 2"},
		{"bench catch-up --missed 0", 2, "--missed: expected 1 to 1000 periods, got 0"},
		{"bench catch-up --period-length 1s", 2, "--period-length: expected at least 3s"},
		{"bench catch-up --energymeter HOME/none", 2, "--energymeter: expected the program energymeter"},
		{"demo --periods 1000", 2, "--periods: expected at most"},
		{"demo --dir HOME", 2, "--dir: expected an empty folder"},
		{"demo --json HOME/none/report.json", 2, "--json: open HOME/none/report.json: no such file"},
		{"bench verification --trades 0", 2, "--trades: expected 1 to 30, got 0"},
		{"bench verification --trades 31", 2, "--trades: expected 1 to 30, got 31"},
		{"bench verification --period-length 2s", 2, "--period-length: expected at least 3s"},
		{"bench verification --plot HOME/none/plot.svg", 2, "--plot: open HOME/none/plot.svg: no such file"},
		{"demo --quota household=1", 2, "--quota: expected TYPE=TRADES/WH"},
		{"demo --data HOME", 2, "members.csv: expected a readable file"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			_, text, code := energyd(t, strings.Fields(strings.ReplaceAll(tc.args, "HOME", string(h)))...)
			if want := strings.ReplaceAll(tc.want, "HOME", string(h)); code != tc.code || !strings.Contains(text, want) {
				t.Errorf("exit code %d, want %d; error %q, want it to contain %q", code, tc.code, text, want)
			}
			if what := strings.Count(strings.TrimSpace(text), "\n"); what > 1 {
				t.Errorf("error of %d lines, want one what and one what to do:\n%s", what+1, text)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(string(h), "new")); err == nil {
		t.Error("a refused init left a folder")
	}
}

func TestChainName(t *testing.T) {
	for name, ok := range map[string]bool{
		"energy-1": true, "A_b.9": true, strings.Repeat("c", 50): true,
		"": false, "c 1": false, "c/1": false, "c\n": false, "é": false, strings.Repeat("c", 51): false,
	} {
		_, text, code := energyd(t, "init", "--home", filepath.Join(t.TempDir(), "home"), "--chain-id", name)
		if ok != (code == 0) || !ok && (code != exitUsage || !strings.Contains(text, "--chain-id: expected 1 to 50")) {
			t.Errorf("%q: exit code %d, %q", name, code, text)
		}
	}
}

func TestFlagsFromEnv(t *testing.T) {
	environment := map[string]string{"ENERGYD_LOG_LEVEL": "debug", "ENERGYD_POWER": "7", "ENERGYD_HOME": "x"}
	lookup := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	level, power, dir := flags.String("log-level", "info", ""), flags.Int64("power", 1, ""), flags.String("home", "", "")
	if err := flags.Parse([]string{"--home", "given"}); err != nil {
		t.Fatal(err)
	}
	if err := flagsFromEnv(flags, lookup); err != nil {
		t.Fatal(err)
	}
	if *level != "debug" || *power != 7 || *dir != "given" {
		t.Errorf("got %q %d %q, want debug 7 and the flag that was given", *level, *power, *dir)
	}
	environment["ENERGYD_COUNT"] = "many"
	flags.Int("count", 0, "")
	err := flagsFromEnv(flags, lookup)
	if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), `ENERGYD_COUNT="many"`) {
		t.Errorf("got %v, want an error of usage that names the variable", err)
	}
}

func TestVersion(t *testing.T) {
	var v versions
	if err := json.Unmarshal([]byte(mustRun(t, "version", "--output", "json")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Go == "" || !strings.HasPrefix(v.CometBFT, "0.3") {
		t.Errorf("got %+v, want the versions of Go and CometBFT", v)
	}
}

func TestInitModes(t *testing.T) {
	h := newHome(t)
	for _, name := range []string{h.settingsFile(), h.genesisFile(), h.nodeKeyFile(), h.validatorFile(), h.signedFile()} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, mode %v, want 0600", name, err, info.Mode())
		}
	}
	for _, name := range []string{string(h), filepath.Dir(h.settingsFile()), h.dataDir()} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, mode %v, want 0700", name, err, info.Mode())
		}
	}
	if err := h.checkModes(); err != nil {
		t.Fatalf("a fresh home: %v", err)
	}
	for _, tc := range []struct {
		name string
		mode os.FileMode
		back os.FileMode
	}{
		{h.nodeKeyFile(), 0o640, 0o600},
		{h.validatorFile(), 0o604, 0o600},
		{h.signedFile(), 0o620, 0o600},
		{filepath.Dir(h.nodeKeyFile()), 0o750, 0o700},
		{h.dataDir(), 0o701, 0o700},
	} {
		if err := os.Chmod(tc.name, tc.mode); err != nil {
			t.Fatal(err)
		}
		_, text, code := energyd(t, "start", "--home", string(h))
		if code != exitPermission || !strings.Contains(text, tc.name) {
			t.Errorf("mode %o of %s: exit code %d, %q; want %d and the name", tc.mode, tc.name, code, text, exitPermission)
		}
		if err := os.Chmod(tc.name, tc.back); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMakeTestnet(t *testing.T) {
	m := testnet.Simple()
	m.Seed = "fixed"
	now := time.UnixMilli(1_700_000_000_000)
	var genesisFiles [][]byte
	for range 2 {
		dir := filepath.Join(t.TempDir(), "net")
		if err := makeTestnet(dir, m, now); err != nil {
			t.Fatal(err)
		}
		folder, err := testnet.ReadFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(folder.Members) != 4 || folder.PeriodLengthMs != 10_000 {
			t.Errorf("got %+v, want 4 nodes and periods of 10 s", folder)
		}
		checkTestKeys(t, dir, folder)
		for i, member := range folder.Members {
			h := home(filepath.Join(dir, member.Name))
			if err := h.checkModes(); err != nil {
				t.Error(err)
			}
			s, err := readSettings(h.settingsFile())
			if err != nil {
				t.Fatal(err)
			}
			if peers := strings.Split(s.P2P.PersistentPeers, ","); len(peers) != 3 || strings.Contains(s.P2P.PersistentPeers, member.NodeID) {
				t.Errorf("node %d has the peers %v, want the three others", i, peers)
			}
			data, err := os.ReadFile(h.genesisFile())
			if err != nil {
				t.Fatal(err)
			}
			genesisFiles = append(genesisFiles, data)
		}
	}
	for i, data := range genesisFiles {
		if !bytes.Equal(data, genesisFiles[0]) {
			t.Errorf("genesis file %d differs from the first: one seed, one chain", i)
		}
	}
	g, err := parseGenesis(genesisFiles[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := g.validate(); err != nil {
		t.Error(err)
	}
}

// checkTestKeys opens the keystore with the passphrase beside it.
func checkTestKeys(t *testing.T, dir string, folder *testnet.Folder) {
	t.Helper()
	passphrase, err := os.ReadFile(filepath.Join(dir, testnet.PassphraseFile))
	if err != nil {
		t.Fatal(err)
	}
	store, err := client.OpenKeystore(filepath.Join(dir, testnet.KeysDir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Unlock(testnet.AuthorityKey, strings.TrimSpace(string(passphrase))); err != nil {
		t.Error(err)
	}
	for i, member := range folder.Members {
		key, err := store.Unlock(testnet.AggregatorKey(i), strings.TrimSpace(string(passphrase)))
		if err != nil {
			t.Fatal(err)
		}
		if key.Address().String() != member.Account {
			t.Errorf("key %d is that of %s, want %s", i, key.Address(), member.Account)
		}
	}
}
