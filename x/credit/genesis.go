package credit

import (
	"encoding/json"
	"fmt"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// InitGenesis implements module.Module. What is due follows from the loans.
func (m Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(creditv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	for _, part := range []func(state.Store, *creditv1.GenesisState) error{initBanks, initDemands, initOffers, initLoans} {
		if err := part(ctx.Store, genesis); err != nil {
			return ErrBadGenesis.With("%v", err)
		}
	}
	for _, law := range m.Invariants() {
		if err := law.Check(ctx.Store); err != nil {
			return ErrBadGenesis.With("%s: %v", law.Name, err)
		}
	}
	return nil
}

func initBanks(s state.Store, genesis *creditv1.GenesisState) error {
	for i, b := range genesis.Banks {
		field := fmt.Sprintf("banks[%d]", i)
		if err := checkMember(s, field+".aggregator", b.Aggregator); err != nil {
			return err
		}
		if banks.Has(s, bankKey(b.Aggregator)) {
			return fmt.Errorf("%s.aggregator: expected each aggregator once", field)
		}
		if err := checkTerms(b.Terms); err != nil {
			return fmt.Errorf("%s.%w", field, err)
		}
		if b.EarnedUcoin < 0 || b.OutstandingUcoin < 0 {
			return fmt.Errorf("%s: expected earned_ucoin and outstanding_ucoin of 0 or more, got %d and %d", field, b.EarnedUcoin, b.OutstandingUcoin)
		}
		banks.Set(s, bankKey(b.Aggregator), b)
	}
	return nil
}

func initDemands(s state.Store, genesis *creditv1.GenesisState) error {
	for i, d := range genesis.Demands {
		field := fmt.Sprintf("demands[%d]", i)
		if err := first(checkBank(s, field+".bank", d.Bank), checkMember(s, field+".borrower", d.Borrower)); err != nil {
			return err
		}
		if err := checkCurve(d.AmountUcoin, d.RatePpm, d.NoneFromPpm); err != nil {
			return fmt.Errorf("%s.%w", field, err)
		}
		demands.Set(s, demandKey(d.Bank, d.Borrower), d)
	}
	return nil
}

func initOffers(s state.Store, genesis *creditv1.GenesisState) error {
	length := registry.ChainOf(s).PeriodLengthMs
	for i, o := range genesis.Offers {
		field := fmt.Sprintf("offers[%d]", i)
		if err := checkBank(s, field+".bank", o.Bank); err != nil {
			return err
		}
		if err := first(
			checkPeriod(field+".period", o.Period, length),
			within(field+".rate_ppm", o.RatePpm, 1, units.PPM),
			within(field+".term_periods", o.TermPeriods, 1, maxPeriods),
			within(field+".grace_periods", o.GracePeriods, 1, maxPeriods),
		); err != nil {
			return err
		}
		offers.Set(s, offerKey(o.Bank, o.Period), o)
	}
	for i, l := range genesis.Lines {
		field := fmt.Sprintf("lines[%d]", i)
		if err := first(
			checkBank(s, field+".bank", l.Bank), checkMember(s, field+".borrower", l.Borrower),
			checkPeriod(field+".period", l.Period, length),
		); err != nil {
			return err
		}
		lines.Set(s, lineKey(l.Bank, l.Period, l.Borrower), l)
	}
	return nil
}

func initLoans(s state.Store, genesis *creditv1.GenesisState) error {
	length := registry.ChainOf(s).PeriodLengthMs
	for i, b := range genesis.Borrowers {
		if err := checkMember(s, fmt.Sprintf("borrowers[%d].borrower", i), b.Borrower); err != nil {
			return err
		}
		borrowers.Set(s, borrowerKey(b.Borrower), b)
	}
	for i, l := range genesis.Loans {
		field := fmt.Sprintf("loans[%d]", i)
		if err := first(
			checkBank(s, field+".bank", l.Bank), checkMember(s, field+".borrower", l.Borrower),
			checkPeriod(field+".period", l.Period, length), checkPeriod(field+".due_period", l.DuePeriod, length),
			within(field+".rate_ppm", l.RatePpm, 1, units.PPM), within(field+".lent_ucoin", l.LentUcoin, 1, maxAmount),
		); err != nil {
			return err
		}
		loans.Set(s, loanKey(l.Borrower, l.Period), l)
		dues.Set(s, dueKey(l), &creditv1.Due{Borrower: l.Borrower, Period: l.Period})
	}
	return nil
}

func checkMember(r state.Reader, field string, account []byte) error {
	address, err := protocol.AddressFrom(account)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	if _, ok := registry.AccountOf(r, address); !ok {
		return fmt.Errorf("%s: expected a registered account, got %v", field, address)
	}
	return nil
}

func checkBank(r state.Reader, field string, aggregator []byte) error {
	if err := checkMember(r, field, aggregator); err != nil {
		return err
	}
	if !banks.Has(r, bankKey(aggregator)) {
		return fmt.Errorf("%s: expected an aggregator with a bank, got %v", field, protocol.Address(aggregator))
	}
	return nil
}

func checkPeriod(field string, period, length int64) error {
	if period < 0 || period%length != 0 {
		return fmt.Errorf("%s: expected the start of a period of %d ms, got %d", field, length, period)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(creditv1.GenesisState)
	for row := range values(banks.All(ctx.Store, banks.Key())) {
		genesis.Banks = append(genesis.Banks, row)
	}
	for row := range values(demands.All(ctx.Store, demands.Key())) {
		genesis.Demands = append(genesis.Demands, row)
	}
	for row := range values(borrowers.All(ctx.Store, borrowers.Key())) {
		genesis.Borrowers = append(genesis.Borrowers, row)
	}
	for row := range values(offers.All(ctx.Store, offers.Key())) {
		genesis.Offers = append(genesis.Offers, row)
	}
	for row := range values(lines.All(ctx.Store, lines.Key())) {
		genesis.Lines = append(genesis.Lines, row)
	}
	for row := range values(loans.All(ctx.Store, loans.Key())) {
		genesis.Loans = append(genesis.Loans, row)
	}
	return module.MarshalGenesis(genesis)
}
