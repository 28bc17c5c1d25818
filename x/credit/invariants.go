package credit

import (
	"errors"
	"fmt"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{
		{Name: "credit.capital", Check: checkCapital},
		{Name: "credit.loans", Check: checkLoans},
		{Name: "credit.lines", Check: checkLines},
	}
}

var (
	errCapital = errors.New("the capital of a bank does not add up")
	errLoans   = errors.New("loans and what counts them disagree")
	errLines   = errors.New("lines and offers disagree")
)

// checkCapital says that a bank's capital, what it has lent and what became debt
// are what was paid in and earned, and that capital covers the lines.
func checkCapital(r state.Reader) error {
	for b := range values(banks.All(r, banks.Key())) {
		aggregator := protocol.Address(b.Aggregator)
		pool := protocol.CreditBankAddress(aggregator)
		has := bank.BalanceOf(r, pool)
		owed := bank.OwedTo(r, pool)
		switch lined := undrawn(r, b.Aggregator); {
		case has.FreeUcoin < 0 || has.EscrowUcoin != 0 || bank.DebtOf(r, pool) != 0:
			return fmt.Errorf("%w: %v has %v and owes %d ucoin", errCapital, aggregator, has, bank.DebtOf(r, pool))
		case lined < 0 || lined > has.FreeUcoin:
			return fmt.Errorf("%w: %v has %d ucoin for lines of %d", errCapital, aggregator, has.FreeUcoin, lined)
		case has.FreeUcoin+b.OutstandingUcoin+owed != b.PaidInUcoin+b.EarnedUcoin:
			return fmt.Errorf("%w: %v has %d ucoin, lent %d, is owed %d; paid in %d, earned %d",
				errCapital, aggregator, has.FreeUcoin, b.OutstandingUcoin, owed, b.PaidInUcoin, b.EarnedUcoin)
		}
	}
	return nil
}

// checkLoans compares loans with banks, borrowers, offers and dues.
func checkLoans(r state.Reader) error {
	lent, taken := map[string]int64{}, map[string]*creditv1.Borrower{}
	perOffer := map[string]int64{}
	rows := 0
	for loan := range values(loans.All(r, loans.Key())) {
		rows++
		if loan.PrincipalUcoin < 0 || loan.InterestUcoin < 0 || loan.PrincipalUcoin > loan.LentUcoin || !dues.Has(r, dueKey(loan)) {
			return fmt.Errorf("%w: %v", errLoans, loan)
		}
		lent[string(loan.Bank)] += loan.PrincipalUcoin
		perOffer[string(offerKey(loan.Bank, loan.Period))]++
		sums := taken[string(loan.Borrower)]
		if sums == nil {
			sums = &creditv1.Borrower{}
			taken[string(loan.Borrower)] = sums
		}
		sums.OutstandingUcoin += loan.PrincipalUcoin
		sums.OpenLoans++
		if loan.Late {
			sums.LateLoans++
		}
	}
	for range dues.All(r, dues.Key()) {
		rows--
	}
	if rows != 0 {
		return fmt.Errorf("%w: expected one due for each loan, got %d fewer", errLoans, rows)
	}
	for b := range values(banks.All(r, banks.Key())) {
		if b.OutstandingUcoin != lent[string(b.Aggregator)] {
			return fmt.Errorf("%w: %v has lent %d ucoin, its loans are %d", errLoans, protocol.Address(b.Aggregator), b.OutstandingUcoin, lent[string(b.Aggregator)])
		}
	}
	known := 0
	for b := range values(borrowers.All(r, borrowers.Key())) {
		sums := taken[string(b.Borrower)]
		if sums != nil {
			known++
		}
		if b.OutstandingUcoin != sums.GetOutstandingUcoin() || b.OpenLoans != sums.GetOpenLoans() || b.LateLoans != sums.GetLateLoans() ||
			b.Defaults < 0 || b.Defaults > b.Loans {
			return fmt.Errorf("%w: %v, its loans are %v", errLoans, b, sums)
		}
	}
	if known != len(taken) {
		return fmt.Errorf("%w: expected a record of each of %d borrowers, got %d", errLoans, len(taken), known)
	}
	return checkOffers(r, perOffer)
}

// checkOffers says that each offer counts its loans and goes with the last.
func checkOffers(r state.Reader, loansOfOffer map[string]int64) error {
	found := 0
	for key, offer := range offers.All(r, offers.Key()) {
		n := loansOfOffer[string(key)]
		if n > 0 {
			found++
		}
		if offer.OpenLoans != n || offer.Lapsed && n == 0 {
			return fmt.Errorf("%w: %v has %d loans", errLoans, offer, n)
		}
	}
	if found != len(loansOfOffer) {
		return fmt.Errorf("%w: expected an offer for each of %d kinds of loans, got %d", errLoans, len(loansOfOffer), found)
	}
	return nil
}

// checkLines says that offers are the sums of their lines, that demands are
// counted, and that whoever has either has that bank for its home.
func checkLines(r state.Reader) error {
	sums, stated := map[string]int64{}, map[string]int64{}
	for line := range values(lines.All(r, lines.Key())) {
		if line.UndrawnUcoin < 0 || !offers.Has(r, offerKey(line.Bank, line.Period)) {
			return fmt.Errorf("%w: %v", errLines, line)
		}
		sums[string(offerKey(line.Bank, line.Period))] += line.UndrawnUcoin
	}
	for key, offer := range offers.All(r, offers.Key()) {
		if offer.UndrawnUcoin != sums[string(key)] {
			return fmt.Errorf("%w: %v, lines sum to %d ucoin", errLines, offer, sums[string(key)])
		}
	}
	for demand := range values(demands.All(r, demands.Key())) {
		account, _ := registry.AccountOf(r, protocol.Address(demand.Borrower))
		if string(account.GetHomeAggregator()) != string(demand.Bank) {
			return fmt.Errorf("%w: %v is not at home with its bank", errLines, demand)
		}
		stated[string(demand.Bank)]++
	}
	for b := range values(banks.All(r, banks.Key())) {
		if b.Demands != stated[string(b.Aggregator)] {
			return fmt.Errorf("%w: %v counts %d demands, got %d", errLines, protocol.Address(b.Aggregator), b.Demands, stated[string(b.Aggregator)])
		}
		delete(stated, string(b.Aggregator))
	}
	if len(stated) > 0 {
		return fmt.Errorf("%w: demands without a bank", errLines)
	}
	return nil
}
