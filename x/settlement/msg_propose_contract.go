package settlement

import (
	"bytes"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

const (
	// maxPriority bounds priority and rank.
	maxPriority = 1000
	// maxYearWh bounds the quantity of a contract year, 1 TWh.
	maxYearWh = 1_000_000_000_000
	// maxProposalMs is the longest that a proposal may wait, 31 days.
	maxProposalMs = 31 * 86_400_000
)

func checkProposeContract(_ string, m *settlementv1.MsgProposeContract) error {
	for _, side := range []struct {
		field   string
		account []byte
	}{{"seller", m.Seller}, {"buyer", m.Buyer}} {
		if _, err := protocol.AddressFrom(side.account); err != nil {
			return ErrMalformed.With("%s: %v", side.field, err)
		}
	}
	if bytes.Equal(m.Seller, m.Buyer) {
		return ErrSameParty.With("buyer: expected another account than the seller's")
	}
	if m.PriceUcoinPerKwh < 0 {
		return ErrBadPrice.With("price_ucoin_per_kwh: expected 0 coin/kWh or more, got %s", units.FormatPrice(m.PriceUcoinPerKwh))
	}
	for _, order := range []struct {
		field string
		value int64
	}{{"priority", m.Priority}, {"rank", m.Rank}} {
		if order.value < 0 || order.value > maxPriority {
			return ErrOutOfRange.With("%s: expected 0 to %d, got %d", order.field, maxPriority, order.value)
		}
	}
	if m.FromPeriod <= 0 || m.UntilPeriod <= m.FromPeriod {
		return ErrBadPeriod.With("until_period: expected the start of a period after from_period, got %s and %s",
			units.FormatTime(m.UntilPeriod), units.FormatTime(m.FromPeriod))
	}
	return checkYear(m)
}

// checkYear checks a year's quantity and its prices, which are nothing without it.
// Excess is not cheaper than what was agreed, so that money goes one way only.
func checkYear(m *settlementv1.MsgProposeContract) error {
	if m.YearWh < 0 || m.YearWh > maxYearWh {
		return ErrBadYear.With("year_wh: expected 0 kWh, for none, to %s, got %s", units.FormatKWh(int64(maxYearWh)), units.FormatKWh(m.YearWh))
	}
	if m.YearWh == 0 {
		if m.ExcessPriceUcoinPerKwh != 0 || m.PenaltyPriceUcoinPerKwh != 0 {
			return ErrBadYear.With("year_wh: expected a quantity to which the excess and penalty price belong, got none")
		}
		return nil
	}
	if m.ExcessPriceUcoinPerKwh < m.PriceUcoinPerKwh {
		return ErrBadYearPrice.With("excess_price_ucoin_per_kwh: expected the contract's price of %s or more, got %s",
			units.FormatPrice(m.PriceUcoinPerKwh), units.FormatPrice(m.ExcessPriceUcoinPerKwh))
	}
	if m.PenaltyPriceUcoinPerKwh < 0 {
		return ErrBadYearPrice.With("penalty_price_ucoin_per_kwh: expected 0 coin/kWh or more, got %s", units.FormatPrice(m.PenaltyPriceUcoinPerKwh))
	}
	return nil
}

// proposeContract offers a contract to the other side.
func proposeContract(ctx *module.Ctx, m *settlementv1.MsgProposeContract) error {
	sender := ctx.Signer.Address()
	other, field := m.Buyer, "buyer"
	if bytes.Equal(m.Buyer, sender[:]) {
		other, field = m.Seller, "seller"
	} else if !bytes.Equal(m.Seller, sender[:]) {
		return ErrNotParty.With("seller: expected the sender %v as the seller or the buyer", sender)
	}
	if err := checkProposal(ctx, m); err != nil {
		return err
	}
	if _, err := sidesOf(ctx.Store, m.Seller, m.Buyer); err != nil {
		return err
	}
	most := registry.ParamsNow(ctx.Store, ctx.TimeMs).MaxContractsPerAccount
	if err := checkSlots(ctx.Store, "sender", sender, most, false); err != nil {
		return err
	}
	if err := checkSlots(ctx.Store, field, protocol.Address(other), most, true); err != nil {
		return err
	}
	for _, c := range ContractsOf(ctx.Store, sender) {
		if bytes.Equal(c.Seller, m.Seller) && bytes.Equal(c.Buyer, m.Buyer) {
			return ErrContractExists.With("buyer: expected a pair without a contract or proposal, it has %x", c.Id)
		}
	}
	contract := &settlementv1.Contract{
		Id: ctx.ID().Bytes(), Seller: m.Seller, Buyer: m.Buyer, PriceUcoinPerKwh: m.PriceUcoinPerKwh,
		Priority: m.Priority, Rank: m.Rank, FromPeriod: m.FromPeriod, UntilPeriod: m.UntilPeriod,
		Proposer: sender.Bytes(), ExpiresAtMs: m.ExpiresAtMs,
		YearWh: m.YearWh, ExcessPriceUcoinPerKwh: m.ExcessPriceUcoinPerKwh, PenaltyPriceUcoinPerKwh: m.PenaltyPriceUcoinPerKwh,
	}
	if m.YearWh > 0 {
		contract.YearMs = min(m.UntilPeriod-m.FromPeriod, maxYearMs)
	}
	saveContract(ctx.Store, contract)
	ctx.Emit(&settlementv1.ContractProposed{Contract: contract})
	return nil
}

// checkProposal checks times against the block's, and the price against the
// bounds of the first period.
func checkProposal(ctx *module.Ctx, m *settlementv1.MsgProposeContract) error {
	for _, at := range []struct {
		field  string
		period int64
	}{{"from_period", m.FromPeriod}, {"until_period", m.UntilPeriod}} {
		if start := registry.PeriodOf(ctx.Store, at.period); start != at.period {
			return ErrBadPeriod.With("%s: expected a multiple of the period length such as %s, got %s",
				at.field, units.FormatTime(start), units.FormatTime(at.period))
		}
	}
	if next := nextPeriod(ctx); m.UntilPeriod <= next {
		return ErrBadPeriod.With("until_period: expected one after %s, the next to begin, got %s",
			units.FormatTime(next), units.FormatTime(m.UntilPeriod))
	}
	if m.ExpiresAtMs <= ctx.TimeMs || m.ExpiresAtMs > ctx.TimeMs+maxProposalMs {
		return ErrBadExpiry.With("expires_at_ms: expected a time after %s and by %s, got %s", units.FormatTime(ctx.TimeMs),
			units.FormatTime(ctx.TimeMs+maxProposalMs), units.FormatTime(m.ExpiresAtMs))
	}
	params := registry.ParamsAt(ctx.Store, m.FromPeriod)
	if m.PriceUcoinPerKwh < params.PriceMinUcoinPerKwh || m.PriceUcoinPerKwh > params.PriceMaxUcoinPerKwh {
		return ErrBadPrice.With("price_ucoin_per_kwh: expected %s to %s, got %s", units.FormatPrice(params.PriceMinUcoinPerKwh),
			units.FormatPrice(params.PriceMaxUcoinPerKwh), units.FormatPrice(m.PriceUcoinPerKwh))
	}
	for _, price := range []struct {
		field string
		value int64
	}{{"excess_price_ucoin_per_kwh", m.ExcessPriceUcoinPerKwh}, {"penalty_price_ucoin_per_kwh", m.PenaltyPriceUcoinPerKwh}} {
		if price.value > params.PriceMaxUcoinPerKwh {
			return ErrBadYearPrice.With("%s: expected at most %s, got %s", price.field,
				units.FormatPrice(params.PriceMaxUcoinPerKwh), units.FormatPrice(price.value))
		}
	}
	return nil
}
