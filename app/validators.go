package app

import (
	"crypto/sha256"

	abci "github.com/cometbft/cometbft/abci/types"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// violation is the change of the credit value for double signing (SPEC 9).
const violation = -10

// validatorAddress is CometBFT's address of a consensus key.
func validatorAddress(key []byte) []byte {
	hash := sha256.Sum256(key)
	return hash[:20]
}

// jail takes an aggregator's voting power and cuts its reputation. The last
// validator keeps its power: a chain without any could never go on.
func (a *App) jail(ctx *module.Ctx, account protocol.Address, m abci.Misbehavior) {
	err := ctx.Atomic(func(ctx *module.Ctx) error {
		reputation.Record(ctx, account, violation)
		return registry.Jail(ctx, account)
	})
	if err != nil {
		a.log.Error("evidence: could not jail", "account", account.String(), "height", m.Height, "err", err)
	}
}

// validatorUpdates tells CometBFT of changed voting power, by account.
func validatorUpdates(changed []*registryv1.Account) []abci.ValidatorUpdate {
	updates := make([]abci.ValidatorUpdate, 0, len(changed))
	for _, account := range changed {
		updates = append(updates, abci.Ed25519ValidatorUpdate(account.ValidatorKey, account.ValidatorPower))
	}
	return updates
}
