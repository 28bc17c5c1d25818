package registry

import (
	"bytes"
	"fmt"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{{Name: "registry", Check: checkTables}}
}

// checkTables says whether the tables agree: every key of an approved account
// is registered to it, every key and meter belongs to an account.
func checkTables(r state.Reader) error {
	for _, account := range accounts.All(r, accounts.Key()) {
		closing := account.Status == registryv1.Status_STATUS_REVOKED && account.ClosedAtMs == 0
		if closing != closings.Has(r, closings.Key().Bytes(account.Account)) {
			return fmt.Errorf("%v: expected in the list of those that close: %t", protocol.Address(account.Account), closing)
		}
		if account.Status == registryv1.Status_STATUS_PENDING {
			continue
		}
		for _, key := range account.Keys {
			owner, ok := OwnerOf(r, key)
			if !ok || !bytes.Equal(owner.Account, account.Account) || IsAuthorityKey(r, key) {
				return fmt.Errorf("key %x: expected to belong to %v only", key, protocol.Address(account.Account))
			}
			if owner.Removed != (account.Status == registryv1.Status_STATUS_REVOKED) {
				return fmt.Errorf("key %x: removed is %t, its account is %s", key, owner.Removed, statusName(account.Status))
			}
		}
	}
	for _, meter := range meters.All(r, meters.Key()) {
		account, ok := accounts.Get(r, accountKey(meter.Account))
		if !ok {
			return fmt.Errorf("meter %s: expected a registered account, got %v", meter.Meter, protocol.Address(meter.Account))
		}
		if (meter.BoundAtMs == 0) != (account.Status == registryv1.Status_STATUS_PENDING) {
			return fmt.Errorf("meter %s: bound_at_ms is %d, its account is %s", meter.Meter, meter.BoundAtMs, statusName(account.Status))
		}
		if !accountMeters.Has(r, accountMeters.Key().Bytes(meter.Account).Name(meter.Meter)) {
			return fmt.Errorf("meter %s: expected in the list of %v", meter.Meter, protocol.Address(meter.Account))
		}
	}
	return checkOperations(r)
}

// checkOperations says whether endpoints and settings are well formed and those
// of aggregators and gateways that are not revoked.
func checkOperations(r state.Reader) error {
	for _, e := range endpoints.All(r, endpoints.Key()) {
		if _, err := approvedAggregator(r, e.Aggregator); err != nil {
			return fmt.Errorf("endpoints of %v: %w", protocol.Address(e.Aggregator), err)
		}
		if err := checkURLs("urls", e.Urls); err != nil {
			return fmt.Errorf("endpoints of %v: %w", protocol.Address(e.Aggregator), err)
		}
	}
	for _, s := range gatewaySettings.All(r, gatewaySettings.Key()) {
		err := checkGateway(r, "gateway", s.Gateway, registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN)
		if err == nil {
			err = checkSettings("", s, ChainOf(r).PeriodLengthMs)
		}
		if err != nil {
			return fmt.Errorf("settings of %v: %w", protocol.Address(s.Gateway), err)
		}
	}
	return nil
}
