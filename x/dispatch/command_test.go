package dispatch_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/dispatch"
)

// commanded returns the number of the command in force, 0 if none is.
func commanded(m *market.Market, name string, period int64) int64 {
	m.T.Helper()
	return duty(m, name, period).GetCommand().GetNumber()
}

// TestLatestCommandWins: within its span, whoever gave it.
func TestLatestCommandWins(t *testing.T) {
	m := planned(t)
	m.Must("sun", power("store", p, p+3*length, -7))
	m.Must("aggregator", &dispatchv1.MsgCommandDevice{Device: "store", FromPeriod: p + length, UntilPeriod: p + 2*length, ChargeSource: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN})
	m.Decree(&dispatchv1.MsgCommandDevice{Device: "relay", UntilPeriod: p, Switch: dispatchv1.Switch_SWITCH_OFF, Reason: "line overloaded"})
	for i, want := range []int64{0, 1, 2, 1, 0} {
		if got := commanded(m, "store", p+int64(i-1)*length); got != want {
			t.Errorf("period %d: command %d in force, want %d", i-1, got, want)
		}
	}
	if d := duty(m, "store", p); d.Version != 1 || d.PowerW != 270_000 || d.Command.GetPowerW() != -7 {
		t.Errorf("duty %v, want the set-point beside the command", d)
	}
	d := duty(m, "relay", p-length)
	if d == nil || d.Version != 0 || d.Command.Switch != dispatchv1.Switch_SWITCH_OFF || d.Command.Reason != "line overloaded" || d.Command.FromPeriod != p-length {
		t.Errorf("duty %v of the relay, want it off from now on", d)
	}
	m.End()
}

// TestCancel: a command ends now, whoever of those who may gave it; one that has
// begun was in force before and may still be acknowledged.
func TestCancel(t *testing.T) {
	m := planned(t)
	m.Must("aggregator", power("store", p-length, p+3*length, 1))
	m.Must("sun", power("store", p, p+3*length, 2))
	m.End()
	m.Begin(p - 1)
	m.Must("sun", &dispatchv1.MsgCancelCommand{Device: "store", Number: 2})
	refused(t, m, "gateway", said(done("store", p, 0, 2, p-1)), dispatch.ErrUnknownDispatch)
	m.End()
	m.Begin(p + 1)
	m.Must("sun", &dispatchv1.MsgCancelCommand{Device: "store", Number: 1})
	refused(t, m, "sun", &dispatchv1.MsgCancelCommand{Device: "store", Number: 1}, dispatch.ErrUnknownCommand)
	if before, now := commanded(m, "store", p-length), commanded(m, "store", p); before != 1 || now != 0 {
		t.Errorf("commands %d and %d in force, want 1 before and none now", before, now)
	}
	m.Must("gateway", said(done("store", p, 0, 1, p+1)))
	refused(t, m, "gateway", said(done("store", p+length, 0, 1, p+1)), dispatch.ErrUnknownDispatch)
	m.End()
	m.Block(p + 9*length)
	m.Block(p + 20*length)
	sun := market.Address("sun")
	if got := compare(m, &dispatchv1.QueryDispatchRequest{Account: sun[:], FromPeriod: p - length, Periods: 100}); len(got.Periods) != 0 {
		t.Errorf("old rows are kept: %v", got)
	}
}

// TestLimitsEndCommands: a device is never to do more than its owner allows now.
func TestLimitsEndCommands(t *testing.T) {
	m := planned(t)
	m.Must("sun", power("store", p, p+length, 200_000))
	m.Must("sun", power("store", p, p+length, 50_000))
	m.Must("sun", device("store", battery, 100_000, 100_000))
	if events := market.Happened[*dispatchv1.CommandCancelled](m); len(events) != 1 || events[0].Number != 1 {
		t.Errorf("cancelled %v, want the first", events)
	}
	if got := commanded(m, "store", p); got != 2 {
		t.Errorf("command %d in force, want 2", got)
	}
	m.Must("sun", device("store", generator, 100_000, 0))
	m.Must("sun", &dispatchv1.MsgRemoveDevice{Device: "store"})
	m.End()
}

// TestFrozen: what a frozen account may still do, and what its frozen aggregator.
func TestFrozen(t *testing.T) {
	m := planned(t)
	sun, region, by := market.Address("sun"), market.Address("aggregator"), market.Address("gateway")
	for _, account := range [][]byte{sun[:], region[:], by[:]} {
		m.Decree(&registryv1.MsgFreeze{Account: account, Reason: "audit"})
	}
	m.End()
	m.Begin(p)
	if got := points(m, "sun"); got["store"] != 270_000 {
		t.Errorf("set-points %v, want confirmed matches dispatched", got)
	}
	refused(t, m, "aggregator", power("store", 0, p+length, 0), dispatch.ErrNotAllowed)
	m.Must("sun", power("store", 0, p+length, 0))
	m.Must("gateway", said(done("store", p, 0, 1, p)))
	m.Must("sun", &dispatchv1.MsgRemoveDevice{Device: "store"})
	for _, route := range dispatch.New().Routes() {
		if want := !strings.HasSuffix(route.Type, ".MsgSetDevice"); route.WhileFrozen != want {
			t.Errorf("%s while frozen: %t, want %t", route.Type, route.WhileFrozen, want)
		}
	}
	m.End()
}

// TestOwnerWithoutRole: who is neither prosumer nor aggregator any more may end its
// consent to be steered, and still nobody else may.
func TestOwnerWithoutRole(t *testing.T) {
	m := planned(t)
	sun := market.Address("sun")
	m.Decree(&registryv1.MsgSetRoles{Account: sun[:], Roles: []registryv1.Role{registryv1.Role_ROLE_AUDITOR}})
	for _, route := range dispatch.New().Routes() {
		if strings.HasSuffix(route.Type, ".MsgRemoveDevice") && len(route.Roles) != 0 {
			t.Errorf("only %v may end a consent", route.Roles)
		}
	}
	refused(t, m, "gateway", &dispatchv1.MsgRemoveDevice{Device: "store"}, dispatch.ErrDeviceTaken)
	m.Must("sun", &dispatchv1.MsgRemoveDevice{Device: "store"})
	m.End()
}

func TestRefusals(t *testing.T) {
	m := planned(t)
	other := market.Address("other")
	alien := device("new", load, 0, 1)
	alien.Gateway = other[:]
	short := device("new", load, 0, 1)
	short.Gateway = []byte{1}
	cancel := func(name string, number int64) proto.Message {
		return &dispatchv1.MsgCancelCommand{Device: name, Number: number}
	}
	with := func(edit func(*dispatchv1.MsgCommandDevice)) proto.Message {
		msg := power("store", p, p+length, 1)
		edit(msg)
		return msg
	}
	ack := func(edit func(*dispatchv1.Acknowledgement)) proto.Message {
		one := done("store", p, 1, 0, m.TimeMs)
		edit(one)
		return said(one)
	}
	sentinel := done("store", p, 1, 0, m.TimeMs)
	m.Must("aggregator", power("store", p, p+5*length, 1))
	for _, tc := range []struct {
		name, from string
		msg        proto.Message
		want       error
	}{
		{"bad name", "sun", device("No!", load, 0, 1), dispatch.ErrInvalidField},
		{"short gateway", "sun", short, dispatch.ErrInvalidField},
		{"no kind", "sun", device("new", 0, 0, 1), dispatch.ErrInvalidField},
		{"unknown kind", "sun", device("new", 5, 0, 1), dispatch.ErrInvalidField},
		{"negative limit", "sun", device("new", battery, -1, 1), dispatch.ErrInvalidField},
		{"limit beyond all", "sun", device("new", battery, 1, 10_000_000_001), dispatch.ErrInvalidField},
		{"generator that draws", "sun", device("new", generator, 1, 1), dispatch.ErrInvalidField},
		{"generator of nothing", "sun", device("new", generator, 0, 0), dispatch.ErrInvalidField},
		{"load that feeds", "sun", device("new", load, 1, 1), dispatch.ErrInvalidField},
		{"load of nothing", "sun", device("new", load, 0, 0), dispatch.ErrInvalidField},
		{"battery of nothing", "sun", device("new", battery, 0, 0), dispatch.ErrInvalidField},
		{"switch with power", "sun", device("new", relay, 1, 0), dispatch.ErrInvalidField},
		{"beyond the rating", "sun", device("new", load, 0, 36_000_001), dispatch.ErrBeyondRating},
		{"a stranger's gateway", "sun", alien, dispatch.ErrWrongGateway},
		{"another's device", "home", device("store", battery, 1, 1), dispatch.ErrDeviceTaken},
		{"remove nothing", "sun", &dispatchv1.MsgRemoveDevice{Device: "new"}, dispatch.ErrUnknownDevice},
		{"remove no name", "sun", &dispatchv1.MsgRemoveDevice{}, dispatch.ErrInvalidField},
		{"remove another's", "home", &dispatchv1.MsgRemoveDevice{Device: "store"}, dispatch.ErrDeviceTaken},

		{"command nothing", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.Device = "new" }), dispatch.ErrUnknownDevice},
		{"command no name", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.Device = "" }), dispatch.ErrInvalidField},
		{"command another's", "home", power("store", p, p+length, 1), dispatch.ErrNotAllowed},
		{"another region's", "far", power("store", p, p+length, 1), dispatch.ErrNotAllowed},
		{"no action", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.PowerW = nil }), dispatch.ErrInvalidField},
		{"two actions", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.Switch = 1 }), dispatch.ErrInvalidField},
		{"unknown switch", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.PowerW, c.Switch = nil, 3 }), dispatch.ErrInvalidField},
		{"unknown source", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.PowerW, c.ChargeSource = nil, 4 }), dispatch.ErrInvalidField},
		{"long reason", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.Reason = strings.Repeat("ü", 81) }), dispatch.ErrInvalidField},
		{"line in the reason", "sun", with(func(c *dispatchv1.MsgCommandDevice) { c.Reason = "a\nb" }), dispatch.ErrInvalidField},
		{"beyond out", "sun", power("store", p, p+length, 300_001), dispatch.ErrBeyondLimits},
		{"beyond in", "sun", power("store", p, p+length, -300_001), dispatch.ErrBeyondLimits},
		{"source of a load", "sun", &dispatchv1.MsgCommandDevice{Device: "pump", UntilPeriod: p, ChargeSource: 1}, dispatch.ErrWrongKind},
		{"power of a switch", "sun", power("relay", p, p+length, 0), dispatch.ErrWrongKind},
		{"no period", "sun", power("store", p+1, p+length, 1), dispatch.ErrInvalidField},
		{"no end of a period", "sun", power("store", p, p+length+1, 1), dispatch.ErrInvalidField},
		{"ends first", "sun", power("store", p, p, 1), dispatch.ErrBadSpan},
		{"ended", "sun", power("store", 0, p-length, 1), dispatch.ErrBadSpan},
		{"too far", "sun", power("store", p, p+31*24*3_600_000, 1), dispatch.ErrBadSpan},
		{"cancel number 0", "sun", cancel("store", 0), dispatch.ErrInvalidField},
		{"cancel what is not", "sun", cancel("store", 9), dispatch.ErrUnknownCommand},
		{"cancel of no device", "sun", cancel("new", 9), dispatch.ErrUnknownDevice},
		{"cancel another's", "home", cancel("store", 9), dispatch.ErrNotAllowed},

		{"none", "gateway", said(), dispatch.ErrInvalidField},
		{"too many", "gateway", said(make([]*dispatchv1.Acknowledgement, 1001)...), dispatch.ErrInvalidField},
		{"empty one", "gateway", said(nil), dispatch.ErrInvalidField},
		{"version and command", "gateway", said(sentinel, done("store", p, 1, 1, 1)), dispatch.ErrInvalidField},
		{"neither", "gateway", said(sentinel, done("store", p, 0, 0, 1)), dispatch.ErrInvalidField},
		{"negative version", "gateway", said(sentinel, done("store", p, -1, 1, 1)), dispatch.ErrInvalidField},
		{"no outcome", "gateway", ack(func(a *dispatchv1.Acknowledgement) { a.Outcome = 0 }), dispatch.ErrInvalidField},
		{"unknown outcome", "gateway", ack(func(a *dispatchv1.Acknowledgement) { a.Outcome = 7 }), dispatch.ErrInvalidField},
		{"too much power", "gateway", ack(func(a *dispatchv1.Acknowledgement) { a.AppliedW = -10_000_000_001 }), dispatch.ErrInvalidField},
		{"no time", "gateway", ack(func(a *dispatchv1.Acknowledgement) { a.AtMs = 0 }), dispatch.ErrInvalidField},
		{"in the future", "gateway", said(sentinel, done("store", p, 1, 0, m.TimeMs+30_001)), dispatch.ErrInFuture},
		{"not begun", "gateway", said(sentinel, done("store", p+4*length, 0, 1, m.TimeMs)), dispatch.ErrInFuture},
		{"no start of a period", "gateway", said(sentinel, done("store", p+1, 1, 0, 1)), dispatch.ErrInvalidField},
		{"not planned", "gateway", said(sentinel, done("store", p+length, 1, 0, 1)), dispatch.ErrUnknownDispatch},
		{"unknown version", "gateway", said(sentinel, done("store", p, 2, 0, 1)), dispatch.ErrUnknownDispatch},
		{"without a set-point", "gateway", said(sentinel, done("pump", p, 1, 0, 1)), dispatch.ErrUnknownDispatch},
		{"unknown command", "gateway", said(sentinel, done("store", p, 0, 7, 1)), dispatch.ErrUnknownDispatch},
		{"unknown device", "gateway", said(sentinel, done("new", p, 1, 0, 1)), dispatch.ErrUnknownDevice},
		{"another's device", "other", said(done("store", p, 1, 0, 1)), dispatch.ErrWrongGateway},
		{"too late", "gateway", said(sentinel, done("store", p-length-7*length, 1, 0, 1)), dispatch.ErrTooLate},
	} {
		t.Run(tc.name, func(t *testing.T) { refused(t, m, tc.from, tc.msg, tc.want) })
	}
	if got := periodOf(m, "sun"); got.Devices[1].Done != nil {
		t.Errorf("%v is left of a batch that was refused", got)
	}
	// The neighbours of what is refused.
	m.Must("sun", power("store", p, p+length, 300_000))
	m.Must("sun", power("store", p-length, p-length+31*24*3_600_000, -300_000))
	m.Must("sun", device("new", load, 0, 36_000_000))
	m.Must("gateway", said(sentinel, done("roof", p, 1, 0, m.TimeMs+30_000)))
	m.End()
}

func TestCounts(t *testing.T) {
	m := planned(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		m.Must("sun", device(name, load, 0, 1))
	}
	refused(t, m, "sun", device("e", load, 0, 1), dispatch.ErrTooManyDevices)
	m.Must("sun", device("d", load, 0, 2)) // one that is there
	for range 15 {
		m.Must("sun", power("store", 0, p, 1))
	}
	m.Must("sun", power("store", 0, p+length, 1))
	refused(t, m, "aggregator", power("store", 0, p, 1), dispatch.ErrTooManyCommands)
	m.Must("sun", &dispatchv1.MsgCancelCommand{Device: "store", Number: 1})
	refused(t, m, "sun", power("store", 0, p, 1), dispatch.ErrTooManyCommands)
	m.End()
	m.Begin(p)
	for range 15 {
		m.Must("sun", power("store", 0, p+length, 1))
	}
	refused(t, m, "sun", power("store", 0, p+length, 1), dispatch.ErrTooManyCommands)
	m.End()
}

// TestAcknowledge: the latest stands, repetitions and older ones change nothing.
func TestAcknowledge(t *testing.T) {
	m := planned(t)
	m.Must("sun", power("store", p, p+length, 5))
	m.Must("sun", device("roof", generator, 50_000, 0)) // makes version 2
	m.End()
	m.Begin(p + 100)
	limited := done("store", p, 0, 1, p+50)
	limited.Outcome = dispatchv1.Outcome_OUTCOME_LIMITED
	m.Must("gateway", said(done("store", p, 1, 0, p+10), limited, done("store", p, 0, 1, p+50), done("store", p, 2, 0, p+20)))
	if n := len(market.Happened[*dispatchv1.DispatchAcknowledged](m)); n != 2 {
		t.Errorf("%d acknowledgements are news, want 2", n)
	}
	m.End()
	if got := periodOf(m, "sun").Devices[1]; got.Device != "store" || !proto.Equal(got.Done, limited) || got.Command.GetNumber() != 1 {
		t.Errorf("got %v, want %v done", got, limited)
	}
}
