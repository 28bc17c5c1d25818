package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const contracts = `{"price_matrix":{"A":{"B":{"priority":1,"price":300000},"C":{"priority":2,"price":400000}},"<D>":{}},
"tariff":{"retail":500000,"feed_in":200000},
"supply":[{"account":"A","energy_wh":10000},{"account":"<D>","energy_wh":1}],
"consumption":[{"account":"B","energy_wh":7000},{"account":"C","energy_wh":5000}]}`

// runSettlement runs the command line args below a root of its own.
func runSettlement(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "energycli", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(settlementCommand())
	root.SetArgs(append([]string{"settlement"}, args...))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	err := root.Execute()
	return out.String(), err
}

func TestSettlementRunJSON(t *testing.T) {
	out, err := runSettlement(t, contracts, "run", "--in", "-", "--json")
	if err != nil {
		t.Fatal(err)
	}
	record := func(seller, buyer, rest string) string {
		return `{"seller":"` + seller + `","buyer":"` + buyer + `",` + rest + `}`
	}
	want := `{"records":[` + strings.Join([]string{
		record("A", "B", `"energy_wh":7000,"price":300000,"amount":2100000`),
		record("A", "C", `"energy_wh":3000,"price":400000,"amount":1200000`),
		record("<D>", "grid", `"energy_wh":1,"price":200000,"amount":200`),
		record("grid", "C", `"energy_wh":2000,"price":500000,"amount":1000000`),
	}, ",") + `]}`
	if got := regexp.MustCompile(`\s`).ReplaceAllString(out, ""); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	const nothing = `{"price_matrix":{},"tariff":{"retail":1,"feed_in":1},"supply":[],"consumption":[]}`
	if out, err = runSettlement(t, nothing, "run", "--in", "-", "--json"); err != nil || !strings.Contains(out, `"records": []`) {
		t.Errorf("nothing to settle: got %v, %s", err, out)
	}
}

// TestSettlementRunText checks what people read: kWh and coins.
func TestSettlementRunText(t *testing.T) {
	out, err := runSettlement(t, contracts, "run", "--in", "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`Seller . Buyer . Energy kWh . Price coin/kWh . Amount coin `,
		`A +. B +. +7 . +0\.3 . +2\.1 `,
		`<D> +. grid +. +0\.001 . +0\.2 . +0\.0002 `,
		`grid +. C +. +2 . +0\.5 . +1 `,
		`sum +. +12\.001 . +. +4\.3002 `,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
}

func TestSettlementUsageErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.json")
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"no file named", "", []string{"run"}, "flag --in: expected a file, or - for standard input, got nothing"},
		{"no such file", "", []string{"run", "--in", missing}, "flag --in: open " + missing + ": no such file or directory"},
		{"stray argument", "", []string{"run", "period.json"}, `energycli settlement run: expected no argument, got "period.json"`},
		{"no such command", "", []string{"ran"}, `energycli settlement: unknown command "ran"`},
		{"not JSON", "{", []string{"run", "--in", "-"}, "-: line 1 column 1: expected JSON, got unexpected end of JSON input"},
		{
			"broken period", strings.Replace(contracts, "7000", "-7", 1),
			[]string{"run", "--in", "-", "--json"},
			"-: line 4 column 43: field consumption[0].energy_wh: expected 0 or more, got -7",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := runSettlement(t, c.stdin, c.args...)
			if usage := (usageError{}); !errors.As(err, &usage) || exitCode(err) != exitUsage {
				t.Fatalf("got %v, want a usageError", err)
			}
			if err.Error() != c.want || out != "" {
				t.Errorf("\n got %s\nwant %s\nprinted %q", err, c.want, out)
			}
		})
	}
}
