package dispatch_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

const (
	length = market.Period
	p      = market.Start + 2*length
	gate   = p - 4_000
	// watt is what 1 Wh in a period of ten seconds takes.
	watt = 360
)

const (
	generator = dispatchv1.DeviceKind_DEVICE_KIND_GENERATOR
	load      = dispatchv1.DeviceKind_DEVICE_KIND_LOAD
	battery   = dispatchv1.DeviceKind_DEVICE_KIND_BATTERY
	relay     = dispatchv1.DeviceKind_DEVICE_KIND_SWITCH
)

func device(name string, kind dispatchv1.DeviceKind, outW, inW int64) *dispatchv1.MsgSetDevice {
	by := market.Address("gateway")
	return &dispatchv1.MsgSetDevice{Device: name, Gateway: by[:], Kind: kind, MaxOutW: outW, MaxInW: inW}
}

func power(name string, from, until, watts int64) *dispatchv1.MsgCommandDevice {
	return &dispatchv1.MsgCommandDevice{Device: name, FromPeriod: from, UntilPeriod: until, PowerW: &watts}
}

func done(name string, period, version, command, atMs int64) *dispatchv1.Acknowledgement {
	return &dispatchv1.Acknowledgement{
		Device: name, Period: period, Version: version, Command: command,
		Outcome: dispatchv1.Outcome_OUTCOME_DONE, AppliedW: 5, AtMs: atMs,
	}
}

func said(all ...*dispatchv1.Acknowledgement) *dispatchv1.MsgAcknowledgeDispatch {
	return &dispatchv1.MsgAcknowledgeDispatch{Acknowledgements: all}
}

// trade lets home buy energy of sun for the period p; both consent at once.
func trade(m *market.Market, energyWh int64) {
	m.T.Helper()
	yes := &matchingv1.Consent{Standing: true}
	m.Must("sun", &matchingv1.MsgPlaceSell{Period: p, PriceUcoinPerKwh: 200_000, EnergyWh: energyWh, Meter: market.Meter("sun"), Consent: yes})
	m.Must("home", &matchingv1.MsgPlaceBuy{
		Period: p, PriceUcoinPerKwh: 300_000, EnergyWh: energyWh, Weights: &matchingv1.Weights{Price: 1000}, Consent: yes,
	})
}

// planned is a market in which sun feeds 1000 Wh out in p, by a roof and a battery,
// and home draws 999 Wh by a heater; the gate has passed.
func planned(t *testing.T) *market.Market {
	t.Helper()
	m := market.New(t, func(g *market.Genesis) { g.AddGateway("other"); g.AddAggregator("far") }, "sun", "home")
	m.Must("sun", device("roof", generator, 100_000, 0))
	m.Must("sun", device("store", battery, 300_000, 300_000))
	m.Must("sun", device("pump", load, 0, 50_000))
	m.Must("sun", device("relay", relay, 0, 0))
	m.Must("home", device("heater", load, 0, 400_000))
	trade(m, 1000)
	m.End()
	m.Block(gate)
	return m
}

func compare(m *market.Market, q *dispatchv1.QueryDispatchRequest) *dispatchv1.QueryDispatchResponse {
	m.T.Helper()
	answer, err := market.Query[*dispatchv1.QueryDispatchResponse](m, q)
	if err != nil {
		m.T.Fatal(err)
	}
	return answer
}

// periodOf returns what was planned and done of a member in p, nil if nothing.
func periodOf(m *market.Market, name string) *dispatchv1.PeriodDispatch {
	m.T.Helper()
	account := market.Address(name)
	answer := compare(m, &dispatchv1.QueryDispatchRequest{Account: account[:], FromPeriod: p, Periods: 1})
	if len(answer.Periods) == 0 {
		return nil
	}
	return answer.Periods[0]
}

// points returns the planned power of a member's devices in p, in W.
func points(m *market.Market, name string) map[string]int64 {
	m.T.Helper()
	found := map[string]int64{}
	for _, d := range periodOf(m, name).GetDevices() {
		if d.Version != 0 {
			found[d.Device] = d.PowerW
		}
	}
	return found
}

// duty returns what gateway is asked for of a device in a period, nil if nothing.
func duty(m *market.Market, name string, period int64) *dispatchv1.Duty {
	m.T.Helper()
	by := market.Address("gateway")
	answer, err := market.Query[*dispatchv1.QueryGatewayDispatchResponse](m, &dispatchv1.QueryGatewayDispatchRequest{Gateway: by[:], FromPeriod: period, Periods: 1})
	if err != nil {
		m.T.Fatal(err)
	}
	for _, d := range answer.Devices {
		if d.Device.Device == name && len(d.Duties) == 1 {
			return d.Duties[0]
		}
	}
	return nil
}

func refused(t *testing.T, m *market.Market, name string, msg proto.Message, want error) {
	t.Helper()
	if _, err := m.Send(name, msg); !errors.Is(err, want) {
		t.Errorf("%s: %v: got %v, want %v", name, msg, err, want)
	}
}
