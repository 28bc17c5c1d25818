package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const marketBooks = "../../x/matching/book/testdata/"

// runMarket runs the command line args below a root of its own.
func runMarket(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "energycli", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(marketCommand())
	root.SetArgs(append([]string{"market"}, args...))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	err := root.Execute()
	return out.String(), err
}

// TestMarketClearJSON checks that the JSON is the book's result and, in the
// stats, the time it took.
func TestMarketClearJSON(t *testing.T) {
	for _, name := range []string{"limits", "no_limits"} {
		t.Run(name, func(t *testing.T) {
			out, err := runMarket(t, "", "clear", "--in", marketBooks+name+".book.json", "--json")
			if err != nil {
				t.Fatal(err)
			}
			expected, err := os.ReadFile(marketBooks + name + ".want.json")
			if err != nil {
				t.Fatal(err)
			}
			var got, want map[string]any
			if err := json.Unmarshal(expected, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			stats, _ := got["stats"].(map[string]any)
			if ms, ok := stats["solve_ms"].(float64); !ok || ms < 0 {
				t.Errorf("solve_ms: got %v", stats["solve_ms"])
			}
			delete(stats, "solve_ms")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMarketClearText checks what people read: kWh and coins, from a file and
// from standard input alike.
func TestMarketClearText(t *testing.T) {
	const file = marketBooks + "limits.book.json"
	out, err := runMarket(t, "", "clear", "--in", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`Buyer . Seller . Energy kWh . Price coin/kWh . Satisfaction %`,
		`b0 +. s0 +. +2 . +0\.45 . +83\.3334 `,
		`b1 +. s1 +. +2 . +0\.4 . +97\.9167 `,
		`energy traded +. 5 kWh`,
		`mean price +. 0\.42 coin/kWh`,
		`surplus +. 0\.2 coin`,
		`clean share +. 40 %`,
		`mean loss +. 1 %`,
		`mean distance +. 1 km`,
		`check +. the trades follow the mechanism`,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if piped, err := runMarket(t, string(text), "clear", "--in", "-"); err != nil || piped != out {
		t.Errorf("from standard input: got %v\n%s", err, piped)
	}
}

// TestMarketClearEmpty: a book without sells is no error, and JSON has a list.
func TestMarketClearEmpty(t *testing.T) {
	const empty = `{"mechanism":"kprototypes","params":{"range":{"price":1,"energy_wh":1,"credit":1,"loss_ppm":1},"loss_ppm_per_km":0},"buys":[],"sells":[]}`
	out, err := runMarket(t, empty, "clear", "--in", "-", "--json")
	if err != nil || !strings.Contains(out, `"trades": []`) {
		t.Errorf("got %v, %s", err, out)
	}
	if _, err := runMarket(t, empty, "clear", "--in", "-"); err != nil {
		t.Error(err)
	}
}

func TestMarketUsageErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.json")
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"no file named", "", []string{"clear"}, "flag --in: expected a file, or - for standard input, got nothing"},
		{"no such file", "", []string{"clear", "--in", missing}, "flag --in: open " + missing + ": no such file or directory"},
		{"stray argument", "", []string{"clear", "book.json"}, `energycli market clear: expected no argument, got "book.json"`},
		{"no such command", "", []string{"clean"}, `energycli market: unknown command "clean"`},
		{"not JSON", "{", []string{"clear", "--in", "-"}, "-: line 1 column 1: expected JSON, got unexpected end of JSON input"},
		{
			"broken book", "{\n \"mechanism\": \"lottery\"}",
			[]string{"clear", "--in", "-", "--json"},
			`-: line 2 column 15: field mechanism: expected one of kprototypes, cmap, welfare, auction, posted, highlow, got "lottery"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := runMarket(t, c.stdin, c.args...)
			if usage := (usageError{}); !errors.As(err, &usage) {
				t.Fatalf("got %v, want a usageError", err)
			}
			if err.Error() != c.want || out != "" {
				t.Errorf("\n got %s\nwant %s\nprinted %q", err, c.want, out)
			}
			if c.name == "no such file" && !errors.Is(err, fs.ErrNotExist) {
				t.Error("the cause is lost")
			}
		})
	}
}
