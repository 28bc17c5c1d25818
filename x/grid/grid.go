package grid

import (
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/grid/paths"
)

// Tables (doc.go).
var (
	nodes   = state.NewMap[gridv1.Node](protocol.ModuleGrid, 1)
	lines   = state.NewMap[gridv1.Line](protocol.ModuleGrid, 2)
	ends    = state.NewMap[gridv1.Line](protocol.ModuleGrid, 3)
	tariffs = state.NewMap[gridv1.Tariff](protocol.ModuleGrid, 4)

	zoneFees = state.NewMap[gridv1.ZoneFee](protocol.ModuleGrid, 5)
	zones    = state.NewMap[gridv1.Zone](protocol.ModuleGrid, 6)
)

// Module is the grid's part of the application.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "grid" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	authority := []registryv1.Role{registryv1.Role_ROLE_AUTHORITY}
	return []module.Route{
		module.Handle(module.LaneRegistry, authority, checkSetTopology, setTopology),
		module.Handle(module.LaneRegistry, authority, checkSetTariff, setTariff),
		module.Handle(module.LaneRegistry, authority, checkSetZoneFee, setZoneFee),
	}
}

// HasNode says whether a node of that name exists.
func HasNode(r state.Reader, name string) bool {
	return validName(name) && nodes.Has(r, nodes.Key().Name(name))
}

// Reachable says whether energy could come to or from the node at all: it
// exists, and a line ends there unless the chain has no lines.
func Reachable(r state.Reader, node string) bool {
	return HasNode(r, node) && (!hasLines(r) || hasLinesAt(r, node))
}

// TariffAt returns the tariff of a class that rules the period: the latest one
// from then or before.
func TariffAt(r state.Reader, class string, period int64) (*gridv1.Tariff, bool) {
	if !validName(class) {
		return nil, false
	}
	for _, tariff := range tariffs.From(r, tariffs.Key().Name(class), tariffKey(class, period)) {
		return tariff, true
	}
	return nil, false
}

// PathsOf returns the ways through the grid as the state has it, with the
// parameter default_loss_ppm_per_km for lines that name no loss.
func PathsOf(r state.Reader, defaultLossPPMPerKm int64) *paths.Paths {
	var allNodes []*gridv1.Node
	for _, node := range nodes.All(r, nodes.Key()) {
		allNodes = append(allNodes, node)
	}
	var allLines []*gridv1.Line
	for _, line := range lines.All(r, lines.Key()) {
		allLines = append(allLines, line)
	}
	return paths.New(allNodes, allLines, defaultLossPPMPerKm)
}

// validName keeps names that nobody checked away from keys, which have room
// for 32 characters.
func validName(name string) bool { return protocol.CheckName(name) == nil }

func lineKey(from, to string) state.Key { return lines.Key().Name(from).Name(to) }

func endKey(from, to string) state.Key { return ends.Key().Name(to).Name(from) }

// tariffKey orders a class's tariffs from the newest to the oldest.
func tariffKey(class string, fromPeriod int64) state.Key {
	return tariffs.Key().Name(class).Int64(-fromPeriod)
}

func hasLines(r state.Reader) bool {
	for range r.Range(lines.Key(), nil) {
		return true
	}
	return false
}

func hasLinesAt(r state.Reader, node string) bool {
	for range r.Range(lines.Key().Name(node), nil) {
		return true
	}
	for range r.Range(ends.Key().Name(node), nil) {
		return true
	}
	return false
}
