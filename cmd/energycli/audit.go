package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/audit"
)

// errWrongOnChain is returned for a clearing that the chain should not have made.
var errWrongOnChain = errors.New("the clearing is wrong")

func auditCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Check by computing again what the chain did", Args: noArguments, RunE: showHelp,
	}
	cmd.AddCommand(auditClearingCommand(o))
	return cmd
}

func auditClearingCommand(o *options) *cobra.Command {
	var bills bool
	all := leaves((&matchingv1.QueryBookRequest{}).ProtoReflect().Descriptor())
	cmd := &cobra.Command{
		Use: "clearing --period PERIOD [--market N]", Short: "Clear a period's book again, round by round, and compare", Args: noArguments,
		Long: `Clear a period's book again, with the code that validators run, and compare each
match with what the chain made of its orders: energy, price, loss, satisfaction,
what lines cut, objective, surplus and the auction to compare with. Checks of
other code see that no order trades more than it has, that every match lies
within both limits, and, for CMAP and welfare, that the chain's certificate
proves its matches to be the best clearing of this book.

Nobody's word is taken for the result. What it starts from comes from the node:
orders and matches from the events of its blocks, parameters, market, grid and
certificate from its state, the hash that decides ties from a header whose
signatures are checked. Events are no part of what validators sign, so a node
that lies about orders and matches alike is found out by asking another one
(--node), or, once the period is settled, with --bills: each confirmed match must
be in its buyer's statement, which leads by proof to a signed header.

The exit code is 0 if all is right, 1 if something is wrong, 5 if the node has
no such clearing. After settlement closed the book the certificate is gone.`,
		Example: "  energycli audit clearing --period 2026-01-31T12:00:00Z",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			period, market, err := l.readBook(cmd, all)
			if err != nil {
				return err
			}
			if err := stated(all, func(l leaf) bool { return cmd.Flags().Changed(l.flag) }); err != nil {
				return err
			}
			if err := l.connect(); err != nil {
				return err
			}
			g, err := l.gather(period, market)
			if err != nil {
				return err
			}
			var proved []audit.Finding
			if bills {
				finding, err := l.checkBills(g)
				if err != nil {
					return err
				}
				proved = append(proved, finding)
			}
			return o.audit(cmd, g, proved)
		},
	}
	registerLeaves(cmd.Flags(), all)
	cmd.Flags().BoolVar(&bills, "bills", false, "check that the buyers' statements, by proof, hold the matches")
	return cmd
}

// audit prints the audit of a period's rounds; its error says what is wrong.
func (o *options) audit(cmd *cobra.Command, g *gathered, proved []audit.Finding) error {
	shown := auditJSON{Bills: proved, Period: g.rules.Period, Mechanism: mechanismName(g.rules.Market.Mechanism), Remark: g.remark, Right: true}
	var wrong error
	var before *matchingv1.Book
	for _, r := range g.rounds {
		report, err := audit.Check(r.rules, r.Sells, r.Buys, audit.Record{
			Matches: r.Matches, Cuts: r.Cuts, Book: r.Book, Before: before, Certificate: r.certificate,
		})
		if err != nil {
			return fmt.Errorf("%w: the book cannot be cleared: %w", errWrongOnChain, err)
		}
		before = r.Book
		if finding := report.Wrong(); finding != nil {
			shown.Right = false
			if wrong == nil {
				wrong = fmt.Errorf("%w: round %d: %s: %s", errWrongOnChain, r.Book.Round, finding.Check, finding.Wrong)
			}
		}
		shown.Rounds = append(shown.Rounds, auditedRound(g.trading, r, report))
	}
	for _, finding := range proved {
		if finding.Wrong != "" {
			shown.Right = false
			wrong = cmp.Or(wrong, fmt.Errorf("%w: %s: %s", errWrongOnChain, finding.Check, finding.Wrong))
		}
	}
	write := shown.write
	if o.json() {
		write = func(w io.Writer) error { return printJSON(w, shown) }
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	return wrong
}

// auditJSON is an audit for programs: Wh, ucoin per kWh, ppm.
type auditJSON struct {
	Period    int64       `json:"period"`
	Mechanism string      `json:"mechanism"`
	Right     bool        `json:"right"`
	Remark    string      `json:"remark,omitempty"`
	Rounds    []roundJSON `json:"rounds"`
	// Bills has the finding of --bills, if asked.
	Bills []audit.Finding `json:"bills,omitempty"`
}

type roundJSON struct {
	Round   int64           `json:"round"`
	Height  int64           `json:"height"`
	AppHash string          `json:"prev_app_hash"`
	Sells   int             `json:"sells"`
	Buys    int             `json:"buys"`
	Checks  []audit.Finding `json:"checks"`
	Matches []auditedJSON   `json:"matches"`
}

// auditedJSON is a match as the chain made it and as it is made again; one of
// them is missing where only the other found it.
type auditedJSON struct {
	Sell  string     `json:"sell"`
	Buy   string     `json:"buy"`
	Fate  string     `json:"fate,omitempty"`
	Chain *termsJSON `json:"chain,omitempty"`
	Again *termsJSON `json:"again,omitempty"`
}

type termsJSON struct {
	EnergyWh int64 `json:"energy_wh"`
	Price    int64 `json:"price"`
	LossPPM  int64 `json:"loss_ppm"`
}

func auditedRound(trading *client.Trading, r round, report *audit.Report) roundJSON {
	shown := roundJSON{
		Round: r.Book.Round, Height: r.Height, AppHash: fmt.Sprintf("%X", r.rules.PrevAppHash),
		Sells: len(r.Sells), Buys: len(r.Buys), Checks: report.Findings, Matches: []auditedJSON{},
	}
	for _, pair := range report.Pairs {
		row := auditedJSON{Sell: fmt.Sprintf("%x", pair.Sell.Id), Buy: fmt.Sprintf("%x", pair.Buy.Id)}
		if said := pair.Said; said != nil {
			row.Chain = &termsJSON{said.EnergyWh, said.PriceUcoinPerKwh, said.LossPpm}
			row.Fate = trading.Fates[string(said.Id)].String()
		}
		if again := pair.Again; again != nil {
			row.Again = &termsJSON{again.EnergyWh, again.Price, again.LossPPM}
		}
		shown.Matches = append(shown.Matches, row)
	}
	return shown
}

func (a *auditJSON) write(w io.Writer) error {
	if err := writeLines(w, []line{{"period", units.FormatTime(a.Period)}, {"mechanism", a.Mechanism}}); err != nil {
		return err
	}
	for _, r := range a.Rounds {
		if err := r.write(w); err != nil {
			return err
		}
	}
	verdict := "right: clearing this book again gives what the chain did"
	if !a.Right {
		verdict = "WRONG"
	}
	lines := append(findingLines(a.Bills), line{"verdict", verdict})
	if a.Remark != "" {
		lines = append(lines, line{"remark", a.Remark})
	}
	return writeLines(w, lines)
}

func (r roundJSON) write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "\nround %d: block %d, %d sells, %d buys, ties by %s\n", r.Round, r.Height, r.Sells, r.Buys, r.AppHash); err != nil {
		return err
	}
	if len(r.Matches) > 0 {
		matches := newTable("Sell", "Buy", "Chain kWh", "Again kWh", "Chain coin/kWh", "Again coin/kWh", "Loss %", "Became")
		matches.SetColumnConfigs(rightAligned(3, 7))
		for _, m := range r.Matches {
			row := table.Row{m.Sell[:shortID], m.Buy[:shortID], "-", "-", "-", "-", "-", "-"}
			if m.Chain != nil {
				row[2], row[4], row[6] = units.FormatScaled(m.Chain.EnergyWh, 3), units.FormatScaled(m.Chain.Price, 6), units.FormatScaled(m.Chain.LossPPM, 4)
				row[7] = m.Fate
			}
			if m.Again != nil {
				row[3], row[5] = units.FormatScaled(m.Again.EnergyWh, 3), units.FormatScaled(m.Again.Price, 6)
			}
			matches.AppendRow(row)
		}
		if _, err := fmt.Fprintln(w, matches.Render()); err != nil {
			return err
		}
	}
	return writeLines(w, findingLines(r.Checks))
}

func findingLines(findings []audit.Finding) []line {
	var lines []line
	for _, finding := range findings {
		verdict := "right"
		switch {
		case finding.Wrong != "":
			verdict = "WRONG: " + finding.Wrong
		case finding.Skipped != "":
			verdict = "not checked: " + finding.Skipped
		}
		lines = append(lines, line{finding.Check, verdict})
	}
	return lines
}

// shortID is how many digits of an order's id are enough to tell the orders of a
// period apart.
const shortID = 12

func short(id []byte) string { return fmt.Sprintf("%x", id)[:shortID] }

func mechanismName(mechanism matchingv1.Mechanism) string {
	return client.FormatEnum(mechanism.Descriptor(), mechanism.Number())
}

// rightAligned aligns the columns from first to last, from 1, to the right.
func rightAligned(first, last int) []table.ColumnConfig {
	var configs []table.ColumnConfig
	for number := first; number <= last; number++ {
		configs = append(configs, table.ColumnConfig{Number: number, Align: text.AlignRight})
	}
	return configs
}
