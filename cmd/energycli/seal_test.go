package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// TestSeal: two orders are sealed, revealed from their files and matched.
func TestSeal(t *testing.T) {
	n := newNode(t, func(g *app.Genesis) {
		g.Registry.Params[0].Params.RoundLengthMs = 500 // the node makes a block a second
		g.Matching = &matchingv1.GenesisState{Markets: []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
			Mechanism: matchingv1.Mechanism_MECHANISM_AUCTION, MaxRatedDistanceM: 1, RevealLengthMs: 3_000, BondUcoin: 500_000,
		}}}}
	})
	u := newUser(t, n)
	const period = 1_700_000_010_000
	files := [2]string{filepath.Join(t.TempDir(), "sell.json"), filepath.Join(t.TempDir(), "buy.json")}
	sell := "tx seal sell --from member0 --period next --energy 1 --price 0.3 --meter meter-member0 --consent.standing"
	if _, code, text := u.run("", sell); code != exitUsage {
		t.Errorf("without --out: exit %d, %s", code, text)
	}
	for _, wrong := range []string{
		"sell --energy -1 --price 0.3 --meter m", "sell --energy 0 --price 0.3 --meter m", "sell --energy 1 --price -0.3 --meter m",
		"sell --energy 1 --price 0.3 --meter M!", "buy --energy 1 --price 0.3 --weights.price 1001", "buy --energy 1 --price 0.3 --max-loss 101",
		"buy --energy 1 --price 0.3 --consent.standing --consent.reject-below 50",
	} {
		file := filepath.Join(t.TempDir(), "wrong.json")
		if _, code, text := u.run("", "tx seal "+wrong+" --from member0 --period next --out "+file); code != exitUsage {
			t.Errorf("%s: exit %d, %s", wrong, code, text)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: was written", wrong)
		}
	}
	contains(t, "seal", u.must(sell+" --out "+files[0]), "order sealed", "bond 0.5 coin")
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v: want one for its owner alone", info, err)
	}
	before, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, code, text := u.run("", sell+" --out "+files[0]); code != exitUsage {
		t.Errorf("over another: exit %d, %s", code, text)
	}
	if after, err := os.ReadFile(files[0]); err != nil || string(after) != string(before) {
		t.Errorf("the file was written over: %v", err)
	}
	u.must(fmt.Sprintf("tx seal buy --from member1 --period %d --energy 1 --price 0.4 --consent.standing --out %s", period, files[1]))

	n.Until(time.UnixMilli(period - 4_000)) // the gate
	contains(t, "reveal", u.must("tx matching reveal-order --from member0 --json "+files[0]), "sell placed", "energy 1 kWh")
	contains(t, "reveal", u.must("tx matching reveal-order --from member1 --json "+files[1]), "buy placed", "energy 1 kWh")
	contains(t, "matches", u.must(fmt.Sprintf("query matching matches --period %d", period)), "1 kWh", "member0")
}
