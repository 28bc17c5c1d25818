package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/internal/testkit"
)

// contains fails unless out has all the pieces.
func contains(t *testing.T, what, out string, pieces ...string) {
	t.Helper()
	for _, piece := range pieces {
		if !strings.Contains(out, piece) {
			t.Errorf("%s: no %q in\n%s", what, piece, out)
		}
	}
}

func readReceipt(t *testing.T, out string) receipt {
	t.Helper()
	var r receipt
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

// TestTrade goes the way of an order from the command line to the verified
// bill.
func TestTrade(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	const period = 1_700_000_010_000
	sell := readReceipt(t, u.must("tx matching place-sell --from member0 --period next --energy 1 --price 0.3 --meter meter-member0 --consent.standing --output json"))
	if len(sell.Created) != 1 || sell.Created[0].Kind != "order" {
		t.Fatalf("created %+v", sell.Created)
	}
	out := u.must(fmt.Sprintf("tx matching place-buy --from member1 --period %d --energy 2 --price 0.4 --weights.price 1000 --consent.standing", period))
	contains(t, "place-buy", out, "transaction", "order", "buy placed", "energy 2 kWh", "price 0.4 coin/kWh")
	order := regexp.MustCompile(`order +([0-9a-f]{32})`).FindStringSubmatch(out)[1]

	out = u.must(fmt.Sprintf("tx replace --from member1 --order %s --period %d --energy 1.5", order, period))
	contains(t, "replace", out, "order cancelled: order "+order, "buy placed", "energy 1.5 kWh", "price 0.4 coin/kWh")
	out = u.must(fmt.Sprintf("query matching orders --period %d --account member1", period))
	contains(t, "orders", out, "sells: none", "1.5 kWh", "0.4 coin/kWh")

	start := time.UnixMilli(period)
	n.Until(start.Add(time.Second))
	for _, m := range n.Members {
		n.Block(time.Millisecond, n.Chain.Readings(n.Chain.Reading(m, period, 0, 0)))
	}
	n.Until(start.Add(testkit.Period + time.Second))
	n.Block(time.Millisecond, n.Chain.Readings(n.Chain.Reading(n.Members[0], period+10_000, 0, 1000), n.Chain.Reading(n.Members[1], period+10_000, 2000, 0)))
	n.Until(start.Add(testkit.Period + 5*time.Second))

	out = u.must("bill --account member1")
	contains(t, "bill", out, "2023-11-14 22:13:30Z", "Saved against the grid alone: ")
	contains(t, "CSV", u.must("bill --account member1 --csv"), "period,version,", "2023-11-14T22:13:30Z,1,false,")
	verifyFiles(t, u)
}

// verifyFiles checks bill and reading as somebody without a node would.
func verifyFiles(t *testing.T, u *user) {
	t.Helper()
	bill, reading, header := filepath.Join(u.home, "bill.json"), filepath.Join(u.home, "reading.json"), filepath.Join(u.home, "header.json")
	u.must("bill --account member1 --proof --out " + bill)
	hash := strings.TrimSpace(u.must("query header --out " + header))
	u.must("reading --meter meter-member1 --out " + reading)
	gateway := fmt.Sprintf("%x", u.node.Chain.Gateway.Public())

	u.env["ENERGYD_NODE"] = "tcp://127.0.0.1:1"
	contains(t, "verify bill", u.must("verify bill "+bill+" --trusted-header "+hash), "verified", "yes", "proves only", "1 period, 2023-11-14 22:13:30Z")
	contains(t, "verify bill", u.must("verify bill "+bill+" --output json --trusted-header "+header), `"verified": true`)
	contains(t, "verify reading", u.must("verify reading "+reading), "verified", "only as far as you know")
	contains(t, "verify reading", u.must("verify reading "+reading+" --gateway-key "+gateway), "verified", "import")

	data, err := os.ReadFile(bill)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(u.home, "broken.json")
	for _, tc := range []struct {
		old, new, says string
		code           int
	}{
		{`"bought_wh": `, `"bought_wh": 1`, "not as it was written", exitError},
		{`"height"`, `"heigth"`, "line ", exitUsage},
		{`"missing": false`, `"missing": 7`, "periods[0].statement.missing: expected true or false, got 7", exitUsage},
		{`"account": "energy1`, `"account": "energy2`, "not as it was written", exitError},
		{`"totals": {`, `"totals": `, "column ", exitUsage},
	} {
		if err := os.WriteFile(broken, []byte(strings.Replace(string(data), tc.old, tc.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, code, text := u.run("", "verify bill "+broken+" --trusted-header "+hash); code != tc.code || !strings.Contains(text, tc.says) {
			t.Errorf("%s: exit code %d, %s, want %d with %q", tc.new, code, text, tc.code, tc.says)
		}
	}
	for line, want := range map[string]int{
		"verify bill " + bill: exitUsage,
		"verify bill " + bill + " --trusted-header 5:" + strings.Repeat("ab", 32):  exitError,
		"verify bill " + bill + " --trusted-header nonsense":                       exitUsage,
		"verify reading " + reading + " --gateway-key " + strings.Repeat("ab", 32): exitError,
		"verify reading " + reading + " --gateway-key " + strings.Repeat("ab", 31): exitUsage,
		"verify reading " + bill:                          exitUsage,
		"verify reading " + filepath.Join(u.home, "none"): exitUsage,
		"query invariants":                                exitUnreachable,
	} {
		if _, code, text := u.run("", line); code != want {
			t.Errorf("%s: exit code %d, %s, want %d", line, code, text, want)
		}
	}
}

func TestAuthority(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	out := u.must("propose bank recharge --from authority --account member0 --amount 2.5 --reference r1")
	contains(t, "propose", out, "proposal", "executed", "yes", "recharged: account", "amount 2.5 coin")
	contains(t, "balance", u.must("query bank balance member0"), "102.5 coin")

	// A second key, and both must agree.
	keys := fmt.Sprintf("%x,%x", n.Chain.Authority.Public(), testkit.NewKey("stranger").Public())
	u.must("propose registry set-authority --from authority --authority.threshold 2 --authority.keys " + keys)
	waiting := readReceipt(t, u.must("propose registry freeze --from authority --account member1 --reason audit --output json"))
	if waiting.Executed == nil || *waiting.Executed || len(waiting.Created) != 1 {
		t.Fatalf("receipt %+v, want a proposal that waits", waiting)
	}
	contains(t, "proposals", u.must("query registry proposals"), "freeze: account "+n.Members[1].Address().String(), "reason audit")
	contains(t, "approve", u.must("approve "+waiting.Created[0].ID+" --from stranger"), "executed", "yes", "status frozen")
	if _, code, text := u.run("", "tx bank transfer --from member1 --to member0 --amount 1"); code != exitRejected {
		t.Errorf("a frozen account: exit code %d, %s", code, text)
	}
}

func TestTransaction(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	hash := strings.TrimSpace(u.must("tx bank transfer --from member0 --to member1 --amount 1.25 --quiet"))
	contains(t, "query tx", u.must("query tx "+hash), "done", "transfer: to "+n.Members[1].Address().String()+", amount 1.25 coin", "event        transferred: from ")
	contains(t, "query tx", u.must("query tx "+hash+" --output json"), `"amount_ucoin": 1250000`, `"energy.bank.v1.Transferred"`)
	contains(t, "query block", u.must(fmt.Sprintf("query block %d", n.Chain.Height)), "transactions", hash)

	dry := u.must("tx bank transfer --from member0 --to member1 --amount 1.25 --dry-run")
	contains(t, "dry run", dry, `"chain_id": "`+testkit.ChainID+`"`, `"amount_ucoin": 1250000`, `"energy.bank.v1.MsgTransfer"`)
	whole := fmt.Sprintf(`{"to":%q,"amount_ucoin":5}`, n.Members[1].Address())
	if _, code, text := u.run(fmt.Sprintf(`{"to":%q}`, n.Members[1].Address()), "tx bank transfer --from member0 --json - --dry-run"); code != exitUsage || !strings.Contains(text, "--amount: expected a value, got none") {
		t.Errorf("JSON without an amount: exit code %d, %s", code, text)
	}
	if out, code, text := u.run(whole, "tx bank transfer --from member0 --json - --amount 0.5 --dry-run"); code != exitOK || !strings.Contains(out, `"amount_ucoin": 500000`) {
		t.Errorf("flags over JSON: exit code %d, %s, %s", code, out, text)
	}
	height := n.Chain.Height
	for range 3 {
		u.must("tx bank transfer --from member0 --to member1 --amount 0.1 --wait=false")
	}
	if n.Chain.Height != height+3 {
		t.Errorf("%d blocks, want 3: a sequence was given out twice", n.Chain.Height-height)
	}
	contains(t, "balance", u.must("query bank balance --account member1 --output json"), `"free_ucoin": 101550000`)
}

// TestSequencesInFlight: what is sent before the last one is in a block must
// not take the same sequence.
func TestSequencesInFlight(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	n.be(true, false)
	sequence := func() string {
		out := u.must("tx bank transfer --from member0 --to member1 --amount 0.1 --dry-run")
		return regexp.MustCompile(`"sequence": \d+`).FindString(out)
	}
	before := sequence()
	u.must("tx bank transfer --from member0 --to member1 --amount 0.1 --wait=false")
	if after := sequence(); after == before {
		t.Errorf("%s was given out twice", after)
	}
	// A sequence far ahead is of a chain that is no more.
	u.env["ENERGYD_HOME"] = newUser(t, n).home
	path := filepath.Join(u.env["ENERGYD_HOME"], "sequences.json")
	text := fmt.Sprintf(`{%q: 5000}`, testkit.ChainID+"/"+n.Members[0].Address().String())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sequence(); got != before {
		t.Errorf("%s, want %s", got, before)
	}
}

func TestFailures(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	for _, tc := range []struct {
		line string
		code int
		says string
	}{
		{"tx bank transfer --from member0 --to member1 --amount x", exitUsage, "--amount: "},
		{"tx bank transfer --from member0 --to nobody --amount 1", exitUsage, "--to: expected an address energy1... or the name of an own key"},
		{"tx bank transfer --from member0", exitUsage, "expected --json FILE or flags"},
		{"tx bank transfer --from member0 --to member1", exitUsage, "--amount: expected a value, got none"},
		{"tx matching place-buy --from member0 --period next --energy 1", exitUsage, "--price: expected a value, got none"},
		{"tx metering submit-reading --from member0 --meter meter-member0 --import 1", exitUsage, "--export: expected a value, got none"},
		{"query bank balance", exitUsage, "--account: expected a value, got none"},
		{"query matching book", exitUsage, "--period: expected a value, got none"},
		{"query grid loss --grid-from a", exitUsage, "--to: expected a value, got none"},
		{"tx bank transfer --to member0 --amount 1", exitUsage, "--from: "},
		{"tx bank transfer --from member0 --to member1 --amout 1", exitUsage, "unknown flag: --amout"},
		{"tx bank transfer x", exitUsage, "expected no argument"},
		{"tx bank", exitOK, ""},
		{"tx bank transfre", exitUsage, `unknown command "transfre"`},
		{"nonsense", exitUsage, `unknown command "nonsense"`},
		{"query bank balance a b", exitUsage, "at most 1 arguments"},
		{"query bank balance member0 --account member0", exitUsage, "--account: expected it once"},
		{"query tx abcd", exitUsage, "HASH: "},
		{"query tx " + strings.Repeat("ab", 32), exitError, "not found"},
		{"query block x", exitUsage, "HEIGHT: "},
		{"query block 5000", exitError, "the node says: height 5000 must be less"},
		{"query bank balance stranger", exitRejected, "check the names and times"},
		{"query invariants --output xml", exitUsage, "--output: expected text or json"},
		{"query invariants --height -1", exitUsage, "--height: "},
		{"query invariants --limit -1", exitUsage, "--limit: "},
		{"query invariants --timeout 0s", exitUsage, "--timeout: "},
		{"query invariants --chain-id other", exitUsage, "--chain-id: the node is of chain"},
		{"query invariants --node nonsense:x:y", exitUsage, "--node: expected tcp://HOST:PORT"},
		{"query invariants --node foo", exitUsage, "--node: expected tcp://HOST:PORT"},
		{"query invariants --node tcp://127.0.0.1:1,127.0.0.1:1", exitUsage, `--node: expected tcp://HOST:PORT, got "127.0.0.1:1"`},
		{"query invariants --limit abc", exitUsage, `--limit: expected a whole number, got "abc"`},
		{"query invariants --timeout soon", exitUsage, `--timeout: expected a duration like 15m, got "soon"`},
		{"keys add other --light=maybe", exitUsage, `--light: expected true or false, got "maybe"`},
		{"query bank balance energy1alice", exitUsage, `expected an address energy1... or the name of an own key, got "energy1alice"`},
		{"tx bank transfer --from stranger --to member1 --amount 1", exitRejected, "unknown_key"},
		{"tx bank transfer --from member0 --to member1 --amount 1000", exitRejected, "code bank/"},
		{"tx bank transfer --from nobody --to member1 --amount 1", exitKey, "no such key"},
		{"tx bank recharge --from member0 --account member1 --amount 1 --reference r", exitRejected, "wrong_role"},
		{"tx matching place-buy --from member0 --period 2026-01-31 --energy 1", exitUsage, "--period: expected a time like"},
		{"tx replace --from member0 --order ab --period 5", exitUsage, "--order: expected 32 hexadecimal digits"},
		{"tx replace --from member0 --period 5", exitUsage, "--order: expected it"},
		{"tx replace --from member0 --period next --order " + strings.Repeat("ab", 16), exitError, "not found"},
		{"approve xyz --from authority", exitUsage, "PROPOSAL: "},
		{"approve --from authority", exitUsage, "expected one argument PROPOSAL"},
		{"bill", exitUsage, "--account: "},
		{"bill --account member0", exitError, "not found"},
		{"bill --account member0 --from noon", exitUsage, "--from: expected a time"},
		{"bill --account member0 --from 2000 --to 1000", exitUsage, "--to: "},
		{"bill --account member0 --proof --csv", exitUsage, "--csv: "},
		{"bill --account member0 --csv --output json", exitUsage, "--csv: expected only one of it and --output json"},
		{"reading", exitUsage, "--meter: "},
		{"reading --meter none", exitRejected, "code metering/"},
		{"reading --meter meter-member0", exitError, "no such signed reading"},
		{"keys export member0", exitUsage, "--yes: "},
		{"keys show nobody", exitKey, "no such key"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			_, code, text := u.run("", tc.line)
			if code != tc.code || !strings.Contains(text, tc.says) {
				t.Errorf("exit code %d, %s, want %d with %q", code, text, tc.code, tc.says)
			}
		})
	}
}

func TestOutcomeUnknown(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	n.be(true, false)
	_, code, text := u.run("", "tx bank transfer --from member0 --to member1 --amount 1 --timeout 300ms")
	if code != exitUnknown || !regexp.MustCompile(`transaction [0-9A-F]{64} unknown`).MatchString(text) {
		t.Errorf("exit code %d, %s, want %d with the hash", code, text, exitUnknown)
	}
	n.be(true, true)
	if _, code, text := u.run("", "query bank supply"); code != exitUnreachable || !strings.Contains(text, "syncing") {
		t.Errorf("exit code %d, %s, want %d", code, text, exitUnreachable)
	}
}

// TestEventsMissing: a node that has no blocks to fetch still says that a transaction
// is in one.
func TestEventsMissing(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	n.With(func() { n.Pruned = true })
	const transfer = "tx bank transfer --from member0 --to member1 --amount 1"
	out := u.must(transfer)
	contains(t, "transfer", out, fmt.Sprintf("block        %d\n", n.Chain.Height), "events       not known, the transaction stands: ", "not available")
	if strings.Contains(out, "transferred") {
		t.Errorf("events of a block that could not be fetched:\n%s", out)
	}
	got := readReceipt(t, u.must("propose bank recharge --from authority --account member0 --amount 2 --reference r1 --output json"))
	if got.Height != n.Chain.Height || got.Events != nil || got.Executed != nil || len(got.Created) != 1 || !strings.Contains(got.EventsMissing, "not available") {
		t.Errorf("receipt %+v", got)
	}
	if out := u.must(transfer + " --quiet"); len(strings.TrimSpace(out)) != 64 {
		t.Errorf("quiet: %s", out)
	}
	n.With(func() { n.Pruned = false })
	got = readReceipt(t, u.must(transfer+" --output json"))
	if got.Height != n.Chain.Height || len(got.Events) != 1 || got.EventsMissing != "" {
		t.Errorf("receipt %+v", got)
	}
}

func TestWatch(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	first := n.Chain.Height + 1
	u.must("tx bank transfer --from member0 --to member1 --amount 1.25")
	u.must("propose bank recharge --from authority --account member0 --amount 2 --reference r1")
	watch := func(line string) string {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		out, code, text := u.runContext(ctx, "", fmt.Sprintf("watch --height %d %s", first, line))
		if code != exitOK {
			t.Errorf("watch %s: exit code %d, %s", line, code, text)
		}
		return out
	}
	contains(t, "watch", watch(""), "transferred: from ", "recharged: account ", "proposed: ")
	if out := watch("--account member1"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "transferred") {
		t.Errorf("member1 sees\n%s", out)
	}
	if out := watch("--period 5"); out != "" {
		t.Errorf("period 5 has\n%s", out)
	}
	contains(t, "watch", watch("--account member1 --output json"), `"type":"energy.bank.v1.Transferred"`, `"amount_ucoin":1250000`)
}

func TestKeys(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	seed := strings.Repeat("07", 32)
	out, code, text := u.run(seed+"\n", "keys import seven --light")
	if code != exitOK {
		t.Fatalf("import: exit code %d, %s", code, text)
	}
	contains(t, "import", out, "seven", "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c")
	out, code, text = u.run("", "keys export seven --yes")
	if code != exitOK || strings.TrimSpace(out) != seed || !strings.Contains(text, "WARNING") {
		t.Errorf("export: exit code %d, %s, %s", code, out, text)
	}
	contains(t, "add", u.must("keys add fresh --light --output json"), `"name": "fresh"`, `"address": "energy1`)
	list := u.must("keys list")
	contains(t, "list", list, "authority", "fresh", "member0", "seven", "Public key")
	if address := strings.TrimSpace(u.must("keys show seven --quiet")); !strings.HasPrefix(address, "energy1") || !strings.Contains(list, address) {
		t.Errorf("address %s", address)
	}
	for line, want := range map[string]int{
		"keys add fresh --light":                      exitKey,
		"keys add Upper --light":                      exitUsage,
		"keys import other --seed-file none":          exitUsage,
		"keys add other --passphrase-fd 1":            exitUsage,
		"keys export seven --yes --passphrase-file x": exitUsage,
	} {
		if _, code, text := u.run("", line); code != want {
			t.Errorf("%s: exit code %d, %s, want %d", line, code, text, want)
		}
	}
	if _, code, _ := u.run("07", "keys import short"); code != exitUsage {
		t.Errorf("a short seed: exit code %d, want %d", code, exitUsage)
	}
	delete(u.env, "ENERGYD_PASSPHRASE_FILE")
	if _, code, text := u.run("", "keys add other"); code != exitKey || !strings.Contains(text, "--passphrase-file") {
		t.Errorf("nobody to ask: exit code %d, %s", code, text)
	}
	loose := filepath.Join(u.home, "loose")
	if err := os.WriteFile(loose, []byte("words\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, code, text := u.run("", "keys export seven --yes --passphrase-file "+loose); code != exitKey || !strings.Contains(text, "mode 0644") {
		t.Errorf("a passphrase that all may read: exit code %d, %s", code, text)
	}
}
