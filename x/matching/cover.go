package matching

import (
	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/reputation"
)

// cover is what must stand behind an order (SPEC 9). It is found once, when the
// order is accepted, and holds for the order and its matches.
type cover struct {
	// verification is what the order was charged to; 0: it is fully verified, or
	// its account has no quota.
	verification int64
	// sharePPM is the part of what the order may cost that is escrowed.
	sharePPM int64
	// secured: the account has a quota and the order found no room in it, so that
	// a seller, too, escrows, and each match is signed.
	secured bool
}

// findCover charges an order to its account's quota, or says what stands in for
// that.
func (e *entry) findCover(ctx *module.Ctx, energyWh int64) cover {
	sender := ctx.Signer.Address()
	if quota := reputation.QuotaOf(e.params, e.account); quota != nil {
		if verification := reputation.Charge(ctx, sender, quota, energyWh); verification > 0 {
			return cover{verification: verification}
		}
		return cover{sharePPM: reputation.EscrowShare(e.params, reputation.ValueOf(ctx.Store, sender)), secured: true}
	}
	return cover{sharePPM: reputation.EscrowShare(e.params, reputation.ValueOf(ctx.Store, sender))}
}

// consentUnder is an order's consent as it holds: each match of one that is fully
// verified is signed, so its standing consent is struck out.
func (c cover) consentUnder(consent *matchingv1.Consent) *matchingv1.Consent {
	if !c.secured || !consent.GetStanding() {
		return consent
	}
	struck := proto.CloneOf(consent)
	struck.Standing = false
	return struck
}

// coverBuy escrows a share of what a demand may cost, bid + fee for all of it; the
// rest is exposed.
func (e *entry) coverBuy(ctx *module.Ctx, order *matchingv1.BuyOrder) error {
	whole, err := cost(order.PriceUcoinPerKwh, e.params.FeeUcoinPerKwh, order.EnergyWh)
	if err != nil {
		return err
	}
	c := e.findCover(ctx, order.EnergyWh)
	order.Consent, order.Verification = c.consentUnder(order.Consent), c.verification
	if order.ExposedUcoin, err = units.MulDiv(whole, units.PPM-c.sharePPM, units.PPM); err != nil {
		return err
	}
	order.EscrowUcoin = whole - order.ExposedUcoin
	sender := ctx.Signer.Address()
	if err := bank.Hold(ctx, sender, order.EscrowUcoin); err != nil {
		return err
	}
	if order.ExposedUcoin == 0 {
		return nil
	}
	// A bank pays for energy at no more than the retail price (x/credit).
	line, tariff := int64(0), e.tariff(ctx)
	if order.PriceUcoinPerKwh+e.params.FeeUcoinPerKwh <= tariff.retail {
		line = credit.Undrawn(ctx, sender)
	}
	return bank.Expose(ctx, sender, order.ExposedUcoin, line)
}

// coverSell escrows, of a seller whose quota has no room for the offer, a share of
// what a buyer pays more with the grid if nothing is delivered, at most.
func (e *entry) coverSell(ctx *module.Ctx, order *matchingv1.SellOrder) error {
	c := e.findCover(ctx, order.EnergyWh)
	order.Consent, order.Verification = c.consentUnder(order.Consent), c.verification
	if !c.secured {
		return nil
	}
	tariff := e.tariff(ctx)
	whole, err := units.Amount(tariff.retail-tariff.feedIn, order.EnergyWh)
	if err != nil {
		return err
	}
	spared, err := units.MulDiv(whole, units.PPM-c.sharePPM, units.PPM)
	if err != nil {
		return err
	}
	order.SecurityUcoin = whole - spared
	return bank.Hold(ctx, ctx.Signer.Address(), order.SecurityUcoin)
}

// prices are the grid's to an account in a period, in ucoin per kWh; zeros without
// a tariff.
type prices struct{ retail, feedIn int64 }

func (e *entry) tariff(ctx *module.Ctx) prices {
	tariff, _ := grid.TariffAt(ctx.Store, e.account.TariffClass, e.terms.period)
	return prices{tariff.GetRetailUcoinPerKwh(), tariff.GetFeedInUcoinPerKwh()}
}

// assign moves to a match what stands behind its part of the orders: of the buy
// what the match costs, in the proportion of its escrow to its exposure; of the
// sell's security the part of its energy. It is called before the match's energy
// is taken from the orders. escrow + exposure of the buy cover the match's cost, so
// neither part passes what the order has.
func assign(match *matchingv1.Match, sell *matchingv1.SellOrder, buy *matchingv1.BuyOrder, cost int64) error {
	var err error
	if buy.ExposedUcoin > 0 {
		if match.ExposedUcoin, err = units.MulDiv(cost, buy.ExposedUcoin, buy.EscrowUcoin+buy.ExposedUcoin); err != nil {
			return err
		}
	}
	match.EscrowUcoin = cost - match.ExposedUcoin
	if sell.SecurityUcoin > 0 {
		match.SecurityUcoin, err = units.MulDiv(sell.SecurityUcoin, match.EnergyWh, sell.AvailableWh)
	}
	return err
}

// take takes out of its orders what a pre-match has.
func take(match *matchingv1.Match, sell *matchingv1.SellOrder, buy *matchingv1.BuyOrder) {
	sell.AvailableWh -= match.EnergyWh
	sell.SecurityUcoin -= match.SecurityUcoin
	buy.OpenWh -= match.EnergyWh
	buy.EscrowUcoin -= match.EscrowUcoin
	buy.ExposedUcoin -= match.ExposedUcoin
}

// giveBack is take undone.
func giveBack(match *matchingv1.Match, sell *matchingv1.SellOrder, buy *matchingv1.BuyOrder) {
	sell.AvailableWh += match.EnergyWh
	sell.SecurityUcoin += match.SecurityUcoin
	buy.OpenWh += match.EnergyWh
	buy.EscrowUcoin += match.EscrowUcoin
	buy.ExposedUcoin += match.ExposedUcoin
}

// uncoverSell ends what stands behind the rest of an offer, and refunds what of it
// was not matched.
func uncoverSell(ctx *module.Ctx, order *matchingv1.SellOrder) error {
	refund(ctx, order.Account, order.Verification, order.AvailableWh, order.EnergyWh)
	return bank.Release(ctx, protocol.Address(order.Account), order.SecurityUcoin)
}

// uncoverBuy is uncoverSell for a demand.
func uncoverBuy(ctx *module.Ctx, order *matchingv1.BuyOrder) error {
	refund(ctx, order.Account, order.Verification, order.OpenWh, order.EnergyWh)
	if err := bank.EndExposure(ctx, protocol.Address(order.Account), order.ExposedUcoin); err != nil {
		return err
	}
	return bank.Release(ctx, protocol.Address(order.Account), order.EscrowUcoin)
}

// refund gives the rest of an order back to the quota it was charged to, and the
// order itself if nothing of it was matched.
func refund(ctx *module.Ctx, account []byte, verification, restWh, energyWh int64) {
	if verification == 0 || restWh == 0 {
		return
	}
	orders := int64(0)
	if restWh == energyWh {
		orders = 1
	}
	reputation.Refund(ctx, account, verification, orders, restWh)
}
