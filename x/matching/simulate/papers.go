package simulate

import (
	"fmt"
	"io"
	"strings"
)

// What WritePapers draws; docs/papers.md is written with these.
const (
	papersRuns   = 5
	papersSeed   = 1
	papersBooks  = 300
	papersOrders = 20
)

// claim is a row of the papers' tables.
type claim struct {
	what, paper, reproduced string
	mechanism, measure      string // ours
}

// The tables of matching.md 4.
var (
	claimsCh4 = []claim{
		{"mean satisfaction", "0.70", "0.705", "cmap", "satisfaction"},
		{"satisfaction, top tenth", "0.90", "0.894", "cmap", "satisfaction, top tenth"},
		{"satisfaction, worst tenth", "0.43", "0.445", "cmap", "satisfaction, worst tenth"},
		{"rejected below 0.43, %", "3.0", "3.2", "cmap", "satisfaction below 0.43, % of matches"},
		{"buyers' share of their optimum, %", "94.24", "93.5", "cmap", "buyers' share of their optimum %"},
		{"sellers' share of their optimum, %", "96.44", "95.8", "cmap", "sellers' share of their optimum %"},
		{"mean price", "0.87", "0.859", "cmap", "price coin/kWh"},
		{"clean share, %", "79.7", "81.9", "cmap", "clean share %"},
		{"mean distance, km", "5.0", "3.5", "cmap", "distance km"},
		{"matches", "937", "993", "cmap", "matches"},
		{"high-low matching: pairs", "239", "250", "highlow", "matches"},
		{"high-low matching: distance, km", "26.4", "26.6", "highlow", "distance km"},
		{"high-low matching: clean share, %", "73.9", "79.8", "highlow", "clean share %"},
		{"high-low matching: price", "0.84", "0.853", "highlow", "price coin/kWh"},
	}
	claimsCh3 = []claim{
		{"multi-factor: clean share, %", "80", "80", "kprototypes", "clean share %"},
		{"multi-factor: volume, kWh", "7237", "7449-7528", "kprototypes", "volume kWh"},
		{"multi-factor: transmission loss, %", "2.07", "1.6-1.7", "kprototypes", "loss %"},
		{"multi-factor: price per delivered kWh", "0.563", "0.533", "kprototypes", "price delivered coin/kWh"},
		{"double auction: clean share, %", "0", "0", "auction", "clean share %"},
		{"double auction: volume, kWh", "3947", "3451-4652", "auction", "volume kWh"},
		{"double auction: transmission loss, %", "3.15", "3.7", "auction", "loss %"},
		{"double auction: price per delivered kWh", "0.526", "0.525", "auction", "price delivered coin/kWh"},
		{"any-volume auction, ours high-low: clean share, %", "", "15", "highlow", "clean share %"},
		{"high-low matching: volume, kWh", "", "", "highlow", "volume kWh"},
		{"high-low matching: price per delivered kWh", "", "", "highlow", "price delivered coin/kWh"},
	}
)

const papersHead = `# The papers' figures beside ours

Written by ` + "`make paper`" + `; do not edit. Every figure of ours is the mean of %d runs with seed %d, each clearing checked. The columns "paper" and "reproduced" are those of matching.md 4: what the thesis prints, and what its draws come to with exact arithmetic. Means of ours are by energy, those of satisfaction by match.

The thesis does not say which double auction it means in chapter 3. Ours is the uniform-price auction; that the reproduced 0.525 and the lower volume are near those of the high-low matching suggests pairs at the middle of bid and ask.
`

// WritePapers writes the papers' tables beside ours, all mechanisms on the
// papers' draws, and what misreporting gains, as Markdown.
func WritePapers(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, papersHead, papersRuns, papersSeed)
	for _, part := range []struct {
		title, draw string
		claims      []claim
	}{
		{"S3 chapter 4: CMAP, 500 x 500", S3Ch4, claimsCh4},
		{"S3 chapter 3: K-prototypes, 500 buys x 1000 sells", S3Ch3, claimsCh3},
	} {
		draw, err := NewDraw(part.draw, 0, 0)
		if err != nil {
			return err
		}
		report, err := Run(Config{Draw: draw, Runs: papersRuns, Seed: papersSeed})
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n## %s\n\n| | paper | reproduced | ours |\n|---|---|---|---|\n", part.title)
		for _, c := range part.claims {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.what, c.paper, c.reproduced, report.text(c.mechanism, c.measure))
		}
		b.WriteString("\nAll mechanisms on the same orders:\n\n")
		report.markdown(&b)
	}
	m, err := RunMisreport(papersBooks, papersOrders, papersSeed)
	if err != nil {
		return err
	}
	m.markdown(&b)
	_, err = io.WriteString(w, b.String())
	return err
}

// text returns a measure of a mechanism.
func (r *Report) text(mechanism, measure string) string {
	for i := range r.Mechanisms {
		for _, m := range Measures {
			if r.Mechanisms[i].Name == mechanism && m.Name == measure {
				return m.Text(&r.Mechanisms[i])
			}
		}
	}
	return ""
}

func (r *Report) markdown(b *strings.Builder) {
	b.WriteString("| |")
	for _, l := range r.Mechanisms {
		b.WriteString(" " + l.Name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(r.Mechanisms)) + "\n")
	for _, m := range Measures {
		b.WriteString("| " + m.Name + " |")
		for i := range r.Mechanisms {
			b.WriteString(" " + m.Text(&r.Mechanisms[i]) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, note := range r.Notes {
		b.WriteString("- " + note + "\n")
	}
}

func (m *Misreport) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## What a seller gains by misreporting\n\n%d books of the chapter 4 draws, %d x %d; one seller asks for so much more or less than its cost. Mean change of its surplus in coins, and in how many books it gains.\n\n| | honest surplus |", m.Books, m.Size, m.Size)
	for _, shade := range Shades {
		fmt.Fprintf(b, " %+d %% |", shade)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(Shades)+1) + "\n")
	for _, l := range m.Lines {
		fmt.Fprintf(b, "| %s | %s |", l.Name, l.HonestText())
		for k := range Shades {
			b.WriteString(" " + l.Text(k) + " |")
		}
		b.WriteString("\n")
	}
}

// HonestText returns the surplus with an honest ask in coins.
func (l *MisreportLine) HonestText() string { return rounded(l.HonestUcoin, 6, 2) }

// Text returns what a shade gains in coins, and in how many books.
func (l *MisreportLine) Text(shade int) string {
	return fmt.Sprintf("%s (%s %%)", rounded(l.GainsUcoin[shade], 6, 2), rounded(l.GainingPPM[shade], 4, 0))
}
