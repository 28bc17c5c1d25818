package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/energyd/energyd/internal/svg"
	"github.com/energyd/energyd/units"
)

// Verification is what trades cost on the fast and on the full path (package
// reputation), measured on a network of real processes.
type Verification struct {
	// Blocks while the runs went on, and the mean time of one.
	Blocks  int64             `json:"blocks"`
	BlockMs int64             `json:"block_ms"`
	Runs    []VerificationRun `json:"runs"`
}

// VerificationRun is some trades of a pair in one period. Times are wall times.
type VerificationRun struct {
	Trades int  `json:"trades"`
	Full   bool `json:"full"`
	// Txs are the pair's and its aggregators' transactions in blocks, each with one
	// signature, Bytes what they take there.
	Txs   int64 `json:"txs"`
	Bytes int64 `json:"bytes"`
	// From the first transaction sent to the last one seen in a block, of each
	// stage; 0 for those that the fast path spares.
	ReauthoriseMs int64 `json:"reauthorise_ms"`
	OrderMs       int64 `json:"order_ms"`
	SignMs        int64 `json:"sign_ms"`
	// From the first transaction sent to the last match confirmed, and to the
	// statements of the period: with the wait for the gate and for the delivery.
	ConfirmedMs int64 `json:"confirmed_ms"`
	SettledMs   int64 `json:"settled_ms"`
	// Coins of both sides that the matches hold until they settle.
	HeldUcoin int64 `json:"held_ucoin"`
}

// VerifyMs is the time that verification takes: that of all stages, without the
// wait for the gate between orders and clearing, which both paths share.
func (r *VerificationRun) VerifyMs() int64 { return r.ReauthoriseMs + r.OrderMs + r.SignMs }

func (r *VerificationRun) path() string {
	if r.Full {
		return "full"
	}
	return "fast"
}

// stages is VerifyMs with what it consists of.
func (r *VerificationRun) stages() string {
	if !r.Full {
		return strconv.FormatInt(r.OrderMs, 10)
	}
	return fmt.Sprintf("%d+%d+%d = %d", r.ReauthoriseMs, r.OrderMs, r.SignMs, r.VerifyMs())
}

// per is an amount for each trade of the run.
func (r *VerificationRun) per(amount int64) string {
	return strconv.FormatFloat(float64(amount)/float64(r.Trades), 'f', 1, 64)
}

// WriteJSON writes the measurement, indented.
func (v *Verification) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write measurement: %w", err)
	}
	return nil
}

// WriteText writes the measurement as a table, and what dominates it.
func (v *Verification) WriteText(w io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{
		"trades", "path", "verification ms", "a trade", "transactions", "a trade", "bytes", "a trade", "held coins", "confirmed s", "settled s",
	})
	var right []table.ColumnConfig
	for column := 3; column <= 11; column++ {
		right = append(right, table.ColumnConfig{Number: column, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	for i := range v.Runs {
		r := &v.Runs[i]
		t.AppendRow(table.Row{
			r.Trades, r.path(), r.stages(), r.per(r.VerifyMs()), r.Txs, r.per(r.Txs), r.Bytes, r.per(r.Bytes),
			units.FormatScaled(r.HeldUcoin, 6), seconds(r.ConfirmedMs), seconds(r.SettledMs),
		})
	}
	_, err := fmt.Fprintf(w, "%s\n%s", t.Render(), v.summary())
	return err
}

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) }

// summary says in words what the table means.
func (v *Verification) summary() string {
	var ms, runs [2]int64 // fast, full
	for i := range v.Runs {
		path := i % 2
		ms[path] += v.Runs[i].VerifyMs()
		runs[path]++
	}
	fast, full := ms[0]/runs[0], ms[1]/runs[1]
	return fmt.Sprintf("Verification of the full path: re-authorised + ordered + signed. Each transaction has one signature, which every node checks.\n"+
		"What dominates is the block time, %d ms in the mean of %d blocks: all trades of a period travel together. The fast path waits\n"+
		"for one batch of transactions (%d ms in the mean), the full path for four, one after the other (%d ms). From the first\n"+
		"transaction to the last match both mostly wait for the gate, to settlement for the delivery and the readings.\n",
		v.BlockMs, v.Blocks, fast, full)
}

// WritePlot draws time, transactions and bytes over the number of trades as SVG.
func (v *Verification) WritePlot(w io.Writer) error {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	charts := []svg.Chart{
		{Title: "verification, ms", Lines: v.lines((*VerificationRun).VerifyMs)},
		{Title: "transactions (signatures)", Lines: v.lines(func(r *VerificationRun) int64 { return r.Txs })},
		{Title: "bytes in blocks", Lines: v.lines(func(r *VerificationRun) int64 { return r.Bytes })},
	}
	title := "Trades of a pair in one period, with valid reliability (fast) and without (full)"
	return svg.Write(w, svg.ChartWidth, svg.TitleHeight+len(charts)*svg.ChartHeight, title, func(b *strings.Builder) {
		for i := range charts {
			c := &charts[i]
			c.Across, c.X, c.Y, c.Mark = "trades", number, number, 1
			c.Draw(b, 0, svg.TitleHeight+i*svg.ChartHeight)
		}
	})
}

// lines are the two paths of a figure.
func (v *Verification) lines(of func(*VerificationRun) int64) []svg.Line {
	lines := []svg.Line{{Name: "fast path", Colour: svg.Palette[0]}, {Name: "full path", Colour: svg.Palette[2]}}
	for i := range v.Runs {
		r, path := &v.Runs[i], 0
		if r.Full {
			path = 1
		}
		lines[path].Points = append(lines[path].Points, svg.Point{X: int64(r.Trades), Y: of(r)})
	}
	return lines
}
