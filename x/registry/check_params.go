package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

// DefaultParams are the parameters of a production chain.
func DefaultParams() *registryv1.Params {
	return &registryv1.Params{
		GateLeadMs: 300_000, RoundLengthMs: 120_000, OrderHorizonMs: 86_400_000,
		PriceMinUcoinPerKwh: 0, PriceMaxUcoinPerKwh: 2_000_000, FeeUcoinPerKwh: 5_000,
		MaxOrders: 5_000, MaxOrdersPerAccount: 8,
		RangePriceUcoinPerKwh: 200_000, RangeEnergyWh: 40_000, RangeCredit: 100, RangeLossPpm: 100_000,
		MaxLossPpm: 100_000, DefaultLossPpmPerKm: 10_000,
		MaxFutureMs: 30_000, DeadlinePeriods: 4,
		SigmaPpm: 0, ViolationPpm: 200_000, ViolationWh: 500, StatementRetentionPeriods: 96,
		InitialReputation: 60,
		MaxRounds:         3, LapseLimit: 10,
		MaxExpiryBlocks: 1_000, MaxTxBytes: 256 << 10, MaxBlockBytes: 4 << 20,
		QuotaPerKey: 64, QuotaPerGateway: 256, PendingPerKey: 128, ProposalTtlBlocks: 10_000,
		MaxContractsPerAccount: 16,
		GuaranteeLimitUcoin:    50_000_000,
		// Nothing below 50; a day of a household at 60, more with every ten.
		CreditCapsUcoin:  []int64{0, 0, 0, 0, 0, 5 * million, 10 * million, 20 * million, 30 * million, 40 * million, 50 * million},
		CreditRateMinPpm: 1, CreditRateMaxPpm: 200_000, CreditMaxTermPeriods: 672, CreditMaxGracePeriods: 672,
		CreditMaxDemands: 1_000, CreditMinOutcomeUcoin: 100_000,
	}
}

// maxSpans is by how many ranges two values of an attribute may differ, so that
// the K-prototypes distance fits int64 (matching.md 2).
const maxSpans = 64

// Bounds of the caps of loans: one for each ten of the credit value, and so that
// those of all borrowers of a bank fit int64.
const (
	maxCaps       = 11
	maxCap        = 1_000_000_000_000_000
	maxBorrowers  = 1_000
	maxLoanLength = 10_000 // periods
)

// Bounds of the quotas of user types.
const (
	maxQuotas = 64
	maxQuota  = 1_000_000_000_000_000
)

const (
	hourMs  = 3_600_000
	dayMs   = 24 * hourMs
	million = 1_000_000
)

// checkParams checks every parameter: first each alone, then together.
func checkParams(p *registryv1.Params) error {
	if p == nil {
		return ErrInvalidParams.With("params: expected parameters")
	}
	for _, limit := range limits(p) {
		if limit.value < limit.low || limit.value > limit.high {
			return ErrInvalidParams.With("params.%s: expected %d to %d, got %d", limit.field, limit.low, limit.high, limit.value)
		}
	}
	if n := len(p.CreditCapsUcoin); n > maxCaps {
		return ErrInvalidParams.With("params.credit_caps_ucoin: expected at most %d entries, got %d", maxCaps, n)
	}
	if err := checkQuotas(p.ReliabilityQuotas); err != nil {
		return err
	}
	for i, ucoin := range p.CreditCapsUcoin {
		if ucoin < 0 || ucoin > maxCap {
			return ErrInvalidParams.With("params.credit_caps_ucoin[%d]: expected 0 to %d, got %d", i, int64(maxCap), ucoin)
		}
	}
	for _, span := range spans(p) {
		if least := (span.width + maxSpans - 1) / maxSpans; span.unit < least {
			return ErrInvalidParams.With("params.%s: expected at least %d, a %dth part of the span of %d, got %d",
				span.field, least, maxSpans, span.width, span.unit)
		}
	}
	return nil
}

// checkQuotas checks the quotas of user types, each of which has one.
func checkQuotas(quotas []*registryv1.ReliabilityQuota) error {
	if n := len(quotas); n > maxQuotas {
		return ErrInvalidParams.With("params.reliability_quotas: expected at most %d entries, got %d", maxQuotas, n)
	}
	for i, quota := range quotas {
		if quota.UserType != "" {
			if err := protocol.CheckName(quota.UserType); err != nil {
				return ErrInvalidParams.With("params.reliability_quotas[%d].user_type: %v", i, err)
			}
		}
		if quota.Trades < 0 || quota.Trades > maxQuota || quota.EnergyWh < 0 || quota.EnergyWh > maxQuota {
			return ErrInvalidParams.With("params.reliability_quotas[%d]: expected trades and energy_wh of 0 to %d, got %d and %d",
				i, int64(maxQuota), quota.Trades, quota.EnergyWh)
		}
		for _, other := range quotas[:i] {
			if other.UserType == quota.UserType {
				return ErrInvalidParams.With("params.reliability_quotas[%d].user_type: expected each once, got %q again", i, quota.UserType)
			}
		}
	}
	return nil
}

type limit struct {
	field            string
	value, low, high int64
}

func limits(p *registryv1.Params) []limit {
	const maxPrice, maxEnergy, maxMoney = 1_000_000_000, 1_000_000_000_000, 1_000_000_000_000
	return []limit{
		{"gate_lead_ms", p.GateLeadMs, 0, 7 * dayMs},
		{"round_length_ms", p.RoundLengthMs, 0, p.GateLeadMs},
		{"order_horizon_ms", p.OrderHorizonMs, 1, 31 * dayMs},
		{"price_max_ucoin_per_kwh", p.PriceMaxUcoinPerKwh, 0, maxPrice},
		{"price_min_ucoin_per_kwh", p.PriceMinUcoinPerKwh, 0, p.PriceMaxUcoinPerKwh},
		{"fee_ucoin_per_kwh", p.FeeUcoinPerKwh, 0, maxPrice},
		{"max_orders", p.MaxOrders, 1, 100_000},
		{"max_orders_per_account", p.MaxOrdersPerAccount, 1, p.MaxOrders},
		{"range_price_ucoin_per_kwh", p.RangePriceUcoinPerKwh, 1, maxPrice},
		{"range_energy_wh", p.RangeEnergyWh, 1, maxEnergy},
		{"range_credit", p.RangeCredit, 1, 100},
		{"range_loss_ppm", p.RangeLossPpm, 1, million},
		{"max_loss_ppm", p.MaxLossPpm, 0, million},
		{"default_loss_ppm_per_km", p.DefaultLossPpmPerKm, 0, million},
		{"max_future_ms", p.MaxFutureMs, 0, hourMs},
		{"deadline_periods", p.DeadlinePeriods, 1, 10_000},
		{"sigma_ppm", p.SigmaPpm, 0, million},
		{"violation_ppm", p.ViolationPpm, 0, million},
		{"violation_wh", p.ViolationWh, 0, maxEnergy},
		{"statement_retention_periods", p.StatementRetentionPeriods, 1, million},
		{"correction_retention_periods", p.CorrectionRetentionPeriods, 0, p.StatementRetentionPeriods},
		{"initial_reputation", p.InitialReputation, 0, 100},
		{"max_expiry_blocks", p.MaxExpiryBlocks, 1, million},
		// A transaction that sets these parameters must still fit.
		{"max_tx_bytes", p.MaxTxBytes, 4 << 10, 1 << 20},
		// The engine carries blocks of at most 100 MiB.
		{"max_block_bytes", p.MaxBlockBytes, p.MaxTxBytes, 64 << 20},
		{"quota_per_key", p.QuotaPerKey, 1, million},
		{"quota_per_gateway", p.QuotaPerGateway, 1, million},
		{"pending_per_key", p.PendingPerKey, 1, million},
		{"proposal_ttl_blocks", p.ProposalTtlBlocks, 1, 10 * million},
		{"max_rounds", p.MaxRounds, 1, 10},
		{"lapse_limit", p.LapseLimit, 0, 100},
		{"max_contracts_per_account", p.MaxContractsPerAccount, 0, 1_000},
		{"guarantee_limit_ucoin", p.GuaranteeLimitUcoin, 0, maxMoney},
		{"violation_penalty_ucoin", p.ViolationPenaltyUcoin, 0, maxMoney},
		{"freeze_window", p.FreezeWindow, 0, 100},
		{"freeze_violations", p.FreezeViolations, 0, p.FreezeWindow},
		{"escrow_relief_ppm", p.EscrowReliefPpm, 0, million},
		// Below 100, where the relief is full.
		{"escrow_relief_above", p.EscrowReliefAbove, 0, 99},
		{"least_outcome_wh", p.LeastOutcomeWh, 0, maxEnergy},
		{"credit_rate_max_ppm", p.CreditRateMaxPpm, 1, million},
		{"credit_rate_min_ppm", p.CreditRateMinPpm, 1, p.CreditRateMaxPpm},
		{"credit_max_term_periods", p.CreditMaxTermPeriods, 1, maxLoanLength},
		{"credit_max_grace_periods", p.CreditMaxGracePeriods, 1, maxLoanLength},
		{"credit_max_demands", p.CreditMaxDemands, 0, maxBorrowers},
		{"credit_min_outcome_ucoin", p.CreditMinOutcomeUcoin, 0, maxCap},
		{"storage_efficiency_ppm", p.StorageEfficiencyPpm, 0, million},
	}
}

// span is how far two values of an attribute may lie apart, and the range that
// the distance divides it by.
type span struct {
	field       string
	width, unit int64
}

func spans(p *registryv1.Params) []span {
	return []span{
		{"range_price_ucoin_per_kwh", p.PriceMaxUcoinPerKwh - p.PriceMinUcoinPerKwh, p.RangePriceUcoinPerKwh},
		{"range_credit", 100, p.RangeCredit},
		{"range_loss_ppm", p.MaxLossPpm, p.RangeLossPpm},
	}
}
