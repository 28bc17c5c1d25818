package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const bankFile = "../../x/credit/stackelberg/testdata/bank.json"

func runCredit(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "energycli", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(creditCommand())
	root.SetArgs(append([]string{"credit", "simulate"}, args...))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	err := root.Execute()
	return out.String(), err
}

// TestCreditSimulateText: alice and bob borrow 10 (90 000/r - 1) coins each, carol
// up to 4 coins the same; 15 coins are asked for when alice and bob take 5.5 and
// carol 4, at 90 000/1.55 = 58 064.5. Utility of alice: 0.9 ln 1.55 - 5.5 x 0.058.
func TestCreditSimulateText(t *testing.T) {
	plot := filepath.Join(t.TempDir(), "plot.svg")
	out, err := runCredit(t, "", "--in", bankFile, "--plot", plot)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`Borrower . Limit coin . Loan coin . Interest coin . Risk % . Expected profit coin . Utility coin . Demand`,
		`alice +. +25 . +5\.49987 . +0\.319349 . +0 . +0\.264351 . +0\.07507\d . on curve`,
		`carol +. +4 . +4 . +0\.23226 . +0 . +0\.19226 . +0\.0705\d+ . at limit`,
		`dave +. +25 . +0 . +0 . +10 . +0 . +0 . refused`,
		`rate per term +. 5\.8065 % `,
		`rates the bank may ask . 0\.1 % to 20 % `,
		`capital +. 15 coin `,
		`lent +. 14\.99\d+ coin `,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
	picture, err := os.ReadFile(plot)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{">alice<", ">dave<", ">all served<", ">capital shared out<", ">5.8065 %<"} {
		if !strings.Contains(string(picture), text) {
			t.Errorf("no %s in the plot", text)
		}
	}
}

func TestCreditSimulateRationed(t *testing.T) {
	data, err := os.ReadFile(bankFile)
	if err != nil {
		t.Fatal(err)
	}
	lower := strings.Replace(string(data), `"rate_max_ppm": 200000`, `"rate_max_ppm": 40000`, 1)
	out, err := runCredit(t, lower, "--in", "-", "--capital", "2.9")
	if err != nil || !strings.Contains(out, "2.9 coin, demand exceeds capital: cut in proportion") {
		t.Errorf("got %v\n%s", err, out)
	}
	out, err = runCredit(t, lower, "--in", "-", "--capital", "0")
	if err != nil || !strings.Contains(out, "0 coin: no capital") {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestCreditSimulateDrawn(t *testing.T) {
	args := []string{"--borrowers", "9", "--seed", "5", "--json"}
	out, err := runCredit(t, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Bank struct {
			CapitalUcoin int64 `json:"capital_ucoin"`
		} `json:"bank"`
		Offer struct {
			RatePPM     int64            `json:"rate_ppm"`
			LentUcoin   int64            `json:"lent_ucoin"`
			ProfitUcoin int64            `json:"expected_profit_ucoin"`
			Loans       []map[string]any `json:"loans"`
		} `json:"offer"`
		Utilities  []int64        `json:"utilities_ucoin"`
		Candidates []lendingPoint `json:"candidates"`
		Curve      []lendingPoint `json:"curve"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Bank.CapitalUcoin != 90_000_000 || report.Offer.LentUcoin == 0 || len(report.Offer.Loans) != 9 || len(report.Utilities) != 9 {
		t.Errorf("got %+v", report)
	}
	found := false
	for _, p := range report.Candidates {
		found = found || p.RatePPM == report.Offer.RatePPM && p.ProfitUcoin == report.Offer.ProfitUcoin
	}
	for _, p := range report.Curve {
		// Each borrower's part of a profit is rounded down.
		if !p.Rationed && p.ProfitUcoin > report.Offer.ProfitUcoin+9 {
			t.Errorf("%+v beats the offer of %d", p, report.Offer.ProfitUcoin)
		}
	}
	if !found || len(report.Curve) < lendingPoints {
		t.Errorf("%d candidates, %d points of the curve", len(report.Candidates), len(report.Curve))
	}
	if again, err := runCredit(t, "", args...); err != nil || again != out {
		t.Errorf("drawn again: %v\n%s", err, again)
	}
}

// TestCreditSimulateNobody: an empty list is no error.
func TestCreditSimulateNobody(t *testing.T) {
	const nobody = `{"bank":{"capital_ucoin":1,"cost_ppm":0,"prior_default_ppm":0,"rate_min_ppm":1,"rate_max_ppm":2},"borrowers":[]}`
	plot := filepath.Join(t.TempDir(), "plot.svg")
	out, err := runCredit(t, nobody, "--in", "-", "--plot", plot)
	if err != nil || !strings.Contains(out, "0 coin: no borrowers") {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestCreditSimulateErrors(t *testing.T) {
	for _, c := range []struct{ stdin, args, want string }{
		{"", "", "flag --in: expected a file, - for standard input, or --borrowers, got nothing"},
		{"", "--in none", "flag --in: open none: no such file or directory"},
		{"", "--borrowers 0", "flag --borrowers: expected 1 to 1000, got 0"},
		{"", "--borrowers 1001", "flag --borrowers: expected 1 to 1000, got 1001"},
		{"", "--borrowers 3 --in x", "flag --borrowers: expected none with --in, whose file has them"},
		{"", "--in x --seed 3", "flag --seed: expected none without --borrowers, as nothing is drawn"},
		{"", "--borrowers 3 --capital -1", `flag --capital: expected coins of 0 or more with at most 6 decimal places, got "-1"`},
		{"", "--borrowers 3 --capital 0.0000001", `flag --capital: expected coins of 0 or more with at most 6 decimal places, got "0.0000001"`},
		{"{", "--in -", "-: line 1 column 1: expected JSON, got unexpected end of JSON input"},
		{`{"bank":{},"borrowers":[]}`, "--in -", "-: line 1 column 9: field bank.capital_ucoin: expected a value, got nothing"},
	} {
		out, err := runCredit(t, c.stdin, strings.Fields(c.args)...)
		if usage := (usageError{}); !errors.As(err, &usage) || err.Error() != c.want || out != "" || exitCode(err) != exitUsage {
			t.Errorf("%s:\n got %v\nwant %s", c.args, err, c.want)
		}
	}
}
