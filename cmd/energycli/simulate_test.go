package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMarketSimulate(t *testing.T) {
	plot := filepath.Join(t.TempDir(), "plot.svg")
	args := []string{"simulate", "--draws", "s3ch4", "--runs", "2", "--seed", "3", "--size", "10x12", "--mechanisms", "cmap,auction"}
	out, err := runMarket(t, "", append(args, "--plot", plot)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"s3ch4, 10x12, runs 2", "cmap", "auction", "satisfaction", "volume kWh", "loss 1 % per km"} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in\n%s", text, out)
		}
	}
	if svg, err := os.ReadFile(plot); err != nil || !strings.HasPrefix(string(svg), "<svg ") {
		t.Errorf("plot: %v, %.20s", err, svg)
	}
	out, err = runMarket(t, "", append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Buys       int `json:"buys"`
		Mechanisms []struct {
			Name    string           `json:"name"`
			Figures map[string]int64 `json:"figures"`
		} `json:"mechanisms"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Buys != 10 || len(report.Mechanisms) != 2 || report.Mechanisms[0].Name != "cmap" || report.Mechanisms[0].Figures["volume_wh"] == 0 {
		t.Errorf("got %+v", report)
	}
}

func TestMarketSimulateFile(t *testing.T) {
	out, err := runMarket(t, "", "simulate", "--draws", marketBooks+"limits.book.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"kprototypes has the parameters of the file", "do not state reputation: 100", "highlow"} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in\n%s", text, out)
		}
	}
}

func TestMarketMisreport(t *testing.T) {
	out, err := runMarket(t, "", "simulate", "--misreport", "--runs", "2", "--size", "5x5")
	if err != nil || !strings.Contains(out, "2 books, 5x5") || !strings.Contains(out, "ask -20 %") || !strings.Contains(out, "welfare") {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestMarketSimulateErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "flag --draws: expected s3ch3, s3ch4 or a book file, got nothing"},
		{"--draws none", "flag --draws: expected s3ch3, s3ch4 or a book file: open none: no such file or directory"},
		{"--draws s3ch3 --size 5", `flag --size: expected buys and sells such as 100x120, got "5"`},
		{"--draws s3ch3 --runs 0", "runs: expected 1 or more, got 0"},
		{"--draws s3ch3 --mechanisms dice", `mechanism: expected kprototypes, kprototypes-limit, cmap, cmap-limit, welfare, auction, posted, highlow, got "dice"`},
		{"--draws " + marketBooks + "limits.book.json --runs 2", "flag --runs: expected none with a book file, which is not drawn"},
		{"--misreport --draws s3ch3", "flag --draws: expected none with --misreport, which has its own"},
		{"--misreport --size 3x4", `flag --size: expected as many sells as buys, got "3x4"`},
	} {
		out, err := runMarket(t, "", append([]string{"simulate"}, strings.Fields(c.args)...)...)
		if usage := (usageError{}); !errors.As(err, &usage) || err.Error() != c.want || out != "" {
			t.Errorf("%s:\n got %v\nwant %s", c.args, err, c.want)
		}
	}
}
