package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

// grown returns a home whose genesis has an aggregator and a prosumer.
func grown(t *testing.T) (home, []byte) {
	t.Helper()
	h := newHome(t)
	added := mustRun(t, "genesis", "add-aggregator", "--home", string(h), "--key", strings.Repeat("cc", 32))
	aggregator := strings.TrimSpace(strings.TrimPrefix(added, "added "))
	mustRun(t, "genesis", "add-account", "--home", string(h), "--key", keyA, "--home-aggregator", aggregator,
		"--grid-node", "bus1", "--rating-w", "11000", "--balance", "12.5")
	data, err := os.ReadFile(h.genesisFile())
	if err != nil {
		t.Fatal(err)
	}
	return h, data
}

func TestGenesisEditing(t *testing.T) {
	h, data := grown(t)
	if out := mustRun(t, "genesis", "validate", "--home", string(h)); !strings.Contains(out, "chain test-1, 2 accounts") {
		t.Errorf("validate said %q", out)
	}
	g, err := parseGenesis(data)
	if err != nil {
		t.Fatal(err)
	}
	var aggregators, prosumers int
	for _, account := range g.state.Registry.Accounts {
		switch account.Roles[0] {
		case registryv1.Role_ROLE_AGGREGATOR:
			aggregators++
			key, err := h.validatorKey()
			if err != nil || !bytes.Equal(account.ValidatorKey, key) || account.ValidatorPower != defaultPower {
				t.Errorf("aggregator %v, want power %d and the key of this home (%v)", account, defaultPower, err)
			}
		case registryv1.Role_ROLE_PROSUMER:
			prosumers++
			if protocol.KeyAddress(bytes.Repeat([]byte{0xaa}, 32)) != protocol.Address(account.Account) || account.ConnectionRatingW != 11000 {
				t.Errorf("prosumer %v, want the address of its key and 11000 W", account)
			}
		}
	}
	if aggregators != 1 || prosumers != 1 {
		t.Errorf("%d aggregators, %d prosumers, want one of each", aggregators, prosumers)
	}
	if b := g.state.Bank.Balances; len(b) != 1 || b[0].FreeUcoin != 12_500_000 || g.state.Bank.Supply.MintedUcoin != 12_500_000 {
		t.Errorf("balances %v, supply %v, want 12.5 coins", b, g.state.Bank.Supply)
	}
	again, err := g.text()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Error("a genesis file read and written again differs")
	}
}

// A refused edit leaves the file as it was.
func TestGenesisRefusals(t *testing.T) {
	h, before := grown(t)
	aggregator := protocol.KeyAddress(bytes.Repeat([]byte{0xcc}, 32)).String()
	for _, tc := range []struct{ args, want string }{
		{"add-account --key " + keyA, "is in the genesis file already"},
		{"add-account --key " + keyB + " --role gateway --home-aggregator " + aggregator, "key"}, // the authority's
		{"add-account --key " + keyD + " --grid-node n --rating-w 1", "home_aggregator"},
		{"add-aggregator --key " + keyD, "validator_key"}, // the first one's
		{"add-aggregator --validator-key " + keyB + " --power -1 --key " + keyD, "validator_power"},
	} {
		args := append([]string{"genesis"}, strings.Fields(tc.args)...)
		_, text, code := energyd(t, append(args, "--home", string(h))...)
		if code != exitUsage || !strings.Contains(text, tc.want) {
			t.Errorf("%s: exit code %d, %q; want 2 and %q", tc.args, code, text, tc.want)
		}
		after, err := os.ReadFile(h.genesisFile())
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file changed (%v)", tc.args, err)
		}
	}
}

func TestParseGenesisMistakes(t *testing.T) {
	_, data := grown(t)
	line := func(text string) int { // of the first occurrence
		return strings.Count(string(data[:bytes.Index(data, []byte(text))]), "\n") + 1
	}
	for _, tc := range []struct {
		old, new string
		line     int
		want     string
	}{
		{`"genesis_time"`, `"genesis_tme"`, line(`"genesis_time"`), "genesis_tme"},
		{`"initial_height": "1"`, `"initial_height": 1`, line(`"initial_height"`), "field initial_height: expected a string"},
		{`"minted_ucoin"`, `"minted_coin"`, line(`"minted_ucoin"`), `field app_state.bank: unknown field "minted_coin"`},
		{`"minted_ucoin": "12500000"`, `"minted_ucoin": "many"`, line(`"minted_ucoin"`), "field app_state.bank: invalid value"},
		{`"ROLE_PROSUMER"`, `"ROLE_KING"`, line(`"ROLE_PROSUMER"`), "field app_state.registry: invalid value"},
	} {
		changed := bytes.Replace(data, []byte(tc.old), []byte(tc.new), 1)
		if bytes.Equal(changed, data) {
			t.Fatalf("%s is not in the file", tc.old)
		}
		_, err := parseGenesis(changed)
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), linePrefix(tc.line)) {
			t.Errorf("%s for %s: got %v, want %q at %s", tc.new, tc.old, err, tc.want, linePrefix(tc.line))
		}
	}
}

func linePrefix(line int) string { return fmt.Sprintf("line %d column ", line) }

func TestValidateGenesis(t *testing.T) {
	_, data := grown(t)
	for _, tc := range []struct{ old, new, want string }{
		{`"max_bytes": "-1"`, `"max_bytes": "1000000"`, "field consensus_params.block.max_bytes: expected -1, got 1000000"},
		{`"app": "1"`, `"app": "0"`, "field consensus_params.version.app: expected 1, got 0"},
		{`"chain_id": "test-1"`, `"chain_id": "test-2"`, "field app_state.registry.chain.chain_id"},
		{`"validator_power": "10"`, `"validator_power": "0"`, "at least one active aggregator"},
		{`"free_ucoin": "12500000"`, `"free_ucoin": "12500001"`, "I1"},
	} {
		g, err := parseGenesis(bytes.Replace(data, []byte(tc.old), []byte(tc.new), 1))
		if err == nil {
			err = g.validate()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s for %s: got %v, want %q", tc.new, tc.old, err, tc.want)
		}
	}
}

func FuzzParseGenesis(f *testing.F) {
	f.Add([]byte(`{"genesis_time":"2026-01-01T00:00:00Z","chain_id":"a","initial_height":"1","consensus_params":{},"app_hash":"","app_state":{}}`))
	f.Add([]byte(`{"app_state":{"registry":{"chain":1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parseGenesis(data)
		if err != nil {
			return
		}
		// What is accepted can be judged and written, whatever the verdict.
		_ = g.validate()
		if _, err := g.text(); err != nil {
			t.Errorf("accepted but cannot be written: %v", err)
		}
	})
}
