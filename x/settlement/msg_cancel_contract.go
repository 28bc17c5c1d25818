package settlement

import (
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
)

func checkCancelContract(_ string, m *settlementv1.MsgCancelContract) error {
	return checkContractID(m.Contract)
}

// cancelContract ends a contract: the period that runs is its last one. What
// was not accepted, or covers no period that has begun, goes at once.
func cancelContract(ctx *module.Ctx, m *settlementv1.MsgCancelContract) error {
	contract, err := ownContract(ctx, m.Contract)
	if err != nil {
		return err
	}
	contract.UntilPeriod = min(contract.UntilPeriod, nextPeriod(ctx))
	if !contract.Accepted || contract.FromPeriod >= contract.UntilPeriod {
		endContract(ctx, contract, reasonCancelled)
		return nil
	}
	saveContract(ctx.Store, contract)
	ctx.Emit(&settlementv1.ContractEnded{Contract: contract, Reason: reasonCancelled})
	return nil
}
