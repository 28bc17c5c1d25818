package credit

import (
	"bytes"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// maxAmount is the most that a demand may name, as the greatest cap.
const maxAmount = 1_000_000_000_000_000

func checkStateDemand(_ string, msg *creditv1.MsgStateDemand) error {
	if _, err := protocol.AddressFrom(msg.Bank); err != nil {
		return ErrInvalidField.With("bank: %v", err)
	}
	if msg.AmountUcoin == 0 {
		return first(within("rate_ppm", msg.RatePpm, 0, 0), within("none_from_ppm", msg.NoneFromPpm, 0, 0))
	}
	return checkCurve(msg.AmountUcoin, msg.RatePpm, msg.NoneFromPpm)
}

// checkCurve checks the two points of a demand.
func checkCurve(amount, rate, noneFrom int64) error {
	return first(
		within("amount_ucoin", amount, 1, maxAmount),
		within("rate_ppm", rate, 1, units.PPM-1),
		within("none_from_ppm", noneFrom, rate+1, units.PPM),
	)
}

// stateDemand replaces what the sender would borrow, from the next pricing on.
func stateDemand(ctx *module.Ctx, msg *creditv1.MsgStateDemand) error {
	sender := ctx.Signer.Address()
	account := ctx.Signer.Account
	if !bytes.Equal(account.HomeAggregator, msg.Bank) {
		return ErrNotHomeBank.With("bank: expected the sender's home aggregator %v, got %v",
			protocol.Address(account.HomeAggregator), protocol.Address(msg.Bank))
	}
	b, ok := BankOf(ctx.Store, protocol.Address(msg.Bank))
	if !ok {
		return ErrUnknownBank.With("bank: expected an aggregator that has opened a bank, %v has not", protocol.Address(msg.Bank))
	}
	key := demandKey(msg.Bank, sender[:])
	known := demands.Has(ctx.Store, key)
	switch {
	case msg.AmountUcoin == 0 && !known:
		return ErrUnknownDemand.With("amount_ucoin: expected more than 0, there is no demand to take back")
	case msg.AmountUcoin == 0:
		dropDemand(ctx, b, sender[:])
		banks.Set(ctx.Store, bankKey(b.Aggregator), b)
		ctx.Emit(&creditv1.DemandStated{Demand: &creditv1.Demand{Bank: msg.Bank, Borrower: sender.Bytes()}})
		return nil
	}
	if err := mayBorrow(ctx, sender, msg.Bank); err != nil {
		return err
	}
	if !known {
		if most := registry.ParamsNow(ctx.Store, ctx.TimeMs).CreditMaxDemands; b.Demands >= most {
			return ErrTooManyDemands.With("bank: expected one with fewer than %d demands, %v has %d", most, protocol.Address(msg.Bank), b.Demands)
		}
		b.Demands++
		banks.Set(ctx.Store, bankKey(b.Aggregator), b)
	}
	demand := &creditv1.Demand{
		Bank: msg.Bank, Borrower: sender.Bytes(), AmountUcoin: msg.AmountUcoin, RatePpm: msg.RatePpm, NoneFromPpm: msg.NoneFromPpm,
	}
	demands.Set(ctx.Store, key, demand)
	ctx.Emit(&creditv1.DemandStated{Demand: demand})
	return nil
}

// mayBorrow refuses who gets no loan whatever its need is: at the statement, at
// the pricing and at the draw.
func mayBorrow(ctx *module.Ctx, borrower protocol.Address, aggregator []byte) error {
	account, _ := registry.AccountOf(ctx.Store, borrower)
	if !active(account) {
		return ErrNotActive.With("borrower: expected an active account, %v is not", borrower)
	}
	if !lends(ctx.Store, aggregator) {
		return ErrNotActive.With("bank: expected that of an active aggregator, %v is none", protocol.Address(aggregator))
	}
	if owner, _ := registry.AccountOf(ctx.Store, protocol.Address(aggregator)); bytes.Equal(owner.GetIdentity(), account.Identity) {
		return ErrSameIdentity.With("bank: expected one of another identity than %v", borrower)
	}
	if err := checkNoDebt(ctx, "borrower", borrower); err != nil {
		return err
	}
	if late := BorrowerOf(ctx.Store, borrower).LateLoans; late > 0 {
		return ErrLoanLate.With("borrower: expected an account without late loans, %v has %d", borrower, late)
	}
	return nil
}

// dropDemand removes a demand that is there; the caller stores the bank.
func dropDemand(ctx *module.Ctx, b *creditv1.Bank, borrower []byte) {
	demands.Delete(ctx.Store, demandKey(b.Aggregator, borrower))
	b.Demands--
}
