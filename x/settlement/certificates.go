package settlement

import (
	"bytes"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
)

// certifyExport takes down as what an account's export is certified, and returns
// what its meter shows of each match: what the tolerance made up for was not
// measured.
func certifyExport(r state.Reader, params *registryv1.Params, tally *settlementv1.Tally, selling bool, parts []int64) ([]int64, error) {
	none := make([]int64, len(parts))
	if tally.Estimated || tally.ExportWh == 0 {
		return none, nil
	}
	tally.CertifiedType = certifiedType(r, params, tally.Account, tally.Period)
	if !selling || tally.CertifiedType == 0 {
		return none, nil
	}
	return meteredParts(tally.ExportWh, parts)
}

// meteredParts cuts parts of matches to what was exported: what the tolerance made
// up for was not measured.
func meteredParts(exportWh int64, parts []int64) ([]int64, error) {
	total, err := units.Sum(parts...)
	if err != nil || total <= exportWh {
		return parts, err
	}
	return units.ProRata(exportWh, parts)
}

// certifiedType is the energy type of an account's billing meters, none if it is
// not certified or they differ: registers are the account's, and do not say which
// of its meters the energy came from. Meters that only measure consumption have
// no type and do not count. It is storage for an account that has a stock.
func certifiedType(r state.Reader, params *registryv1.Params, account []byte, period int64) registryv1.EnergyType {
	if hasStock(r, params, account, period) {
		return ofStorage
	}
	var found registryv1.EnergyType
	for _, meter := range metering.BillingMeters(r, protocol.Address(account), period) {
		switch {
		case meter.EnergyType == registryv1.EnergyType_ENERGY_TYPE_UNSPECIFIED:
		case !origin.Certified(meter.EnergyType) || found != 0 && found != meter.EnergyType:
			return 0
		default:
			found = meter.EnergyType
		}
	}
	return found
}

// certifyTrade takes down what of a trade certificates may be issued for. Storage
// takes it out of its stock.
func certifyTrade(ctx *module.Ctx, trade *settlementv1.Trade, meteredWh int64, energyType registryv1.EnergyType) error {
	if energyType == ofStorage {
		return dischargeTrade(ctx, trade, min(trade.SoldWh, meteredWh))
	}
	nameOrigin(trade, meteredWh, energyType)
	return nil
}

// nameOrigin takes down what of a trade certificates may be issued for: no more
// than was delivered, nor than the seller's meter shows.
func nameOrigin(trade *settlementv1.Trade, meteredWh int64, energyType registryv1.EnergyType) {
	trade.CertifiedWh = min(trade.SoldWh, meteredWh)
	if trade.CertifiedWh > 0 {
		trade.EnergyType = energyType
	}
}

// certifyContract is certifyTrade of a trade by contract, which shares measured
// registers as they are.
func certifyContract(ctx *module.Ctx, period int64, trade *settlementv1.Trade) error {
	seller, _ := tallies.Get(ctx.Store, tallyKey(period, trade.Seller))
	buyer, _ := tallies.Get(ctx.Store, tallyKey(period, trade.Buyer))
	if seller.GetCertifiedType() == 0 || buyer.GetEstimated() {
		return nil
	}
	return certifyTrade(ctx, trade, trade.SoldWh, seller.CertifiedType)
}

// certifyPurchases issues an account the certificates of what it bought.
func certifyPurchases(ctx *module.Ctx, statement *settlementv1.Statement) error {
	var deliveries []origin.Delivery
	for _, trade := range statement.Trades {
		switch {
		case trade.CertifiedWh == 0 || !bytes.Equal(trade.Buyer, statement.Account):
		case trade.EnergyType == ofStorage:
			deliveries = append(deliveries, deliveriesOfStock(trade)...)
		default:
			deliveries = append(deliveries, deliveryOf(statement.Period, trade, trade.CertifiedWh))
		}
	}
	return certify(ctx, statement, deliveries...)
}

// deliveryOf is energy of a trade as certificates see it; negative where a
// correction takes it back.
func deliveryOf(period int64, trade *settlementv1.Trade, energyWh int64) origin.Delivery {
	return origin.Delivery{
		Seller: protocol.Address(trade.Seller), EnergyType: trade.EnergyType, Month: units.MonthOf(period),
		EnergyWh: energyWh, LossPPM: trade.LossPpm,
	}
}

// certify issues the certificates of deliveries to the buyer whose statement it
// is, and takes them down in it.
func certify(ctx *module.Ctx, statement *settlementv1.Statement, deliveries ...origin.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	issued, err := origin.Issue(ctx, protocol.Address(statement.Account), deliveries)
	if err != nil {
		return err
	}
	var sums adder
	sums.add(&statement.CertificatesWh, issued.IssuedWh)
	sums.add(&statement.CertificatesLostWh, issued.LostWh)
	sums.add(&statement.CertificatesNettedWh, issued.NettedWh)
	sums.add(&statement.CertificatesReclaimedWh, issued.ReclaimedWh)
	return sums.err
}

// recertify takes down anew what of a corrected trade certificates may be issued
// for: what of it the seller's corrected registers show, none if those of a side
// were estimated or missing. What storage sold keeps what it took of the stock.
func (w *resettlement) recertify(seller, buyer *party, trade *settlementv1.Trade) error {
	if trade.EnergyType == ofStorage {
		return nil
	}
	trade.CertifiedWh, trade.EnergyType = 0, 0
	if seller.Estimated || buyer.Estimated || trade.SellerMissing || trade.BuyerMissing {
		return nil
	}
	energyType := certifiedType(w.ctx.Store, registry.ParamsAt(w.ctx.Store, w.period.Period), seller.Account, w.period.Period)
	if !origin.Certified(energyType) {
		return nil
	}
	if len(trade.Contract) > 0 { // shares measured registers as they are
		nameOrigin(trade, trade.SoldWh, energyType)
		return nil
	}
	meteredWh, err := partOf(seller, trade, metered)
	if err != nil {
		return err
	}
	nameOrigin(trade, meteredWh, energyType)
	return nil
}

// meteredOf are the parts of s_k that the seller's meter shows.
func meteredOf(s *settlementv1.Statement) ([]*settlementv1.Trade, []int64, error) {
	matched, parts, err := sellableParts(s)
	if err != nil {
		return nil, nil, err
	}
	parts, err = meteredParts(s.ExportWh, parts)
	return matched, parts, err
}

// reissue issues the difference of a corrected trade's certificates to its buyer,
// or takes it back.
func (w *resettlement) reissue(buyer *party, was, next *settlementv1.Trade) error {
	named := next
	if next.CertifiedWh == 0 {
		named = was
	}
	if more := next.CertifiedWh - was.CertifiedWh; more != 0 {
		return certify(w.ctx, buyer.Statement, deliveryOf(w.period.Period, named, more))
	}
	return nil
}
