package dispatch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/dispatch"
)

// busy is a market with rows of every kind.
func busy(t *testing.T) *market.Market {
	m := planned(t)
	m.Must("sun", power("store", p-length, p+length, 5))
	m.Must("sun", power("store", p, p+2*length, 6))
	m.Must("sun", &dispatchv1.MsgCancelCommand{Device: "store", Number: 1})
	m.Must("gateway", said(done("store", p, 1, 0, 1), done("heater", p, 1, 0, 1)))
	m.End()
	return m
}

// TestReborn: a chain that starts from an export goes on as the one exported.
func TestReborn(t *testing.T) {
	m := busy(t)
	next := m.Reborn()
	for _, chain := range []*market.Market{m, next} {
		chain.Begin(p + 1)
		chain.Must("sun", device("roof", generator, 1, 0))
		chain.Must("sun", power("store", 0, p+length, 7))
		chain.Must("gateway", said(done("store", p, 0, 3, p)))
		chain.End()
		chain.Block(p + 3*length)
	}
	if a, b := m.Export()["dispatch"], next.Export()["dispatch"]; !bytes.Equal(a, b) || len(a) < 500 {
		t.Errorf("exports differ:\n%s\n%s", a, b)
	}
	next.Block(p + 20*length)
	if got := string(next.Export()["dispatch"]); bytes.Contains([]byte(got), []byte("plans")) || bytes.Contains([]byte(got), []byte(`"reason"`)) {
		t.Errorf("old rows are kept: %s", got)
	}
}

func TestBadGenesis(t *testing.T) {
	parts := busy(t).Export()
	for name, edit := range map[string]func(*dispatchv1.GenesisState){
		"device twice":        func(g *dispatchv1.GenesisState) { g.Devices = append(g.Devices, g.Devices[0]) },
		"device without name": func(g *dispatchv1.GenesisState) { g.Devices[0].Device = "" },
		"device of nobody":    func(g *dispatchv1.GenesisState) { g.Devices[0].Account = make([]byte, 20) },
		"gateway nobody":      func(g *dispatchv1.GenesisState) { g.Devices[0].Gateway = make([]byte, 20) },
		"beyond the rating":   func(g *dispatchv1.GenesisState) { g.Devices[0].MaxInW = 36_000_001 },
		"bad limits":          func(g *dispatchv1.GenesisState) { g.Devices[0].MaxInW = -1 },
		"other limits": func(g *dispatchv1.GenesisState) {
			for _, d := range g.Devices {
				d.MaxOutW /= 2
			}
		},
		"plan twice":            func(g *dispatchv1.GenesisState) { g.Plans = append(g.Plans, g.Plans[0]) },
		"plan of nobody":        func(g *dispatchv1.GenesisState) { g.Plans[0].Account = make([]byte, 20) },
		"plan between periods":  func(g *dispatchv1.GenesisState) { g.Plans[0].Period++ },
		"plan that loses power": func(g *dispatchv1.GenesisState) { g.Plans[0].UnplannedW++ },
		"plan of no match":      func(g *dispatchv1.GenesisState) { g.Plans[0].Period += length },
		"plan without version":  func(g *dispatchv1.GenesisState) { g.Plans[0].Version = 0 },
		"command twice":         func(g *dispatchv1.GenesisState) { g.Commands = append(g.Commands, g.Commands[0]) },
		"command of the future": func(g *dispatchv1.GenesisState) { g.LastCommand = 1 },
		"negative counter":      func(g *dispatchv1.GenesisState) { g.LastCommand = -1 },
		"command beyond limits": func(g *dispatchv1.GenesisState) { g.Commands[1].PowerW = proto.Int64(300_001) },
		"command of no device":  func(g *dispatchv1.GenesisState) { g.Commands[1].Device = "new" },
		"command by nothing":    func(g *dispatchv1.GenesisState) { g.Commands[1].By = nil },
		"command ends first":    func(g *dispatchv1.GenesisState) { g.Commands[1].UntilPeriod = g.Commands[1].FromPeriod },
		"command of nothing":    func(g *dispatchv1.GenesisState) { g.Commands[1].PowerW = nil },
		"command of two things": func(g *dispatchv1.GenesisState) { g.Commands[1].Switch = dispatchv1.Switch_SWITCH_ON },
		"long reason":           func(g *dispatchv1.GenesisState) { g.Commands[0].Reason = strings.Repeat("x", 81) },
		"cancelled by halves":   func(g *dispatchv1.GenesisState) { g.Commands[0].CancelledPeriod += length },
		"cancelled, goes on":    func(g *dispatchv1.GenesisState) { g.Commands[0].UntilPeriod += length },
		"plan missing":          func(g *dispatchv1.GenesisState) { g.Plans = g.Plans[1:] },
		"command listed twice": func(g *dispatchv1.GenesisState) {
			for _, d := range g.Devices {
				if n := len(d.Commands); n > 0 {
					d.Commands = append(d.Commands, d.Commands[n-1])
				}
			}
		},
		"acknowledged twice": func(g *dispatchv1.GenesisState) {
			g.Acknowledgements = append(g.Acknowledgements, g.Acknowledgements[0])
		},
		"nothing acknowledged": func(g *dispatchv1.GenesisState) { g.Acknowledgements[0].Acknowledgement = nil },
		"acknowledged by halves": func(g *dispatchv1.GenesisState) {
			g.Acknowledgements[0].Acknowledgement.Outcome = 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			genesis := new(dispatchv1.GenesisState)
			if err := module.UnmarshalGenesis(parts["dispatch"], genesis); err != nil {
				t.Fatal(err)
			}
			edit(genesis)
			data, err := module.MarshalGenesis(genesis)
			if err != nil {
				t.Fatal(err)
			}
			if err := initOver(t, data); !errors.Is(err, dispatch.ErrBadGenesis) {
				t.Errorf("got %v, want bad_genesis", err)
			}
		})
	}
	if err := initOver(t, parts["dispatch"]); err != nil {
		t.Errorf("what was exported: %v", err)
	}
}

// initOver starts the module on a market like that of busy without dispatch's part.
func initOver(t *testing.T, data json.RawMessage) error {
	t.Helper()
	m := market.New(t, func(g *market.Genesis) { g.AddGateway("other"); g.AddAggregator("far") }, "sun", "home")
	trade(m, 1000)
	m.End()
	m.Block(gate)
	events := []proto.Message{}
	return dispatch.New().InitGenesis(module.NewCtx(m.Store, &events), data)
}

func TestQueries(t *testing.T) {
	m := busy(t)
	by := market.Address("gateway")
	var names []string
	for after := ""; ; {
		page, err := market.Query[*dispatchv1.QueryGatewayDispatchResponse](m, &dispatchv1.QueryGatewayDispatchRequest{Gateway: by[:], After: after, Limit: 2})
		if err != nil || page.TimeMs != m.TimeMs || page.PeriodLengthMs != length {
			t.Fatalf("got %v, %v", page, err)
		}
		for _, d := range page.Devices {
			names = append(names, d.Device.Device)
			if d.Device.Device == "store" && (len(d.Duties) != 2 || d.Duties[0].Period != p || d.Duties[1].Command.Number != 2) {
				t.Errorf("store: %v", d)
			}
		}
		if after = page.NextAfter; after == "" {
			break
		}
	}
	if got := len(names); got != 5 || names[0] != "heater" || names[4] != "store" {
		t.Errorf("devices %v", names)
	}
	if got := compare(m, &dispatchv1.QueryDispatchRequest{Device: "store"}).Periods; len(got) != 2 || len(got[0].Devices) != 1 || got[0].Devices[0].Device != "store" || got[0].Devices[0].Done == nil {
		t.Errorf("got %v, want store alone, in two periods", got)
	}
	sun := market.Address("sun")
	listed, err := market.Query[*dispatchv1.QueryDevicesResponse](m, &dispatchv1.QueryDevicesRequest{Account: sun[:]})
	if err != nil || len(listed.Devices) != 4 || len(listed.Commands) != 2 {
		t.Errorf("got %v, %v", listed, err)
	}
	nobody := make([]byte, 20)
	for name, bad := range map[string]struct {
		request proto.Message
		want    error
	}{
		"nobody's gateway":  {&dispatchv1.QueryGatewayDispatchRequest{Gateway: nobody}, dispatch.ErrUnknownAccount},
		"no gateway":        {&dispatchv1.QueryGatewayDispatchRequest{}, dispatch.ErrInvalidField},
		"negative limit":    {&dispatchv1.QueryGatewayDispatchRequest{Gateway: by[:], Limit: -1}, dispatch.ErrInvalidField},
		"negative periods":  {&dispatchv1.QueryGatewayDispatchRequest{Gateway: by[:], Periods: -1}, dispatch.ErrInvalidField},
		"between periods":   {&dispatchv1.QueryGatewayDispatchRequest{Gateway: by[:], FromPeriod: p + 1}, dispatch.ErrInvalidField},
		"after no name":     {&dispatchv1.QueryGatewayDispatchRequest{Gateway: by[:], After: "\x00"}, dispatch.ErrInvalidField},
		"neither":           {&dispatchv1.QueryDispatchRequest{}, dispatch.ErrInvalidField},
		"both":              {&dispatchv1.QueryDispatchRequest{Account: sun[:], Device: "store"}, dispatch.ErrInvalidField},
		"unknown device":    {&dispatchv1.QueryDispatchRequest{Device: "new"}, dispatch.ErrUnknownDevice},
		"unknown account":   {&dispatchv1.QueryDispatchRequest{Account: nobody}, dispatch.ErrUnknownAccount},
		"nobody's devices":  {&dispatchv1.QueryDevicesRequest{Account: nobody}, dispatch.ErrUnknownAccount},
		"devices of no one": {&dispatchv1.QueryDevicesRequest{}, dispatch.ErrInvalidField},
	} {
		if _, err := market.Query[proto.Message](m, bad.request); !errors.Is(err, bad.want) {
			t.Errorf("%s: got %v, want %v", name, err, bad.want)
		}
	}
}
