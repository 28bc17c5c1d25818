package settlement

import (
	"bytes"
	"errors"
	"fmt"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{
		{Name: "I2", Check: checkIdentities},
		{Name: "I3", Check: checkRegisters},
		{Name: "settlement.counts", Check: checkCounts},
		{Name: "settlement.contracts", Check: checkContracts},
		{Name: "settlement.freezes", Check: checkFreezes},
		{Name: "settlement.zone_fees", Check: checkZoneFees},
		{Name: "settlement.groups", Check: checkGroups},
	}
}

var (
	errAccount = errors.New("the identities of an account do not hold")
	errTotals  = errors.New("the totals of a period do not hold")
	errCounts  = errors.New("a period miscounts")
	errOverrun = errors.New("more was traded than the registers and their tolerance say")
)

// checkIdentities checks each statement by itself and, where all statements of
// a settled period are still here, the period's totals against them.
func checkIdentities(r state.Reader) error {
	for root := range values(roots.All(r, roots.Key())) {
		t := root.Totals
		if t.SoldWh != t.BoughtWh+t.LossWh || t.PaidUcoin != t.ReceivedUcoin {
			return fmt.Errorf("period %d: %w: %v", root.Period, errTotals, t)
		}
		all := collect(statementsOf(r, root.Period))
		if int64(len(all)) != root.Accounts {
			continue // removed in part or whole
		}
		if err := checkTotals(t, all); err != nil {
			return fmt.Errorf("period %d: %w", root.Period, err)
		}
	}
	for statement := range values(statements.All(r, statements.Key())) {
		if err := checkStatement(statement); err != nil {
			return err
		}
	}
	for entry := range values(missing.All(r, missing.Key())) {
		if entry.Statement == nil {
			continue
		}
		if err := checkStatement(entry.Statement); err != nil {
			return err
		}
	}
	return nil
}

// checkStatement says whether a statement adds up by itself.
func checkStatement(s *settlementv1.Statement) error {
	paid, received, fees := s.GridPaidUcoin+s.PenaltyPaidUcoin, s.GridReceivedUcoin, int64(0)
	debt, byFund := s.PenaltyUcoin-s.PenaltyPaidUcoin, int64(0)
	whole := settlementv1.Statement{Account: s.Account}
	certified := s.CertificatesReclaimedWh - s.CertificatesWh - s.CertificatesLostWh - s.CertificatesNettedWh
	for _, trade := range s.Trades {
		addMakeWhole(new(adder), &whole, trade)
		switch {
		case bytes.Equal(trade.Buyer, s.Account):
			paid += paidAmount(trade) + paidFee(trade)
			fees += paidFee(trade)
			debt += owed(trade)
			byFund += guaranteed(trade)
			certified += trade.CertifiedWh
		case !s.Missing || !trade.GridStoodIn:
			received += receivedAmount(trade)
		}
	}
	paid, received, debt = paid+whole.PaidUcoin, received+whole.ReceivedUcoin, debt+whole.DebtUcoin
	due, err := dueTo(s)
	if err != nil {
		return err
	}
	corrected := s.CorrectsVersion > 0 // then items are as they stand, paid and received what moved
	if certified != 0 || !corrected && (paid != s.PaidUcoin || received != s.ReceivedUcoin) || s.ReceivedUcoin-s.PaidUcoin != due+s.DebtUcoin || fees != s.FeesUcoin || debt > s.DebtUcoin ||
		byFund > s.GuaranteedUcoin || s.GuaranteedUcoin-byFund > s.DebtUcoin-debt || s.PenaltyPaidUcoin > s.PenaltyUcoin ||
		whole.PaidUcoin != s.MakeWholePaidUcoin || whole.ReceivedUcoin != s.MakeWholeReceivedUcoin ||
		s.Waived && (s.Outcome != 0 || s.PenaltyUcoin != 0) || s.DrawnUcoin < 0 || s.DrawnUcoin > s.PaidUcoin || s.LoansRepaidUcoin < 0 ||
		s.BalanceAfterUcoin != s.BalanceBeforeUcoin+s.ReceivedUcoin+s.DrawnUcoin-s.PaidUcoin-s.RepaidUcoin-s.LoansRepaidUcoin ||
		!s.Missing && (s.ImportWh != s.BoughtWh+s.GridImportWh || s.ExportWh != s.SoldWh+s.GridExportWh) {
		return fmt.Errorf("period %d, account %v: %w: %v", s.Period, protocol.Address(s.Account), errAccount, s)
	}
	return nil
}

// dueTo is what an account was to get for a period, in ucoin, less what it was to
// pay, and less what others came to owe to it.
func dueTo(s *settlementv1.Statement) (int64, error) {
	due, err := gridOwes(s)
	if err != nil {
		return 0, err
	}
	due -= s.PenaltyUcoin + s.ClaimsUcoin
	for _, trade := range s.Trades {
		if whole := trade.MakeWholeBySellerUcoin + trade.MakeWholeByBuyerUcoin; whole > 0 {
			if from, _, _ := makeWholeOf(trade); bytes.Equal(from, s.Account) {
				due -= whole
			} else {
				due += whole - trade.UnpaidMakeWholeUcoin
			}
		}
		switch {
		case bytes.Equal(trade.Buyer, s.Account):
			due -= trade.AmountUcoin + trade.FeeUcoin
		case !s.Missing || !trade.GridStoodIn:
			due += trade.AmountUcoin - trade.UnpaidAmountUcoin
		}
	}
	return due, nil
}

// checkTotals adds up statements. What the grid sold in place of others is the
// difference between what was sold and what the accounts sold.
func checkTotals(want *settlementv1.Totals, all []*settlementv1.Statement) error {
	var got, accounts settlementv1.Totals
	for _, s := range all {
		accounts.SoldWh += s.SoldWh
		accounts.PaidUcoin += s.PaidUcoin
		accounts.MakeWholeUcoin += s.MakeWholeReceivedUcoin
		got.MakeWholeUcoin += s.MakeWholePaidUcoin
		accounts.ReceivedUcoin += s.ReceivedUcoin
		got.BoughtWh += s.BoughtWh
		got.FeesUcoin += s.FeesUcoin
		got.FundPaidUcoin += s.GuaranteedUcoin
		got.FundReceivedUcoin += s.PenaltyPaidUcoin
		got.GridBoughtWh += s.GridExportWh
		got.GridSoldWh += s.GridImportWh
		got.GridAloneUcoin += s.GridAloneUcoin
		for _, trade := range s.Trades {
			switch {
			case bytes.Equal(trade.Buyer, s.Account):
				got.FeesUcoin += trade.GuaranteedFeeUcoin
				zoneFee, err := zoneFeeOf(trade)
				if err != nil {
					return err
				}
				got.ZoneFeesUcoin += zoneFee
			case len(trade.Contract) > 0:
				got.ContractWh += trade.SoldWh
			}
		}
	}
	stoodIn := want.SoldWh - accounts.SoldWh
	if stoodIn < 0 || got.BoughtWh != want.BoughtWh || got.FeesUcoin != want.FeesUcoin || got.ZoneFeesUcoin != want.ZoneFeesUcoin || got.ContractWh != want.ContractWh ||
		got.GridBoughtWh != want.GridBoughtWh || got.GridSoldWh+stoodIn != want.GridSoldWh || got.GridAloneUcoin != want.GridAloneUcoin ||
		got.MakeWholeUcoin != want.MakeWholeUcoin || accounts.MakeWholeUcoin != want.MakeWholeUcoin ||
		got.FundPaidUcoin != want.FundPaidUcoin || got.FundReceivedUcoin != want.FundReceivedUcoin ||
		accounts.PaidUcoin+want.GridPaidUcoin+want.FundPaidUcoin != want.PaidUcoin ||
		accounts.ReceivedUcoin+want.GridReceivedUcoin+want.FeesUcoin+want.FundReceivedUcoin != want.ReceivedUcoin {
		return fmt.Errorf("%w: totals %v, statements sum to %v and %v", errTotals, want, &got, &accounts)
	}
	return nil
}

// checkRegisters says that nobody sold or bought more than its registers show,
// but for the tolerance. Without registers the grid answers for the account.
func checkRegisters(r state.Reader) error {
	for s := range values(statements.All(r, statements.Key())) {
		if s.Missing {
			continue
		}
		// A buyer that was missing at the deadline took all it had contracted.
		matched := matchTrades(s)
		takenUnseen := len(matched) > 0 && matched[0].BuyerMissing && bytes.Equal(matched[0].Buyer, s.Account)
		if s.SoldWh > s.ExportWh+s.ToleranceWh || s.BoughtWh > s.ImportWh+s.ToleranceWh && !takenUnseen {
			return fmt.Errorf("period %d, account %v: %w: %v", s.Period, protocol.Address(s.Account), errOverrun, s)
		}
	}
	return nil
}

// checkCounts compares the counts of periods with their rows. What an account
// is waited for with is one statement, of the period or its own.
func checkCounts(r state.Reader) error {
	waiting := map[int64]int64{}
	for entry := range values(missing.All(r, missing.Key())) {
		waiting[entry.Period]++
		if statements.Has(r, statementKey(entry.Period, entry.Account)) == (entry.Statement != nil) {
			return fmt.Errorf("%w: period %d, account %v: expected one statement to wait with", errCounts, entry.Period, protocol.Address(entry.Account))
		}
		if !periods.Has(r, periodKey(entry.Period)) {
			return fmt.Errorf("%w: account %v waits for period %d, which is not here", errCounts, protocol.Address(entry.Account), entry.Period)
		}
	}
	for period := range values(periods.All(r, periods.Key())) {
		open, late := int64(0), waiting[period.Period]
		for range tallies.All(r, tallies.Key().Int64(period.Period)) {
			open++
		}
		hasDeadline := deadlines.Has(r, deadlineKey(period.Deadline, period.Period))
		if open != period.OpenAccounts || late != period.Missing || hasDeadline != (open > 0) || open == 0 && late == 0 {
			return fmt.Errorf("%w: %v has %d tallies, %d missing", errCounts, period, open, late)
		}
	}
	return nil
}

var errFreezes = errors.New("accounts frozen for violations and their rows disagree")

// checkFreezes says that settlement knows every account that it has to thaw.
func checkFreezes(r state.Reader) error {
	for account := range registry.Accounts(r) {
		address := protocol.Address(account.Account)
		if registry.FrozenFor(r, address, forViolations) && !freezes.Has(r, freezeKey(account.Account)) {
			return fmt.Errorf("%w: %v", errFreezes, address)
		}
	}
	return nil
}

var errGroups = errors.New("the groups of a period miscount")

// checkGroups compares the groups of open periods with the accounts in them, and
// says that who waits for one has estimated registers.
func checkGroups(r state.Reader) error {
	open := map[string]int64{} // accounts without registers, by group
	for tally := range values(tallies.All(r, tallies.Key())) {
		for _, id := range tally.Groups {
			key := string(groupKey(tally.Period, id))
			if !groups.Has(r, groupKey(tally.Period, id)) {
				return fmt.Errorf("%w: %v has a group that is not here", errGroups, tally)
			}
			if !tally.HasRegisters {
				open[key]++
			}
		}
	}
	for key, g := range groups.All(r, groups.Key()) {
		if g.Open != open[string(key)] || g.Estimated < 0 || g.Open+g.Estimated > g.Accounts {
			return fmt.Errorf("%w: %v, %d accounts have no registers", errGroups, g, open[string(key)])
		}
	}
	for wait := range values(groupWaits.All(r, groupWaits.Key())) {
		tally, waits := tallies.Get(r, tallyKey(wait.Period, wait.Account))
		if waits && (!tally.Estimated || len(tally.Component) > 0) || !groups.Has(r, groupKey(wait.Period, wait.Group)) {
			return fmt.Errorf("%w: %v waits for nothing", errGroups, wait)
		}
	}
	return nil
}

var errContracts = errors.New("the tables of contracts disagree")

// checkContracts compares contracts with the rows that lead to them, and what
// they mean in open periods with the accounts that wait for them.
func checkContracts(r state.Reader) error {
	rows := 0
	for range contractsOf.All(r, contractsOf.Key()) {
		rows++
	}
	for c := range values(contracts.All(r, contracts.Key())) {
		for _, side := range [][]byte{c.Seller, c.Buyer} {
			if rows--; !contractsOf.Has(r, contractOfKey(side, c.Id)) {
				return fmt.Errorf("%w: nothing leads from %v to contract %x", errContracts, protocol.Address(side), c.Id)
			}
		}
	}
	if rows != 0 {
		return fmt.Errorf("%w: expected two rows for each contract, got %d more", errContracts, rows)
	}
	if err := checkYears(r); err != nil {
		return err
	}
	waiting := map[string]int64{} // accounts that are not ready, by component
	for tally := range values(tallies.All(r, tallies.Key())) {
		if len(tally.Component) == 0 {
			continue
		}
		key := componentKey(tally.Period, tally.Component)
		if !components.Has(r, key) {
			return fmt.Errorf("%w: %v has a component that is not here", errContracts, tally)
		}
		if !tally.Ready {
			waiting[string(key)]++
		}
	}
	for key, component := range components.All(r, components.Key()) {
		if component.OpenAccounts == 0 || component.OpenAccounts != waiting[string(key)] {
			return fmt.Errorf("%w: %v waits for %d accounts", errContracts, component, waiting[string(key)])
		}
	}
	return checkTerms(r)
}

// checkYears says that contract years know how many periods settle with them.
func checkYears(r state.Reader) error {
	settling := map[string][]int64{} // periods, by contract
	for t := range values(contractTerms.All(r, contractTerms.Key())) {
		settling[string(t.Contract)] = append(settling[string(t.Contract)], t.Period)
	}
	for c := range values(contracts.All(r, contracts.Key())) {
		for _, year := range c.Years {
			open := int64(0)
			for _, period := range settling[string(c.Id)] {
				if period >= year.FromPeriod && period < yearEnd(c, year) {
					open++
				}
			}
			if open != year.OpenPeriods {
				return fmt.Errorf("%w: contract %x, %v has %d periods in settlement", errContracts, c.Id, year, open)
			}
		}
	}
	return nil
}

// checkTerms says that contracts in open periods are those of accounts that
// their component connects.
func checkTerms(r state.Reader) error {
	for t := range values(contractTerms.All(r, contractTerms.Key())) {
		for _, side := range [][]byte{t.Seller, t.Buyer} {
			tally, ok := tallies.Get(r, tallyKey(t.Period, side))
			if !ok || !bytes.Equal(tally.Component, t.Component) {
				return fmt.Errorf("%w: %v is not of the component of %v", errContracts, protocol.Address(side), t)
			}
		}
	}
	return nil
}
