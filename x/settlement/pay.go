package settlement

import (
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/registry"
)

// purchase is a payment for energy that the payer's meter counted.
type purchase struct {
	payer, payee  protocol.Address
	ucoin, period int64
	// priceUcoinPerKwh includes the fee, whichever of the two this payment is.
	priceUcoinPerKwh, retailUcoinPerKwh int64
}

// paid is what became of a payment, in ucoin: what the payee got of the payer and,
// as part of that, of the payer's credit bank, what it got of the guarantee fund,
// and what of all its own creditors got at once.
type paid struct{ ucoin, drawn, fund, repaid int64 }

// pay pays for energy (SPEC 3): out of the balance, then out of the credit line,
// then the guarantee fund pays; the rest becomes debt.
func pay(ctx *module.Ctx, p purchase) (paid, error) {
	free := max(bank.BalanceOf(ctx.Store, p.payer).FreeUcoin, 0)
	lent, lentRepaid, err := credit.Draw(ctx, credit.Shortfall{
		Payer: p.payer, Payee: p.payee, Ucoin: max(p.ucoin-free, 0),
		PriceUcoinPerKwh: p.priceUcoinPerKwh, RetailUcoinPerKwh: p.retailUcoinPerKwh,
	})
	if err != nil {
		return paid{}, err
	}
	rest, err := bank.PayGuaranteed(ctx, p.period, p.payer, p.payee, p.ucoin-lent)
	return paid{ucoin: rest.OwnUcoin + lent, drawn: lent, fund: rest.FundUcoin, repaid: rest.RepaidUcoin + lentRepaid}, err
}

// retailOf is the grid's price of a kWh to an account in a period; 0 without a
// tariff.
func retailOf(r state.Reader, account protocol.Address, period int64) int64 {
	registered, _ := registry.AccountOf(r, account)
	tariff, _ := grid.TariffAt(r, registered.GetTariffClass(), period)
	return tariff.GetRetailUcoinPerKwh()
}
