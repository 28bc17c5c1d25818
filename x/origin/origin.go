package origin

import (
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

var (
	holdings = state.NewMap[originv1.Holding](protocol.ModuleOrigin, 1)
	totals   = state.NewMap[originv1.Total](protocol.ModuleOrigin, 2)
	excesses = state.NewMap[originv1.Excess](protocol.ModuleOrigin, 3)
	stocks   = state.NewMap[originv1.Stock](protocol.ModuleOrigin, 4)
)

// kind is what certificates do not differ in among each other.
type kind struct {
	energyType registryv1.EnergyType
	month      int64
}

func (k kind) String() string {
	return typeNames[k.energyType] + " of " + units.FormatMonth(k.month)
}

// typeNames are the energy types that are certified.
var typeNames = map[registryv1.EnergyType]string{
	registryv1.EnergyType_ENERGY_TYPE_WIND: "wind", registryv1.EnergyType_ENERGY_TYPE_HYDRO: "hydro",
	registryv1.EnergyType_ENERGY_TYPE_SOLAR: "solar", registryv1.EnergyType_ENERGY_TYPE_BIOMASS: "biomass",
}

// Certified says whether energy of a type may have certificates: wind, hydro,
// solar and biomass, which the registry knows as clean.
func Certified(energyType registryv1.EnergyType) bool { return typeNames[energyType] != "" }

func holdingsOf(account []byte) state.Key { return holdings.Key().Bytes(account) }

func holdingKey(account []byte, k kind) state.Key {
	return holdingsOf(account).Int64(k.month).Int64(int64(k.energyType))
}

func totalKey(k kind) state.Key { return totals.Key().Int64(k.month).Int64(int64(k.energyType)) }

func excessKey(seller []byte, energyType registryv1.EnergyType) state.Key {
	return excesses.Key().Bytes(seller).Int64(int64(energyType))
}

// holdingOf returns an account's row, an empty one if there is none.
func holdingOf(r state.Reader, account []byte, k kind) *originv1.Holding {
	if h, ok := holdings.Get(r, holdingKey(account, k)); ok {
		return h
	}
	return &originv1.Holding{Account: account, EnergyType: k.energyType, Month: k.month}
}

func totalOf(r state.Reader, k kind) *originv1.Total {
	if t, ok := totals.Get(r, totalKey(k)); ok {
		return t
	}
	return &originv1.Total{EnergyType: k.energyType, Month: k.month}
}

func kindOfHolding(h *originv1.Holding) kind { return kind{h.EnergyType, h.Month} }

// saveHolding stores a row, or removes one that says nothing.
func saveHolding(s state.Store, h *originv1.Holding) {
	key := holdingKey(h.Account, kindOfHolding(h))
	if h.HeldWh == 0 && h.RetiredWh == 0 {
		holdings.Delete(s, key)
		return
	}
	holdings.Set(s, key, h)
}

// Module is the module of certificates.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "origin" }

var traders = []registryv1.Role{registryv1.Role_ROLE_PROSUMER, registryv1.Role_ROLE_AGGREGATOR}

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	return []module.Route{
		module.Handle(module.LaneRest, traders, checkTransferCertificate, transferCertificate),
		module.Handle(module.LaneRest, traders, checkRetireCertificate, retireCertificate),
	}
}
