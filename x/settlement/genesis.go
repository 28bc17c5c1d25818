package settlement

import (
	"bytes"
	"encoding/json"
	"fmt"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// InitGenesis implements module.Module. Deadlines follow from the periods and
// are made anew.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(settlementv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return err
	}
	if genesis.Clock != nil {
		clocks.Set(ctx.Store, genesis.Clock)
	}
	for _, period := range genesis.Periods {
		if period.Totals == nil {
			period.Totals = &settlementv1.Totals{}
		}
		periods.Set(ctx.Store, periodKey(period.Period), period)
		if period.OpenAccounts > 0 {
			deadlines.Set(ctx.Store, deadlineKey(period.Deadline, period.Period), &settlementv1.Due{Count: period.Deadline, Period: period.Period})
		}
	}
	for i, root := range genesis.Roots {
		if len(root.Root) != protocol.KeySize || root.Totals == nil {
			return ErrMalformed.With("settlement.roots[%d]: expected a root of %d bytes and totals", i, protocol.KeySize)
		}
		roots.Set(ctx.Store, rootKey(root.Period), root)
	}
	for _, due := range genesis.Retirements {
		retirements.Set(ctx.Store, retirementKey(due.Count, due.Period), due)
	}
	if err := initAccounts(ctx.Store, genesis); err != nil {
		return err
	}
	if err := initContracts(ctx.Store, genesis); err != nil {
		return err
	}
	if err := checkContracts(ctx.Store); err != nil {
		return err
	}
	for i, frozen := range genesis.Freezes {
		if err := checkIDs(fmt.Sprintf("freezes[%d]", i), frozen.Account); err != nil {
			return err
		}
		freezes.Set(ctx.Store, freezeKey(frozen.Account), frozen)
	}
	if err := initGroups(ctx.Store, genesis); err != nil {
		return err
	}
	if err := checkFreezes(ctx.Store); err != nil {
		return ErrMalformed.With("settlement.freezes: %v", err)
	}
	if err := initZoneFees(ctx.Store, genesis.ZoneFees); err != nil {
		return err
	}
	return checkCounts(ctx.Store)
}

// initContracts takes contracts and what they mean in periods that are open.
func initContracts(s state.Store, genesis *settlementv1.GenesisState) error {
	for i, c := range genesis.Contracts {
		err := checkContractRecord(fmt.Sprintf("contracts[%d]", i), c)
		if err != nil {
			return err
		}
		saveContract(s, c)
	}
	for i, t := range genesis.ContractTerms {
		field := fmt.Sprintf("contract_terms[%d]", i)
		if err := checkIDs(field, t.Component, t.Contract); err != nil {
			return err
		}
		contractTerms.Set(s, termsKey(t.Period, t.Component, t.Contract), t)
	}
	for i, component := range genesis.Components {
		if err := checkIDs(fmt.Sprintf("components[%d]", i), component.Component); err != nil {
			return err
		}
		components.Set(s, componentKey(component.Period, component.Component), component)
	}
	return nil
}

// checkContractRecord keeps out contracts that no message could have made.
func checkContractRecord(field string, c *settlementv1.Contract) error {
	for _, side := range [][]byte{c.Seller, c.Buyer, c.Proposer} {
		if err := checkIDs(field, side, c.Id); err != nil {
			return err
		}
	}
	err := checkProposeContract("", &settlementv1.MsgProposeContract{
		Seller: c.Seller, Buyer: c.Buyer, PriceUcoinPerKwh: c.PriceUcoinPerKwh, Priority: c.Priority, Rank: c.Rank,
		FromPeriod: c.FromPeriod, UntilPeriod: c.UntilPeriod,
		YearWh: c.YearWh, ExcessPriceUcoinPerKwh: c.ExcessPriceUcoinPerKwh, PenaltyPriceUcoinPerKwh: c.PenaltyPriceUcoinPerKwh,
	})
	if err != nil {
		return ErrMalformed.With("settlement.%s: %v", field, err)
	}
	if !bytes.Equal(c.Proposer, c.Seller) && !bytes.Equal(c.Proposer, c.Buyer) {
		return ErrMalformed.With("settlement.%s.proposer: expected the seller or the buyer", field)
	}
	if (c.YearMs > 0) != (c.YearWh > 0) || c.YearMs < 0 || c.YearMs > maxYearMs || c.YearWh == 0 && len(c.Years) > 0 {
		return ErrMalformed.With("settlement.%s.year_ms: expected up to 365 days with a year's quantity, else none and no years", field)
	}
	for i, year := range c.Years {
		if year.FromPeriod < c.FromPeriod || (year.FromPeriod-c.FromPeriod)%c.YearMs != 0 || year.FromPeriod >= c.UntilPeriod ||
			i > 0 && year.FromPeriod != c.Years[i-1].FromPeriod+c.YearMs || year.DeliveredWh < 0 || year.LeftWh < 0 {
			return ErrMalformed.With("settlement.%s.years[%d]: expected the contract's years in order, with energies of 0 or more", field, i)
		}
	}
	return nil
}

// initAccounts takes the records of accounts.
func initAccounts(s state.Store, genesis *settlementv1.GenesisState) error {
	for i, tally := range genesis.Tallies {
		if err := checkIDs(fmt.Sprintf("tallies[%d]", i), tally.Account); err != nil {
			return err
		}
		tallies.Set(s, tallyKey(tally.Period, tally.Account), tally)
	}
	for i, trade := range genesis.Trades {
		if err := checkIDs(fmt.Sprintf("trades[%d]", i), trade.Account, tradeID(trade.Trade)); err != nil {
			return err
		}
		trades.Set(s, tradeKey(trade.Period, trade.Account, trade.Trade), trade)
	}
	for i, share := range genesis.Shares {
		if err := checkIDs(fmt.Sprintf("shares[%d]", i), share.Account, share.Match); err != nil {
			return err
		}
		shares.Set(s, shareKey(share.Period, share.Account, share.Match), share)
	}
	for i, statement := range genesis.Statements {
		if err := checkIDs(fmt.Sprintf("statements[%d]", i), statement.Account); err != nil {
			return err
		}
		statements.Set(s, statementKey(statement.Period, statement.Account), statement)
	}
	for i, entry := range genesis.Missing {
		if err := checkIDs(fmt.Sprintf("missing[%d]", i), entry.Account); err != nil {
			return err
		}
		if s := entry.Statement; s != nil && (s.Period != entry.Period || !bytes.Equal(s.Account, entry.Account)) {
			return ErrMalformed.With("settlement.missing[%d].statement: expected one of the account and period", i)
		}
		missing.Set(s, missingKey(entry.Account, entry.Period), entry)
	}
	return nil
}

// initGroups takes the groups of open periods and who waits for them.
func initGroups(s state.Store, genesis *settlementv1.GenesisState) error {
	for i, g := range genesis.Groups {
		if err := checkIDs(fmt.Sprintf("groups[%d]", i), g.Group); err != nil {
			return err
		}
		groups.Set(s, groupKey(g.Period, g.Group), g)
	}
	for i, wait := range genesis.GroupWaits {
		for _, account := range [][]byte{wait.Group, wait.Account} {
			if err := checkIDs(fmt.Sprintf("group_waits[%d]", i), account); err != nil {
				return err
			}
		}
		groupWaits.Set(s, groupWaitKey(wait.Period, wait.Group, wait.Account), wait)
	}
	return checkGroups(s)
}

// checkIDs keeps keys of another width out of the tables.
func checkIDs(field string, account []byte, matches ...[]byte) error {
	if _, err := protocol.AddressFrom(account); err != nil {
		return ErrMalformed.With("settlement.%s.account: %v", field, err)
	}
	for _, match := range matches {
		if _, err := protocol.IDFrom(match); err != nil {
			return ErrMalformed.With("settlement.%s.match: %v", field, err)
		}
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	r := ctx.Store
	clock, _ := clocks.Get(r)
	return module.MarshalGenesis(&settlementv1.GenesisState{
		Clock:       clock,
		Periods:     collect(values(periods.All(r, periods.Key()))),
		Tallies:     collect(values(tallies.All(r, tallies.Key()))),
		Trades:      collect(values(trades.All(r, trades.Key()))),
		Shares:      collect(values(shares.All(r, shares.Key()))),
		Statements:  collect(values(statements.All(r, statements.Key()))),
		Roots:       collect(values(roots.All(r, roots.Key()))),
		Missing:     collect(values(missing.All(r, missing.Key()))),
		Retirements: collect(values(retirements.All(r, retirements.Key()))),

		Contracts:     collect(values(contracts.All(r, contracts.Key()))),
		ContractTerms: collect(values(contractTerms.All(r, contractTerms.Key()))),
		Freezes:       collect(values(freezes.All(r, freezes.Key()))),
		Components:    collect(values(components.All(r, components.Key()))),
		ZoneFees:      collect(values(zoneFees.All(r, zoneFees.Key()))),
		Groups:        collect(values(groups.All(r, groups.Key()))),
		GroupWaits:    collect(values(groupWaits.All(r, groupWaits.Key()))),
	})
}
