package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// Bounds of a period's length in milliseconds.
const (
	minPeriodMs = 100
	maxPeriodMs = dayMs
)

// InitGenesis implements module.Module. The first set of validators is
// Validators, no changes are pending.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(registryv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	for _, part := range []func(*module.Ctx, *registryv1.GenesisState) error{
		initChain, initAuthority, initParams, initAccounts, initHomes, initMeters, initProposals, initEndpoints, initGateways,
	} {
		if err := part(ctx, genesis); err != nil {
			return ErrBadGenesis.With("%v", err)
		}
	}
	for _, validator := range Validators(ctx.Store) {
		notePower(ctx.Store, validator)
	}
	return nil
}

func initChain(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	if genesis.Chain.GetChainId() == "" {
		return ErrInvalidField.With("chain.chain_id: expected the chain's id")
	}
	if err := checkRange("chain.period_length_ms", genesis.Chain.PeriodLengthMs, minPeriodMs, maxPeriodMs); err != nil {
		return err
	}
	chain.Set(ctx.Store, genesis.Chain)
	return nil
}

func initAuthority(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	if err := checkAuthority("authority", genesis.Authority); err != nil {
		return err
	}
	authority.Set(ctx.Store, genesis.Authority)
	for i, owner := range genesis.RemovedKeys {
		field := fmt.Sprintf("removed_keys[%d]", i)
		if err := checkBytes(field+".key", owner.Key, protocol.KeySize, "an Ed25519 key"); err != nil {
			return err
		}
		if err := checkAddress(field+".account", owner.Account); err != nil {
			return err
		}
		if !owner.Removed {
			return ErrInvalidField.With("%s.removed: expected true", field)
		}
		if IsAuthorityKey(ctx.Store, owner.Key) {
			return ErrKeyTaken.With("%s.key: expected none of the authority's", field)
		}
		keys.Set(ctx.Store, keyKey(owner.Key), owner)
	}
	return nil
}

func initParams(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	if len(genesis.Params) == 0 || genesis.Params[0].FromPeriod != 0 {
		return ErrInvalidField.With("params[0].from_period: expected parameters from period 0 on")
	}
	for i, entry := range genesis.Params {
		if err := checkParams(entry.Params); err != nil {
			return fmt.Errorf("params[%d]: %w", i, err)
		}
		if entry.FromPeriod%genesis.Chain.PeriodLengthMs != 0 || (i > 0 && entry.FromPeriod <= genesis.Params[i-1].FromPeriod) {
			return ErrInvalidField.With("params[%d].from_period: expected ascending multiples of %d, got %d",
				i, genesis.Chain.PeriodLengthMs, entry.FromPeriod)
		}
		params.Set(ctx.Store, paramsKey(entry.FromPeriod), entry)
	}
	return nil
}

func initAccounts(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	for i, account := range genesis.Accounts {
		field := fmt.Sprintf("accounts[%d]", i)
		if err := checkAccount(field, account, 0); err != nil {
			return err
		}
		if id := protocol.KeyAddress(account.Keys[0]); !bytes.Equal(account.Account, id[:]) {
			return ErrInvalidField.With("%s.account: expected %v, the address of its first key", field, id)
		}
		if account.Status < registryv1.Status_STATUS_PENDING || account.Status > registryv1.Status_STATUS_REVOKED {
			return ErrInvalidField.With("%s.status: expected pending, active, frozen or revoked, got %v", field, account.Status)
		}
		if cause := account.FreezeCause; cause != 0 && account.Status != registryv1.Status_STATUS_FROZEN || cause < 0 || cause > registryv1.FreezeCause_FREEZE_CAUSE_VIOLATIONS {
			return ErrInvalidField.With("%s.freeze_cause: expected violations, and only of a frozen account, got %v", field, cause)
		}
		if accounts.Has(ctx.Store, accountKey(account.Account)) {
			return ErrAccountExists.With("%s.account: expected each account once, got %v again", field, protocol.Address(account.Account))
		}
		if !slices.IsSorted(account.Roles) {
			return ErrInvalidField.With("%s.roles: expected ascending roles", field)
		}
		if err := initKeys(ctx, field, account); err != nil {
			return err
		}
		if account.ClosedAtMs != 0 && (account.Status != registryv1.Status_STATUS_REVOKED || account.ClosedAtMs < account.RevokedAtMs) {
			return ErrInvalidField.With("%s.closed_at_ms: expected 0, or of a revoked account a time after its revocation, got %d", field, account.ClosedAtMs)
		}
		saveAccount(ctx.Store, account)
		noteClosing(ctx.Store, account)
	}
	return nil
}

// initKeys registers the keys of an account; the keys of a revoked one are
// among the removed keys already.
func initKeys(ctx *module.Ctx, field string, account *registryv1.Account) error {
	if account.Status == registryv1.Status_STATUS_PENDING {
		return nil
	}
	if account.Status != registryv1.Status_STATUS_REVOKED {
		if err := checkKeysFree(ctx.Store, field+".keys", account.Keys); err != nil {
			return err
		}
	} else if account.ValidatorPower != 0 {
		return ErrInvalidField.With("%s.validator_power: expected 0 of a revoked account, got %d", field, account.ValidatorPower)
	}
	if len(account.ValidatorKey) > 0 {
		if err := checkValidatorKeyFree(ctx.Store, field+".validator_key", account.ValidatorKey); err != nil {
			return err
		}
	}
	registerKeys(ctx.Store, account)
	return nil
}

// initHomes checks what accounts say of each other, once all are
// there. A home may have been revoked since.
func initHomes(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	for i, account := range genesis.Accounts {
		field := fmt.Sprintf("accounts[%d].home_aggregator", i)
		if HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
			if !bytes.Equal(account.HomeAggregator, account.Account) {
				return ErrInvalidField.With("%s: expected the aggregator itself", field)
			}
			continue
		}
		home, err := existing(ctx.Store, field, account.HomeAggregator)
		if err != nil {
			return err
		}
		if !HasRole(home, registryv1.Role_ROLE_AGGREGATOR) {
			return ErrUnknownAggregator.With("%s: expected an aggregator, got %v", field, protocol.Address(home.Account))
		}
	}
	return nil
}

func initMeters(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	for i, meter := range genesis.Meters {
		field := fmt.Sprintf("meters[%d]", i)
		if err := checkMeter(field, meter); err != nil {
			return err
		}
		if err := checkAddress(field+".account", meter.Account); err != nil {
			return err
		}
		account, err := existing(ctx.Store, field+".account", meter.Account)
		if err != nil {
			return err
		}
		if err := checkAccount("account of "+field, account, 1); err != nil {
			return err
		}
		if err := checkMeterFree(ctx.Store, field+".meter", meter.Meter); err != nil {
			return err
		}
		gateway, ok := accounts.Get(ctx.Store, accountKey(meter.Gateway))
		if account.Status == registryv1.Status_STATUS_PENDING {
			// Its gateway may have been rejected; approval looks again.
			if meter.BoundAtMs != 0 {
				return ErrInvalidField.With("%s.bound_at_ms: expected 0, the account is pending", field)
			}
		} else if !ok || !HasRole(gateway, registryv1.Role_ROLE_GATEWAY) {
			return ErrUnknownGateway.With("%s.gateway: expected a gateway's account, got %v", field, protocol.Address(meter.Gateway))
		} else if meter.BoundAtMs < 1 {
			return ErrInvalidField.With("%s.bound_at_ms: expected the time since when it is bound, 1 for always", field)
		}
		saveMeter(ctx.Store, meter)
	}
	return nil
}

func initProposals(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	for i, proposal := range genesis.Proposals {
		field := fmt.Sprintf("proposals[%d]", i)
		if err := checkBytes(field+".id", proposal.Id, protocol.IDSize, "an id"); err != nil {
			return err
		}
		if err := checkPropose("", &registryv1.MsgPropose{Msgs: proposal.Msgs}); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if err := checkKeys(field+".approvals", proposal.Approvals, maxKeys); err != nil {
			return err
		}
		for j, key := range proposal.Approvals {
			if !IsAuthorityKey(ctx.Store, key) {
				return ErrNotAuthorityKey.With("%s.approvals[%d]: expected a key of the authority", field, j)
			}
		}
		if int64(len(proposal.Approvals)) >= genesis.Authority.Threshold {
			return ErrInvalidField.With("%s.approvals: expected fewer than %d", field, genesis.Authority.Threshold)
		}
		saveProposal(ctx.Store, proposal)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := &registryv1.GenesisState{Chain: ChainOf(ctx.Store), Authority: AuthorityOf(ctx.Store)}
	for _, entry := range params.All(ctx.Store, params.Key()) {
		genesis.Params = append(genesis.Params, entry)
	}
	slices.Reverse(genesis.Params)
	for _, account := range accounts.All(ctx.Store, accounts.Key()) {
		genesis.Accounts = append(genesis.Accounts, account)
	}
	for _, meter := range meters.All(ctx.Store, meters.Key()) {
		genesis.Meters = append(genesis.Meters, meter)
	}
	for _, owner := range keys.All(ctx.Store, keys.Key()) {
		if owner.Removed {
			genesis.RemovedKeys = append(genesis.RemovedKeys, owner)
		}
	}
	for _, proposal := range proposals.All(ctx.Store, proposals.Key()) {
		genesis.Proposals = append(genesis.Proposals, proposal)
	}
	for _, e := range endpoints.All(ctx.Store, endpoints.Key()) {
		genesis.Endpoints = append(genesis.Endpoints, e)
	}
	for _, settings := range gatewaySettings.All(ctx.Store, gatewaySettings.Key()) {
		genesis.Gateways = append(genesis.Gateways, settings)
	}
	return module.MarshalGenesis(genesis)
}
