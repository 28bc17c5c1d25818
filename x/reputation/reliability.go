package reputation

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

func reliabilityKey(account []byte) state.Key { return reliabilities.Key().Bytes(account) }

// ReliabilityOf returns what was charged to an account since its last full
// verification; the first is its admission.
func ReliabilityOf(r state.Reader, account protocol.Address) *reputationv1.Reliability {
	if known, ok := reliabilities.Get(r, reliabilityKey(account[:])); ok {
		return known
	}
	return &reputationv1.Reliability{Account: account.Bytes(), Verification: 1}
}

// saveReliability keeps only records that say something.
func saveReliability(s state.Store, known *reputationv1.Reliability) {
	if known.Trades == 0 && known.EnergyWh == 0 && known.Verification == 1 && !known.Asked {
		reliabilities.Delete(s, reliabilityKey(known.Account))
		return
	}
	reliabilities.Set(s, reliabilityKey(known.Account), known)
}

// QuotaOf returns the quota of an account's user type, or that of all types
// without one of their own; nil if there is neither.
func QuotaOf(params *registryv1.Params, account *registryv1.Account) *registryv1.ReliabilityQuota {
	var others *registryv1.ReliabilityQuota
	for _, quota := range params.ReliabilityQuotas {
		switch quota.UserType {
		case account.GetUserType():
			return quota
		case "":
			others = quota
		}
	}
	return others
}

// Charge charges an order of so much energy to an account's quota. It returns the
// verification that it is charged to, 0 if the quota has no room for all of it:
// then nothing is charged.
func Charge(ctx *module.Ctx, account protocol.Address, quota *registryv1.ReliabilityQuota, energyWh int64) int64 {
	known := ReliabilityOf(ctx.Store, account)
	if !fits(known, quota, energyWh) {
		return 0
	}
	known.Trades++
	known.EnergyWh += energyWh
	saveReliability(ctx.Store, known)
	return known.Verification
}

// fits says whether a quota has room for one more order.
func fits(known *reputationv1.Reliability, quota *registryv1.ReliabilityQuota, energyWh int64) bool {
	energy, err := units.Add(known.EnergyWh, energyWh)
	return err == nil && known.Trades < quota.GetTrades() && energy <= quota.GetEnergyWh()
}

// Refund gives back what was charged for what was not matched: energy, and the
// order itself if nothing of it was. What was charged before a later verification
// was forgotten with it: giving it back would make room twice.
func Refund(ctx *module.Ctx, account []byte, verification, trades, energyWh int64) {
	known := ReliabilityOf(ctx.Store, protocol.Address(account))
	if known.Verification != verification || trades+energyWh == 0 {
		return
	}
	known.Trades -= trades
	known.EnergyWh -= energyWh
	saveReliability(ctx.Store, known)
}

// EscrowShare is the part of an order's cost that an account of a credit value has
// to escrow, in ppm: all up to escrow_relief_above, then less in a straight line,
// to 10^6 - escrow_relief_ppm at 100.
func EscrowShare(params *registryv1.Params, value int64) int64 {
	above := value - params.EscrowReliefAbove
	if params.EscrowReliefPpm == 0 || above <= 0 {
		return units.PPM
	}
	return units.PPM - params.EscrowReliefPpm*above/(maxValue-params.EscrowReliefAbove)
}
