package registry

import (
	"slices"
	"strings"
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func TestApplyThenApprove(t *testing.T) {
	w := newWorld(t)
	meter := solarMeter("m1")
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{meter}}))

	bob := w.account("bob")
	if bob.Status != registryv1.Status_STATUS_PENDING || bob.InitialReputation != DefaultParams().InitialReputation {
		t.Errorf("applied: got %v", bob)
	}
	if _, known := OwnerOf(w.ctx.Store, key("bob")); known {
		t.Error("the key of a pending application is known")
	}
	if _, readable := MeterOf(w.ctx.Store, "m1"); readable {
		t.Error("the meter of a pending application is readable")
	}
	if got := MetersOf(w.ctx.Store, protocol.Address(bob.Account)); len(got) != 0 {
		t.Errorf("meters of a pending application: got %v", got)
	}

	w.ctx.TimeMs += 5_000
	w.must(w.authority(&registryv1.MsgApprove{Account: bob.Account}))
	if got := w.account("bob").Status; got != registryv1.Status_STATUS_ACTIVE {
		t.Errorf("approved: status %v", got)
	}
	owner, known := OwnerOf(w.ctx.Store, key("bob"))
	if !known || owner.Removed || string(owner.Account) != string(bob.Account) {
		t.Errorf("approved: owner %v", owner)
	}
	bound, readable := MeterOf(w.ctx.Store, "m1")
	if !readable || bound.BoundAtMs != w.ctx.TimeMs || string(bound.Account) != string(bob.Account) {
		t.Errorf("approved: meter %v", bound)
	}
	if got := MetersOf(w.ctx.Store, protocol.Address(bob.Account)); len(got) != 1 || got[0].Meter != "m1" {
		t.Errorf("approved: meters %v", got)
	}
	if len(emitted[*registryv1.Applied](w)) != 1 || len(emitted[*registryv1.Approved](w)) != 1 ||
		len(emitted[*registryv1.MeterBound](w)) != 1 {
		t.Errorf("events: %v", w.events)
	}
}

type applyRefusal struct {
	name string
	msg  *registryv1.MsgApply
	want *module.Error
	text string
}

func applyRefusals() []applyRefusal {
	const active = registryv1.Status_STATUS_ACTIVE
	withMeter := func(edit func(*registryv1.Meter)) *registryv1.MsgApply {
		meter := solarMeter("m1")
		edit(meter)
		return &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{meter}}
	}
	with := func(edit func(*registryv1.Account)) *registryv1.MsgApply {
		account := prosumer("bob")
		edit(account)
		return &registryv1.MsgApply{Application: account}
	}
	return []applyRefusal{
		{"no application", &registryv1.MsgApply{}, ErrInvalidField, "application"},
		{"short identity", with(func(a *registryv1.Account) { a.Identity = a.Identity[:31] }), ErrInvalidField, "application.identity"},
		{"bad user type", with(func(a *registryv1.Account) { a.UserType = "House Hold" }), ErrInvalidField, "application.user_type"},
		{"no role", with(func(a *registryv1.Account) { a.Roles = nil }), ErrInvalidField, "application.roles"},
		{"role authority", with(func(a *registryv1.Account) { a.Roles[0] = registryv1.Role_ROLE_AUTHORITY }), ErrInvalidField, "application.roles[0]"},
		{"role twice", with(func(a *registryv1.Account) { a.Roles = append(a.Roles, a.Roles[0]) }), ErrInvalidField, "application.roles[1]"},
		{"gateway and prosumer", with(func(a *registryv1.Account) { a.Roles = append(a.Roles, registryv1.Role_ROLE_GATEWAY) }), ErrInvalidField, "only role"},
		{"no key", with(func(a *registryv1.Account) { a.Keys = nil }), ErrInvalidField, "application.keys"},
		{"short key", with(func(a *registryv1.Account) { a.Keys = [][]byte{{1}} }), ErrInvalidField, "application.keys[0]"},
		{"key twice", with(func(a *registryv1.Account) { a.Keys = append(a.Keys, a.Keys[0]) }), ErrInvalidField, "application.keys[1]"},
		{"reputation", with(func(a *registryv1.Account) { a.InitialReputation = 101 }), ErrInvalidField, "0 to 100, got 101"},
		{"no rating", with(func(a *registryv1.Account) { a.ConnectionRatingW = 0 }), ErrInvalidField, "connection_rating_w"},
		{"no node", with(func(a *registryv1.Account) { a.GridNode = "" }), ErrInvalidField, "grid_node"},
		{"no tariff", with(func(a *registryv1.Account) { a.TariffClass = "" }), ErrInvalidField, "tariff_class"},
		{"status set", with(func(a *registryv1.Account) { a.Status = active }), ErrInvalidField, "left empty"},
		{"account set", with(func(a *registryv1.Account) { a.Account = address("bob") }), ErrInvalidField, "left empty"},
		{"power of a prosumer", with(func(a *registryv1.Account) { a.ValidatorPower = 1 }), ErrInvalidField, "role aggregator only"},
		{"consensus key of a prosumer", with(func(a *registryv1.Account) { a.ValidatorKey = key("x") }), ErrInvalidField, "role aggregator only"},
		{"no home", with(func(a *registryv1.Account) { a.HomeAggregator = nil }), ErrInvalidField, "home_aggregator"},
		{"another's region", with(func(a *registryv1.Account) { a.HomeAggregator = address("agg1") }), ErrNotOwnRegion, "home_aggregator"},
		{"an aggregator", &registryv1.MsgApply{Application: aggregator("agg2")}, ErrAuthorityOnly, "roles"},
		{"account exists", &registryv1.MsgApply{Application: prosumer("alice")}, ErrAccountExists, "keys[0]"},
		{"second key taken", with(func(a *registryv1.Account) { a.Keys = append(a.Keys, key("alice")) }), ErrKeyTaken, "keys[1]"},
		{"key of the authority", with(func(a *registryv1.Account) { a.Keys = append(a.Keys, key("a1")) }), ErrKeyTaken, "authority"},
		{"meter's name", withMeter(func(m *registryv1.Meter) { m.Meter = "M 1" }), ErrInvalidField, "meters[0].meter"},
		{"meter taken", withMeter(func(m *registryv1.Meter) { m.Meter = "m0" }), ErrMeterTaken, "meters[0].meter"},
		{"meter of an unknown gateway", withMeter(func(m *registryv1.Meter) { m.Gateway = address("nobody") }), ErrUnknownGateway, "meters[0].gateway"},
		{"meter of no gateway", withMeter(func(m *registryv1.Meter) { m.Gateway = address("alice") }), ErrUnknownGateway, "role gateway"},
		{"short gateway", withMeter(func(m *registryv1.Meter) { m.Gateway = []byte{1} }), ErrInvalidField, "meters[0].gateway"},
		{"solar that is not clean", withMeter(func(m *registryv1.Meter) { m.Environment = 0 }), ErrInvalidField, "environment"},
		{"fossil that is clean", withMeter(func(m *registryv1.Meter) { m.EnergyType = registryv1.EnergyType_ENERGY_TYPE_FOSSIL }), ErrInvalidField, "environment"},
		{"unknown type", withMeter(func(m *registryv1.Meter) { m.EnergyType = 9 }), ErrInvalidField, "energy_type"},
		{"step", withMeter(func(m *registryv1.Meter) { m.StepWh = 0 }), ErrInvalidField, "step_wh"},
		{"bound already", withMeter(func(m *registryv1.Meter) { m.BoundAtMs = 1 }), ErrInvalidField, "left empty"},
	}
}

func TestApplyRefusals(t *testing.T) {
	w := newWorld(t)
	before := w.export()
	for _, test := range applyRefusals() {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			err := w.by("agg0", test.msg)
			w.refused(err, test.want)
			if !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line with %q", err, test.text)
			}
			if after := w.export(); after != before {
				t.Errorf("a refusal changed the state to %s", after)
			}
		})
	}
}

func TestApplyRefusalsOfMeters(t *testing.T) {
	w := newWorld(t)
	with := func(meters ...*registryv1.Meter) *registryv1.MsgApply {
		return &registryv1.MsgApply{Application: prosumer("bob"), Meters: meters}
	}
	meter := solarMeter("m1")
	w.refused(w.by("agg0", with(meter, meter)), ErrInvalidField)
	w.refused(w.by("agg0", with(slices.Repeat([]*registryv1.Meter{meter}, maxMeters+1)...)), ErrInvalidField)
	w.refused(w.by("agg0", &registryv1.MsgApply{Application: gateway("gw1"), Meters: []*registryv1.Meter{meter}}), ErrInvalidField)
	w.must(w.authority(&registryv1.MsgFreeze{Account: address("gw0")}))
	w.refused(w.by("agg0", with(meter)), ErrUnknownGateway)
}

func TestStorageAndConsumptionMeters(t *testing.T) {
	w := newWorld(t)
	storage, load := solarMeter("m1"), solarMeter("m2")
	storage.EnergyType, storage.Environment = registryv1.EnergyType_ENERGY_TYPE_STORAGE, 0
	load.EnergyType, load.Environment = registryv1.EnergyType_ENERGY_TYPE_UNSPECIFIED, 0
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{storage, load}}))
}

func TestAuthorityAppliesForAggregator(t *testing.T) {
	w := newWorld(t)
	w.must(w.authority(&registryv1.MsgApply{Application: aggregator("agg2")}))
	if got := New().ValidatorUpdates(w.ctx); len(got) != 0 {
		t.Errorf("a pending aggregator validates: %v", got)
	}
	w.must(w.authority(&registryv1.MsgApprove{Account: address("agg2")}))
	if home := w.account("agg2").HomeAggregator; string(home) != string(address("agg2")) {
		t.Errorf("home: got %x, want itself", home)
	}
	changed := New().ValidatorUpdates(w.ctx)
	if len(changed) != 1 || changed[0].ValidatorPower != 10 {
		t.Errorf("validators: got %v", changed)
	}
	if again := New().ValidatorUpdates(w.ctx); len(again) != 0 {
		t.Errorf("validators reported twice: %v", again)
	}
	// Of another aggregator's member, by the authority.
	member := prosumer("carol")
	member.HomeAggregator = address("agg2")
	w.must(w.authority(&registryv1.MsgApply{Application: member}))

	sameKey := aggregator("agg3")
	sameKey.ValidatorKey = key("consensus of agg0")
	w.refused(w.authority(&registryv1.MsgApply{Application: sameKey}), ErrValidatorKeyTaken)
	noPower := aggregator("agg3")
	noPower.ValidatorPower = 0
	w.refused(w.authority(&registryv1.MsgApply{Application: noPower}), ErrInvalidField)
	homed := aggregator("agg3")
	homed.HomeAggregator = address("agg0")
	w.refused(w.authority(&registryv1.MsgApply{Application: homed}), ErrInvalidField)
	orphan := prosumer("dave")
	orphan.HomeAggregator = address("alice")
	w.refused(w.authority(&registryv1.MsgApply{Application: orphan}), ErrUnknownAggregator)
}
