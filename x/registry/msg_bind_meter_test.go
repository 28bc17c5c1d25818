package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func TestBindMeter(t *testing.T) {
	w := newWorld(t)
	meter := solarMeter("a-second")
	meter.Account = address("alice")
	w.must(w.authority(&registryv1.MsgBindMeter{Meter: meter}))
	got := MetersOf(w.ctx.Store, protocol.Address(address("alice")))
	if len(got) != 2 || got[0].Meter != "a-second" || got[1].Meter != "m0" || got[0].BoundAtMs != testNow {
		t.Errorf("meters by name: got %v", got)
	}
}

func TestBindMeterRefusals(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob")}))
	tests := []struct {
		name string
		edit func(*registryv1.Meter)
		want *module.Error
	}{
		{"taken", func(m *registryv1.Meter) { m.Meter = "m0" }, ErrMeterTaken},
		{"no account", func(m *registryv1.Meter) { m.Account = nil }, ErrInvalidField},
		{"unknown account", func(m *registryv1.Meter) { m.Account = address("nobody") }, ErrUnknownAccount},
		{"pending account", func(m *registryv1.Meter) { m.Account = address("bob") }, ErrWrongStatus},
		{"a gateway's", func(m *registryv1.Meter) { m.Account = address("gw0") }, ErrRoleConflict},
		{"unconnected account", func(m *registryv1.Meter) { m.Account = address("agg0") }, ErrInvalidField},
		{"no gateway", func(m *registryv1.Meter) { m.Gateway = address("alice") }, ErrUnknownGateway},
		{"time set", func(m *registryv1.Meter) { m.BoundAtMs = 5 }, ErrInvalidField},
		{"step", func(m *registryv1.Meter) { m.StepWh = -1 }, ErrInvalidField},
	}
	for _, test := range tests {
		meter := solarMeter("m1")
		meter.Account = address("alice")
		test.edit(meter)
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.refused(w.authority(&registryv1.MsgBindMeter{Meter: meter}), test.want)
		})
	}
	w.t = t
	w.refused(w.authority(&registryv1.MsgBindMeter{}), ErrInvalidField)
}

func TestMeterOfAnyText(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", "no such", "m0\x00", string(make([]byte, 100))} {
		if _, ok := MeterOf(w.ctx.Store, name); ok {
			t.Errorf("meter %q exists", name)
		}
	}
}
