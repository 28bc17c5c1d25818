package registry

import (
	"bytes"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

// Limits of what one account may bring along.
const (
	maxKeys    = 16
	maxMeters  = 64
	maxRatingW = 10_000_000_000
	maxStepWh  = 1_000_000
	maxReason  = 200
	// maxPower keeps the sum far below the engine's limit of 2^60.
	maxPower = 1_000_000_000
)

func checkBytes(field string, data []byte, size int, what string) error {
	if len(data) != size {
		return ErrInvalidField.With("%s: expected %s of %d bytes, got %d", field, what, size, len(data))
	}
	return nil
}

func checkAddress(field string, account []byte) error {
	return checkBytes(field, account, protocol.AddressSize, "an address")
}

func checkRange(field string, value, low, high int64) error {
	if value < low || value > high {
		return ErrInvalidField.With("%s: expected %d to %d, got %d", field, low, high, value)
	}
	return nil
}

func checkName(field, name string) error {
	if err := protocol.CheckName(name); err != nil {
		return ErrInvalidField.With("%s: %v", field, err)
	}
	return nil
}

func checkReason(reason string) error {
	if len(reason) > maxReason || !utf8.ValidString(reason) {
		return ErrInvalidField.With("reason: expected at most %d bytes of text, got %d", maxReason, len(reason))
	}
	for _, r := range reason {
		if !unicode.IsPrint(r) {
			return ErrInvalidField.With("reason: expected printable text, got %q", reason)
		}
	}
	return nil
}

func checkKeys(field string, keys [][]byte, most int) error {
	if len(keys) == 0 || len(keys) > most {
		return ErrInvalidField.With("%s: expected 1 to %d keys, got %d", field, most, len(keys))
	}
	for i, key := range keys {
		if err := checkBytes(fmt.Sprintf("%s[%d]", field, i), key, protocol.KeySize, "an Ed25519 key"); err != nil {
			return err
		}
		for j := range i {
			if bytes.Equal(keys[j], key) {
				return ErrInvalidField.With("%s[%d]: expected distinct keys, got that of %s[%d] again", field, i, field, j)
			}
		}
	}
	return nil
}

func checkRoles(field string, roles []registryv1.Role) error {
	if len(roles) == 0 {
		return ErrInvalidField.With("%s: expected at least one role", field)
	}
	for i, role := range roles {
		if role < registryv1.Role_ROLE_AGGREGATOR || role > registryv1.Role_ROLE_AUDITOR {
			return ErrInvalidField.With("%s[%d]: expected aggregator, prosumer, gateway, regulator or auditor, got %v", field, i, role)
		}
		if slices.Contains(roles[:i], role) {
			return ErrInvalidField.With("%s[%d]: expected distinct roles, got %v again", field, i, role)
		}
	}
	if slices.Contains(roles, registryv1.Role_ROLE_GATEWAY) && len(roles) > 1 {
		return ErrInvalidField.With("%s: expected gateway as the only role of its account", field)
	}
	return nil
}

// checkAccount checks the fields of an account that its status does not touch.
func checkAccount(field string, a *registryv1.Account, meterCount int) error {
	if err := checkIdentity(field, a); err != nil {
		return err
	}
	if HasRole(a, registryv1.Role_ROLE_GATEWAY) && (len(a.Keys) != 1 || meterCount != 0) {
		return ErrInvalidField.With("%s: expected a gateway with one key and no meters, got %d and %d",
			field, len(a.Keys), meterCount)
	}
	if err := checkConnection(field, a, meterCount); err != nil {
		return err
	}
	return checkValidator(field, a)
}

func checkIdentity(field string, a *registryv1.Account) error {
	if a == nil {
		return ErrInvalidField.With("%s: expected an account", field)
	}
	if err := checkBytes(field+".identity", a.Identity, 32, "a SHA-256 hash"); err != nil {
		return err
	}
	if a.UserType != "" {
		if err := checkName(field+".user_type", a.UserType); err != nil {
			return err
		}
	}
	if err := checkRoles(field+".roles", a.Roles); err != nil {
		return err
	}
	if err := checkKeys(field+".keys", a.Keys, maxKeys); err != nil {
		return err
	}
	if err := checkRange(field+".market", a.Market, 0, MaxMarkets-1); err != nil {
		return err
	}
	return checkRange(field+".initial_reputation", a.InitialReputation, 0, 100)
}

// MaxMarkets is how many markets a chain has room for: their numbers are below it.
const MaxMarkets = 256

// checkConnection checks where an account is connected to the grid; those that
// trade or have meters must be.
func checkConnection(field string, a *registryv1.Account, meterCount int) error {
	connected := meterCount > 0 || HasRole(a, registryv1.Role_ROLE_PROSUMER)
	low := int64(0)
	if connected {
		low = 1
	}
	if err := checkRange(field+".connection_rating_w", a.ConnectionRatingW, low, maxRatingW); err != nil {
		return err
	}
	if connected || a.GridNode != "" {
		if err := checkName(field+".grid_node", a.GridNode); err != nil {
			return err
		}
	}
	if connected || a.TariffClass != "" {
		return checkName(field+".tariff_class", a.TariffClass)
	}
	return nil
}

// checkValidator checks the consensus key and home: aggregators have the one
// and are their own home.
func checkValidator(field string, a *registryv1.Account) error {
	if !HasRole(a, registryv1.Role_ROLE_AGGREGATOR) {
		if len(a.ValidatorKey) != 0 || a.ValidatorPower != 0 {
			return ErrInvalidField.With("%s: expected validator_key and validator_power with the role aggregator only", field)
		}
		return checkAddress(field+".home_aggregator", a.HomeAggregator)
	}
	if err := checkBytes(field+".validator_key", a.ValidatorKey, protocol.KeySize, "an Ed25519 consensus key"); err != nil {
		return err
	}
	return checkRange(field+".validator_power", a.ValidatorPower, 0, maxPower)
}

// checkMeter checks the fields of a meter that its account does not touch.
func checkMeter(field string, m *registryv1.Meter) error {
	if m == nil {
		return ErrInvalidField.With("%s: expected a meter", field)
	}
	if err := checkName(field+".meter", m.Meter); err != nil {
		return err
	}
	if err := checkAddress(field+".gateway", m.Gateway); err != nil {
		return err
	}
	if err := checkEnergyType(field, m); err != nil {
		return err
	}
	return checkRange(field+".step_wh", m.StepWh, 1, maxStepWh)
}

// checkEnergyType checks the environmental index against the type. A meter that
// only measures consumption has no type.
func checkEnergyType(field string, m *registryv1.Meter) error {
	low, high := int64(1), int64(1)
	switch m.EnergyType {
	case registryv1.EnergyType_ENERGY_TYPE_UNSPECIFIED, registryv1.EnergyType_ENERGY_TYPE_FOSSIL:
		low, high = 0, 0
	case registryv1.EnergyType_ENERGY_TYPE_STORAGE:
		low = 0
	case registryv1.EnergyType_ENERGY_TYPE_WIND, registryv1.EnergyType_ENERGY_TYPE_HYDRO,
		registryv1.EnergyType_ENERGY_TYPE_SOLAR, registryv1.EnergyType_ENERGY_TYPE_BIOMASS:
	default:
		return ErrInvalidField.With("%s.energy_type: expected fossil, wind, hydro, solar, biomass, storage or none, got %d",
			field, int32(m.EnergyType))
	}
	return checkRange(field+".environment", m.Environment, low, high)
}

func checkAuthority(field string, a *registryv1.Authority) error {
	if err := checkKeys(field+".keys", a.GetKeys(), maxKeys); err != nil {
		return err
	}
	return checkRange(field+".threshold", a.Threshold, 1, int64(len(a.Keys)))
}
