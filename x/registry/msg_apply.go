package registry

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

func checkApply(_ string, msg *registryv1.MsgApply) error {
	application := msg.Application
	if err := checkAccount("application", application, len(msg.Meters)); err != nil {
		return err
	}
	if HasRole(application, registryv1.Role_ROLE_AGGREGATOR) {
		if len(application.HomeAggregator) != 0 {
			return ErrInvalidField.With("application.home_aggregator: expected none, an aggregator is its own")
		}
		if err := checkRange("application.validator_power", application.ValidatorPower, 1, maxPower); err != nil {
			return err
		}
	}
	if application.Status != 0 || len(application.Account) != 0 || application.RevokedAtMs != 0 || application.ClosedAtMs != 0 {
		return ErrInvalidField.With("application: expected account and status left empty, the chain sets them")
	}
	if msg.Application.FreezeCause != 0 {
		return ErrInvalidField.With("application.freeze_cause: expected none, the chain sets it")
	}
	if len(msg.Meters) > maxMeters {
		return ErrInvalidField.With("meters: expected at most %d meters, got %d", maxMeters, len(msg.Meters))
	}
	for i, meter := range msg.Meters {
		field := fmt.Sprintf("meters[%d]", i)
		if err := checkMeter(field, meter); err != nil {
			return err
		}
		if len(meter.Account) != 0 || meter.BoundAtMs != 0 {
			return ErrInvalidField.With("%s: expected account and bound_at_ms left empty, the chain sets them", field)
		}
		for _, other := range msg.Meters[:i] {
			if other.Meter == meter.Meter {
				return ErrInvalidField.With("%s.meter: expected distinct names, got %s again", field, meter.Meter)
			}
		}
	}
	return nil
}

func apply(ctx *module.Ctx, msg *registryv1.MsgApply) error {
	account := proto.Clone(msg.Application).(*registryv1.Account)
	id := protocol.KeyAddress(account.Keys[0])
	account.Account = id[:]
	account.Status = registryv1.Status_STATUS_PENDING
	slices.Sort(account.Roles)
	if HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
		account.HomeAggregator = id[:]
	}
	if account.InitialReputation == 0 {
		account.InitialReputation = ParamsNow(ctx.Store, ctx.TimeMs).InitialReputation
	}
	if err := checkRegion(ctx, account); err != nil {
		return err
	}
	if _, exists := AccountOf(ctx.Store, id); exists {
		return ErrAccountExists.With("application.keys[0]: expected the key of a new account, %v exists", id)
	}
	if err := checkKeysFree(ctx.Store, "application.keys", account.Keys); err != nil {
		return err
	}
	if len(account.ValidatorKey) > 0 {
		if err := checkValidatorKeyFree(ctx.Store, "application.validator_key", account.ValidatorKey); err != nil {
			return err
		}
	}
	saveAccount(ctx.Store, account)
	for i, given := range msg.Meters {
		field := fmt.Sprintf("meters[%d]", i)
		if err := checkMeterFree(ctx.Store, field+".meter", given.Meter); err != nil {
			return err
		}
		if err := checkGateway(ctx.Store, field+".gateway", given.Gateway,
			registryv1.Status_STATUS_PENDING, registryv1.Status_STATUS_ACTIVE); err != nil {
			return err
		}
		meter := proto.Clone(given).(*registryv1.Meter)
		meter.Account = id[:]
		saveMeter(ctx.Store, meter)
	}
	by := ctx.Signer.Address()
	if ctx.Signer.Authority {
		by = protocol.AuthorityAddress
	}
	ctx.Emit(&registryv1.Applied{Account: id[:], By: by[:]})
	return nil
}

// checkRegion lets an aggregator apply for its own region only, the authority
// for any.
func checkRegion(ctx *module.Ctx, account *registryv1.Account) error {
	if !ctx.Signer.Authority {
		if HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
			return ErrAuthorityOnly.With("application.roles: expected no aggregator, only the authority applies for those")
		}
		if own := ctx.Signer.Address(); !bytes.Equal(account.HomeAggregator, own[:]) {
			return ErrNotOwnRegion.With("application.home_aggregator: expected the sender %v, got %v",
				own, protocol.Address(account.HomeAggregator))
		}
	}
	return checkHome(ctx.Store, "application.home_aggregator", account)
}

// checkHome refuses a home that is no active aggregator; an aggregator is its
// own.
func checkHome(r state.Reader, field string, account *registryv1.Account) error {
	if HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
		return nil
	}
	home, err := inStatus(r, field, account.HomeAggregator, registryv1.Status_STATUS_ACTIVE)
	if err != nil {
		return ErrUnknownAggregator.With("%v", err)
	}
	if !HasRole(home, registryv1.Role_ROLE_AGGREGATOR) {
		return ErrUnknownAggregator.With("%s: expected an aggregator, got %v", field, protocol.Address(home.Account))
	}
	return nil
}
