package registry

import (
	"google.golang.org/protobuf/types/known/emptypb"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

var (
	accounts      = state.NewMap[registryv1.Account](protocol.ModuleRegistry, 1)
	keys          = state.NewMap[registryv1.KeyOwner](protocol.ModuleRegistry, 2)
	meters        = state.NewMap[registryv1.Meter](protocol.ModuleRegistry, 3)
	accountMeters = state.NewMap[emptypb.Empty](protocol.ModuleRegistry, 4)
	params        = state.NewMap[registryv1.ParamsEntry](protocol.ModuleRegistry, 5)
	authority     = state.NewItem[registryv1.Authority](protocol.ModuleRegistry, 6)
	chain         = state.NewItem[registryv1.Chain](protocol.ModuleRegistry, 7)
	proposals     = state.NewMap[registryv1.Proposal](protocol.ModuleRegistry, 8)
	proposalEnds  = state.NewMap[emptypb.Empty](protocol.ModuleRegistry, 9)
	stopped       = state.NewMap[emptypb.Empty](protocol.ModuleRegistry, 10)
	enginePower   = state.NewMap[registryv1.EnginePower](protocol.ModuleRegistry, 11)
	validatorKeys = state.NewMap[registryv1.KeyOwner](protocol.ModuleRegistry, 12)
	closings      = state.NewMap[emptypb.Empty](protocol.ModuleRegistry, 13)
	endpoints     = state.NewMap[registryv1.Endpoints](protocol.ModuleRegistry, 14)

	gatewaySettings = state.NewMap[registryv1.GatewaySettings](protocol.ModuleRegistry, 15)
)

// Module is the registry as the application wires it.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "registry" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	byAuthority := []registryv1.Role{registryv1.Role_ROLE_AUTHORITY}
	applicants := []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR, registryv1.Role_ROLE_AUTHORITY}
	aggregators := []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR}
	operators := []registryv1.Role{registryv1.Role_ROLE_GATEWAY, registryv1.Role_ROLE_AGGREGATOR, registryv1.Role_ROLE_AUTHORITY}
	const lane = module.LaneRegistry
	return []module.Route{
		module.Handle(lane, applicants, checkApply, apply),
		module.Handle(lane, byAuthority, checkApprove, approve),
		module.Handle(lane, byAuthority, checkReject, reject),
		module.Handle(lane, byAuthority, checkBindMeter, bindMeter),
		module.Handle(lane, byAuthority, checkSetRoles, setRoles),
		module.Handle(lane, byAuthority, checkSetValidator, setValidator),
		module.Handle(lane, byAuthority, checkFreeze, freeze),
		module.Handle(lane, byAuthority, checkThaw, thaw),
		module.Handle(lane, byAuthority, checkRevoke, revoke),
		module.Handle(lane, byAuthority, checkSetParams, setParams),
		module.Handle(lane, byAuthority, checkSetAuthority, setAuthority),
		module.Handle(module.LaneRest, aggregators, checkSetEndpoints, setEndpoints),
		module.Handle(module.LaneRest, operators, checkSetGateway, setGateway),
		// No roles: the signers are keys of the authority, which have no
		// account; the messages check that themselves.
		module.Handle(lane, nil, checkPropose, propose),
		module.Handle(lane, nil, checkApproveProposal, approveProposal),
	}
}
