package settlement

import (
	"bytes"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/reputation"
)

// closeIfDone makes an account's statement once its registers are here and its
// matches have settled. One with contracts then waits for its component.
func (b *block) closeIfDone(ctx *module.Ctx, period *settlementv1.Period, tally *settlementv1.Tally) error {
	if tally.OpenMatches > 0 {
		return nil
	}
	if len(tally.Component) > 0 {
		return b.makeReady(ctx, tally)
	}
	if awaitsGroups(ctx.Store, tally) {
		return nil
	}
	return closeAccount(ctx, b.paramsOf(ctx.Store, tally.Period), period, tally, takeTrades(ctx, tally))
}

// makeReady lets an account wait for the others of its component, unless it is
// the last of them.
func (b *block) makeReady(ctx *module.Ctx, tally *settlementv1.Tally) error {
	component, ok := components.Get(ctx.Store, componentKey(tally.Period, tally.Component))
	if !ok {
		return ErrNoRecord.With("period %d: no component %v", tally.Period, protocol.Address(tally.Component))
	}
	tally.Ready = true
	tallies.Set(ctx.Store, tallyKey(tally.Period, tally.Account), tally)
	component.OpenAccounts--
	components.Set(ctx.Store, componentKey(tally.Period, tally.Component), component)
	if component.OpenAccounts == 0 {
		b.complete = append(b.complete, tally.Component)
	}
	return nil
}

// closeAccount makes the statement of a tally with its trades; without registers it
// is marked missing, and the exchange with the grid is left open.
func closeAccount(ctx *module.Ctx, params *registryv1.Params, period *settlementv1.Period, tally *settlementv1.Tally, rows []*settlementv1.AccountTrade) error {
	statement, err := draft(tally, rows)
	if err != nil {
		return err
	}
	switch {
	case statement.Missing:
		missing.Set(ctx.Store, missingKey(tally.Account, tally.Period), &settlementv1.Missing{Account: tally.Account, Period: tally.Period})
		period.Missing++
	default:
		if err := settleResidual(ctx, period.Totals, statement); err != nil {
			return err
		}
	}
	if len(matchTrades(statement)) > 0 {
		if err := recordOutcome(ctx, params, period.Totals, statement, tally, rows); err != nil {
			return err
		}
	}
	if err := certifyPurchases(ctx, statement); err != nil {
		return err
	}
	if !statement.Missing {
		if err := keepStock(ctx, params, statement, !statement.Estimated); err != nil {
			return err
		}
	}
	if err := bookZoneFees(ctx, period.Totals, statement); err != nil {
		return err
	}
	tallies.Delete(ctx.Store, tallyKey(tally.Period, tally.Account))
	period.OpenAccounts--
	issue(ctx, statement)
	if statement.Outcome == reputation.Violated {
		freezeViolator(ctx, statement)
	}
	return nil
}

// matchTrades are the trades of matches. Contracts have no fixed energy to fall
// short of: they make no outcome.
func matchTrades(statement *settlementv1.Statement) []*settlementv1.Trade {
	var found []*settlementv1.Trade
	for _, trade := range statement.Trades {
		if len(trade.Contract) == 0 {
			found = append(found, trade)
		}
	}
	return found
}

// recordOutcome judges a period with matches (SPEC 9); a violation is punished,
// unless it is waived.
func recordOutcome(ctx *module.Ctx, params *registryv1.Params, totals *settlementv1.Totals, statement *settlementv1.Statement, tally *settlementv1.Tally, rows []*settlementv1.AccountTrade) error {
	// A gap in the readings is a missing reading (SPEC 7).
	unread := statement.Missing || statement.Estimated
	switch {
	case unread && excused(ctx.Store, tally):
		statement.Waived = true
		return nil
	case unread || tally.Violated:
		return violate(ctx, totals, statement)
	}
	var dealings []reputation.Dealing
	for _, row := range rows {
		if len(row.Trade.Match) > 0 {
			dealings = append(dealings, reputation.Dealing{With: row.WithIdentity, Amount: row.Trade.SoldWh})
		}
	}
	if reputation.Fulfil(ctx, protocol.Address(statement.Account), dealings, params.LeastOutcomeWh) {
		statement.Outcome = reputation.Fulfilled
	}
	return nil
}

// takeTrades removes and returns the trades that were kept for an account.
func takeTrades(ctx *module.Ctx, tally *settlementv1.Tally) []*settlementv1.AccountTrade {
	var found []*settlementv1.AccountTrade
	for key, row := range trades.All(ctx.Store, tradesOf(tally.Period, tally.Account)) {
		trades.Delete(ctx.Store, key)
		found = append(found, row)
	}
	return found
}

// draft starts a statement with what the tally and the trades say.
func draft(tally *settlementv1.Tally, rows []*settlementv1.AccountTrade) (*settlementv1.Statement, error) {
	statement := &settlementv1.Statement{
		Account: tally.Account, Period: tally.Period, Missing: !tally.HasRegisters, Estimated: tally.Estimated,
		ImportWh: tally.ImportWh, ExportWh: tally.ExportWh, ToleranceWh: tally.ToleranceWh,
		RetailUcoinPerKwh: tally.RetailUcoinPerKwh, FeedInUcoinPerKwh: tally.FeedInUcoinPerKwh,
	}
	var sums adder
	for _, row := range rows {
		trade := row.Trade
		statement.Trades = append(statement.Trades, trade)
		sums.add(&statement.RepaidUcoin, row.RepaidUcoin)
		addMakeWhole(&sums, statement, trade)
		sums.add(&statement.DrawnUcoin, row.DrawnUcoin)
		sums.add(&statement.LoansRepaidUcoin, row.LoansRepaidUcoin)
		switch {
		case bytes.Equal(trade.Buyer, tally.Account):
			sums.add(&statement.BoughtWh, trade.BoughtWh)
			sums.add(&statement.PaidUcoin, paidAmount(trade), paidFee(trade))
			sums.add(&statement.FeesUcoin, paidFee(trade))
			sums.add(&statement.DebtUcoin, owed(trade))
			sums.add(&statement.GuaranteedUcoin, guaranteed(trade))
		case !trade.GridStoodIn:
			sums.add(&statement.SoldWh, trade.SoldWh)
			sums.add(&statement.ReceivedUcoin, receivedAmount(trade))
		}
	}
	return statement, sums.err
}

// issue completes a statement with the credit value that holds when it is made,
// and stores it.
func issue(ctx *module.Ctx, statement *settlementv1.Statement) {
	statement.Reputation = reputation.ValueOf(ctx.Store, protocol.Address(statement.Account))
	store(ctx, statement)
}

// store stores the next version of a statement with the balance that holds now.
func store(ctx *module.Ctx, statement *settlementv1.Statement) {
	address := protocol.Address(statement.Account)
	statement.Version++
	statement.BalanceAfterUcoin = wealth(ctx.Store, address)
	statement.BalanceBeforeUcoin = statement.BalanceAfterUcoin - statement.ReceivedUcoin + statement.PaidUcoin + statement.RepaidUcoin -
		statement.DrawnUcoin + statement.LoansRepaidUcoin
	statements.Set(ctx.Store, statementKey(statement.Period, statement.Account), statement)
	if statement.Version == 1 { // each was Settled; later versions change them
		statement.Trades = nil
	}
	ctx.Emit(&settlementv1.StatementMade{Statement: statement})
}

// wealth is what an account holds, escrow included, in ucoin.
func wealth(r state.Reader, account protocol.Address) int64 {
	balance := bank.BalanceOf(r, account)
	return balance.FreeUcoin + balance.EscrowUcoin
}

// settleResidual settles what is left of the registers with the grid, signed:
// import - bought comes from it, export - sold goes to it. The account receives
// before it pays.
func settleResidual(ctx *module.Ctx, totals *settlementv1.Totals, statement *settlementv1.Statement) error {
	statement.GridImportWh = statement.ImportWh - statement.BoughtWh
	statement.GridExportWh = statement.ExportWh - statement.SoldWh
	earned, err := bill(statement.FeedInUcoinPerKwh, statement.GridExportWh, -statement.GridImportWh)
	if err != nil {
		return err
	}
	drawn, err := bill(statement.RetailUcoinPerKwh, statement.GridImportWh, -statement.GridExportWh)
	if err != nil {
		return err
	}
	account := protocol.Address(statement.Account)
	received, repaid, err := bank.Pay(ctx, protocol.GridAddress, account, earned)
	if err != nil {
		return err
	}
	if received != earned {
		return ErrUnpaid.With("%v: expected %d ucoin from the grid, got %d", account, earned, received)
	}
	loans, err := credit.RepayFromSale(ctx, account, received-repaid)
	if err != nil {
		return err
	}
	out, err := pay(ctx, purchase{
		payer: account, payee: protocol.GridAddress, ucoin: drawn, period: statement.Period,
		priceUcoinPerKwh: statement.RetailUcoinPerKwh, retailUcoinPerKwh: statement.RetailUcoinPerKwh,
	})
	if err != nil {
		return err
	}
	if statement.GridAloneUcoin, err = gridAlone(statement); err != nil {
		return err
	}
	statement.GridPaidUcoin, statement.GridReceivedUcoin = out.ucoin, earned
	var sums adder
	sums.add(&statement.DebtUcoin, drawn-out.ucoin)
	sums.add(&statement.GuaranteedUcoin, out.fund)
	sums.add(&statement.PaidUcoin, out.ucoin)
	sums.add(&statement.DrawnUcoin, out.drawn)
	sums.add(&statement.LoansRepaidUcoin, loans)
	sums.add(&statement.ReceivedUcoin, earned)
	sums.add(&statement.RepaidUcoin, repaid)
	sums.add(&totals.GridBoughtWh, statement.GridExportWh)
	sums.add(&totals.GridSoldWh, statement.GridImportWh)
	sums.add(&totals.GridPaidUcoin, earned)
	sums.add(&totals.FundPaidUcoin, out.fund)
	sums.add(&totals.GridReceivedUcoin, out.ucoin, out.fund)
	sums.add(&totals.PaidUcoin, earned, out.ucoin, out.fund)
	sums.add(&totals.ReceivedUcoin, earned, out.ucoin, out.fund)
	sums.add(&totals.GridAloneUcoin, statement.GridAloneUcoin)
	return sums.err
}

// bill is the money for those of the energies that are positive; each is
// truncated by itself.
func bill(price int64, energiesWh ...int64) (int64, error) {
	var total adder
	var sum int64
	for _, energy := range energiesWh {
		amount, err := units.Amount(price, max(energy, 0))
		if err != nil {
			return 0, err
		}
		total.add(&sum, amount)
	}
	return sum, total.err
}

// gridAlone is what the registers would have cost without the market.
func gridAlone(statement *settlementv1.Statement) (int64, error) {
	cost, err := units.Amount(statement.RetailUcoinPerKwh, statement.ImportWh)
	if err != nil {
		return 0, err
	}
	earned, err := units.Amount(statement.FeedInUcoinPerKwh, statement.ExportWh)
	if err != nil {
		return 0, err
	}
	return units.Sub(cost, earned)
}

// tariffOf returns the tariff of an account's class in a period. Without one it
// says so, and the prices are 0.
func tariffOf(ctx *module.Ctx, account *registryv1.Account, period int64) *gridv1.Tariff {
	tariff, ok := grid.TariffAt(ctx.Store, account.GetTariffClass(), period)
	if !ok {
		ctx.Emit(&settlementv1.TariffMissing{Period: period, Account: account.GetAccount(), TariffClass: account.GetTariffClass()})
		return &gridv1.Tariff{}
	}
	return tariff
}
