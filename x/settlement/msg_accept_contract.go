package settlement

import (
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

func checkAcceptContract(_ string, m *settlementv1.MsgAcceptContract) error {
	return checkContractID(m.Contract)
}

func checkContractID(id []byte) error {
	if _, err := protocol.IDFrom(id); err != nil {
		return ErrMalformed.With("contract: %v", err)
	}
	return nil
}

// acceptContract signs what the other side proposed.
func acceptContract(ctx *module.Ctx, m *settlementv1.MsgAcceptContract) error {
	contract, err := ownContract(ctx, m.Contract)
	if err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	if contract.Accepted || string(contract.Proposer) == string(sender[:]) {
		return ErrNotProposed.With("contract: expected one that the other side proposed and nobody accepted, got %x", m.Contract)
	}
	if ctx.TimeMs >= contract.ExpiresAtMs {
		return ErrExpired.With("contract: expected to be accepted before %s, the block is of %s",
			units.FormatTime(contract.ExpiresAtMs), units.FormatTime(ctx.TimeMs))
	}
	contract.FromPeriod = max(contract.FromPeriod, nextPeriod(ctx))
	if contract.FromPeriod >= contract.UntilPeriod {
		return ErrExpired.With("contract: expected a period to begin before it ends at %s, the next begins at %s",
			units.FormatTime(contract.UntilPeriod), units.FormatTime(contract.FromPeriod))
	}
	if _, err := sidesOf(ctx.Store, contract.Seller, contract.Buyer); err != nil {
		return err
	}
	most := registry.ParamsNow(ctx.Store, ctx.TimeMs).MaxContractsPerAccount
	if err := checkSlots(ctx.Store, "sender", sender, most, false); err != nil {
		return err
	}
	contract.Accepted = true
	saveContract(ctx.Store, contract)
	ctx.Emit(&settlementv1.ContractAccepted{Contract: contract})
	return nil
}
