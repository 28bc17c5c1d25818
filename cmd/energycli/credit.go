package main

import (
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/credit/stackelberg"
)

// creditCommand groups what can be computed of the credit bank off the chain.
func creditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credit",
		Short: "Price a credit bank's loans from a file",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(creditSimulateCommand())
	return cmd
}

// lending holds the flags of credit simulate.
type lending struct {
	in, capital, plot string
	borrowers         int
	seed              uint64
	asJSON            bool
}

func creditSimulateCommand() *cobra.Command {
	var l lending
	cmd := &cobra.Command{
		Use:   "simulate --in FILE | --borrowers N",
		Short: "Find the rate at which a credit bank gains most",
		Long: `Simulate finds the rate at which a bank gains most when every borrower takes the
loan that is best for it at that rate, and prints the rate, the bank's expected
profit, and each borrower's loan and utility. No node is needed.

The file holds the bank and its borrowers, amounts in ucoin, rates in ppm per
loan term (10000 ppm are 1 %):

  { "bank": { "capital_ucoin": 50000000, "cost_ppm": 2000,
      "prior_default_ppm": 10000, "rate_min_ppm": 1000, "rate_max_ppm": 200000 },
    "borrowers": [ { "id": "alice", "amount_ucoin": 20000000, "rate_ppm": 30000,
      "none_from_ppm": 90000, "limit_ucoin": 25000000, "loans": 12, "defaults": 1 } ] }

  capital_ucoin      what the bank can lend
  cost_ppm           what money costs it
  prior_default_ppm  risk of default of somebody without history
  amount_ucoin       what the borrower would take at rate_ppm
  none_from_ppm      the rate from which on it takes nothing, above rate_ppm
  limit_ucoin        the most it may borrow
  loans, defaults    how many it has had, and how many it did not repay

With --borrowers the bank and the borrowers are drawn at random, the same ones
for the same seed. Where more is asked than there is at the greatest rate, all
loans are cut in proportion.`,
		Example: "  energycli credit simulate --borrowers 12 --seed 4 --plot credit.svg\n  energycli credit simulate --in bank.json --capital 25 --json",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return l.run(cmd) },
	}
	cmd.Flags().StringVar(&l.in, "in", "", "file of a bank and its borrowers, - for standard input")
	cmd.Flags().IntVar(&l.borrowers, "borrowers", 0, "borrowers to draw")
	cmd.Flags().Uint64Var(&l.seed, "seed", 1, "seed of the draws")
	cmd.Flags().StringVar(&l.capital, "capital", "", "capital of the bank in coins, in place of the file's or the drawn one")
	cmd.Flags().BoolVar(&l.asJSON, "json", false, "print the result as JSON")
	cmd.Flags().StringVar(&l.plot, "plot", "", "write profit, demand and utility against the rate as SVG to this file")
	return cmd
}

func (l *lending) run(cmd *cobra.Command) error {
	bank, borrowers, err := l.read(cmd)
	if err != nil {
		return usageError{err}
	}
	r, err := newLendingReport(bank, borrowers)
	if err != nil {
		return err
	}
	if l.plot != "" {
		if err := writePlot(l.plot, func(w io.Writer) error { return writeLendingPlot(w, r) }); err != nil {
			return err
		}
	}
	if l.asJSON {
		return writeIndented(cmd.OutOrStdout(), r)
	}
	return writeLendingText(cmd.OutOrStdout(), r)
}

// read returns the bank and the borrowers that the flags name.
func (l *lending) read(cmd *cobra.Command) (bank stackelberg.Bank, borrowers []stackelberg.Borrower, err error) {
	drawn := cmd.Flags().Changed("borrowers")
	switch {
	case drawn && l.in != "":
		return bank, nil, fmt.Errorf("flag --borrowers: expected none with --in, whose file has them")
	case !drawn && cmd.Flags().Changed("seed"):
		return bank, nil, fmt.Errorf("flag --seed: expected none without --borrowers, as nothing is drawn")
	case drawn && (l.borrowers < 1 || l.borrowers > stackelberg.MaxBorrowers):
		return bank, nil, fmt.Errorf("flag --borrowers: expected 1 to %d, got %d", stackelberg.MaxBorrowers, l.borrowers)
	case drawn:
		bank, borrowers = drawBorrowers(l.borrowers, l.seed)
	case l.in == "":
		return bank, nil, fmt.Errorf("flag --in: expected a file, - for standard input, or --borrowers, got nothing")
	default:
		data, err := readInput(cmd.InOrStdin(), l.in)
		if err != nil {
			return bank, nil, err
		}
		if bank, borrowers, err = stackelberg.Read(data); err != nil {
			return bank, nil, fmt.Errorf("%s: %w", l.in, err)
		}
	}
	if l.capital != "" {
		bank.CapitalUcoin, err = units.ParseScaled(l.capital, 6)
		if err != nil || bank.CapitalUcoin < 0 {
			return bank, nil, fmt.Errorf("flag --capital: expected coins of 0 or more with at most 6 decimal places, got %q", l.capital)
		}
	}
	return bank, borrowers, nil
}

// drawBorrowers draws borrowers as a neighbourhood may have them: loans of 1 to
// 40 coins at 1 to 5 %, nothing at 2 to 10 % more, up to 4 % of past loans not
// repaid. The bank has 10 coins for each.
func drawBorrowers(n int, seed uint64) (stackelberg.Bank, []stackelberg.Borrower) {
	source := rand.NewPCG(seed, 0)
	between := func(low, high int64) int64 {
		above, _ := bits.Mul64(source.Uint64(), uint64(high-low+1))
		return low + int64(above)
	}
	bank := stackelberg.Bank{
		CapitalUcoin: 10 * units.UcoinPerCoin * int64(n),
		CostPPM:      2_000, PriorDefaultPPM: 10_000, RateMinPPM: 1_000, RateMaxPPM: 200_000,
	}
	borrowers := make([]stackelberg.Borrower, n)
	for i := range borrowers {
		b := &borrowers[i]
		b.ID = fmt.Sprintf("b%d", i)
		b.AmountUcoin = between(10, 400) * units.UcoinPerCoin / 10
		b.RatePPM = between(100, 500) * 100
		b.NoneFromPPM = b.RatePPM + between(200, 1_000)*100
		b.LimitUcoin = between(50, 600) * units.UcoinPerCoin / 10
		b.Loans = between(0, 100)
		b.Defaults = between(0, b.Loans/25)
	}
	return bank, borrowers
}
