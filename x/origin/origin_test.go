package origin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/origin"
)

// TestIssue: what arrived is the buyer's, losses are retired at once, energy types
// and months are kept apart.
func TestIssue(t *testing.T) {
	m := market.New(t, nil, "sun", "wind", "home")
	fromWind := origin.Delivery{Seller: market.Address("wind"), EnergyType: wind, EnergyWh: 7, LossPPM: 0}
	if got, want := issue(m, market.Start, "home", delivered("sun", 1000), fromWind, delivered("wind", 19)), (origin.Issued{IssuedWh: 900 + 7 + 18, LostWh: 100 + 1}); got != want {
		t.Errorf("issued %+v, want %+v", got, want)
	}
	issue(m, december, "home", delivered("sun", 10))
	account := market.Address("home")
	want := &originv1.QueryCertificatesResponse{Holdings: []*originv1.Holding{
		{Account: account[:], EnergyType: wind, Month: november, HeldWh: 7},
		{Account: account[:], EnergyType: solar, Month: november, HeldWh: 918},
		{Account: account[:], EnergyType: solar, Month: december, HeldWh: 9},
	}}
	if got := certificates(m, "home"); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	answer, err := market.Query[*originv1.QueryCertificateTotalsResponse](m, &originv1.QueryCertificateTotalsRequest{FromMonth: december})
	wantTotal := &originv1.Total{EnergyType: solar, Month: december, IssuedWh: 10, LostWh: 1}
	if err != nil || len(answer.Totals) != 1 || !proto.Equal(answer.Totals[0], wantTotal) {
		t.Errorf("totals from december: %v, %v, want %v", answer, err, wantTotal)
	}
}

// TestCorrection: what a correction takes back stays with the buyer, which may have
// used it; the seller's next certificates pay for it, of the same energy type.
func TestCorrection(t *testing.T) {
	m := stock(t)
	m.Must("home", retire(900, "claimed"))
	if got, want := issue(m, market.Start, "home", delivered("sun", -300)), (origin.Issued{ReclaimedWh: 300}); got != want {
		t.Errorf("correction: %+v, want %+v", got, want)
	}
	holds(m, "home", 0, 900)
	ofWind := delivered("sun", 5)
	ofWind.EnergyType = wind
	for _, step := range []struct {
		of   origin.Delivery
		want origin.Issued
	}{
		{ofWind, origin.Issued{IssuedWh: 5}},
		{delivered("home", 10), origin.Issued{IssuedWh: 9, LostWh: 1}},
		{delivered("sun", 200), origin.Issued{NettedWh: 200}},
		{delivered("sun", 200), origin.Issued{NettedWh: 100, IssuedWh: 90, LostWh: 10}},
		{delivered("sun", 200), origin.Issued{IssuedWh: 180, LostWh: 20}},
	} {
		if got := issue(m, december, "shop", step.of); got != step.want {
			t.Errorf("%+v: %+v, want %+v", step.of, got, step.want)
		}
	}
	if got := certificates(m, "sun").Excesses; len(got) != 0 {
		t.Errorf("still netted: %v", got)
	}
	if _, err := origin.Issue(m.Ctx("home"), market.Address("home"), []origin.Delivery{delivered("sun", math.MaxInt64), delivered("sun", math.MaxInt64)}); err == nil {
		t.Error("sums beyond 64 bits were issued")
	}
}

// TestTransferAndRetire: certificates are passed on, and used up once.
func TestTransferAndRetire(t *testing.T) {
	m := stock(t)
	m.Must("home", transfer("shop", 400))
	holds(m, "home", 500, 0)
	holds(m, "shop", 400, 0)
	id := m.Must("shop", retire(150, "bakery, green hour"))
	holds(m, "shop", 250, 150)
	receipts := market.Happened[*originv1.CertificateRetired](m)
	shop := market.Address("shop")
	want := &originv1.CertificateRetired{
		Id: id.Bytes(), Account: shop[:], EnergyType: solar, Month: november, EnergyWh: 150, Purpose: "bakery, green hour",
	}
	if len(receipts) != 1 || !proto.Equal(receipts[0], want) {
		t.Errorf("receipts %v, want %v", receipts, want)
	}
	m.Must("home", transfer("shop", 500))
	if got := certificates(m, "home").Holdings; len(got) != 0 {
		t.Errorf("a row of nothing stays: %v", got)
	}
	m.CheckInvariants()

	again := m.Reborn()
	again.CheckInvariants()
	holds(again, "shop", 750, 150)
	before, after := m.Export()["origin"], again.Export()["origin"]
	if !bytes.Equal(before, after) {
		t.Errorf("export, import, export:\n%s\n%s", before, after)
	}
}

func TestRefusals(t *testing.T) {
	m := stock(t)
	m.Must("home", retire(900, "all"))
	issue(m, market.Start, "home", delivered("sun", 100)) // 90
	sun := market.Address("sun")
	m.Decree(&registryv1.MsgFreeze{Account: sun[:]})
	with := func(change func(*originv1.MsgTransferCertificate)) *originv1.MsgTransferCertificate {
		msg := transfer("shop", 1)
		change(msg)
		return msg
	}
	gateway := market.Address("gateway")
	for _, tc := range []struct {
		name string
		msg  proto.Message
		want error
		says string
	}{
		{"retired twice", retire(91, "again"), origin.ErrNotHeld, "expected at most the 0.09 kWh of solar of 2023-11"},
		{"transferred after it was retired", transfer("shop", 900), origin.ErrNotHeld, "energy_wh"},
		{"of another month", with(func(m *originv1.MsgTransferCertificate) { m.Month = december }), origin.ErrNotHeld, "2023-12"},
		{"of another type", with(func(m *originv1.MsgTransferCertificate) { m.EnergyType = wind }), origin.ErrNotHeld, "wind"},
		{"within a month", with(func(m *originv1.MsgTransferCertificate) { m.Month++ }), origin.ErrInvalidField, "month: expected the start of a UTC month"},
		{"fossil", with(func(m *originv1.MsgTransferCertificate) { m.EnergyType = registryv1.EnergyType_ENERGY_TYPE_FOSSIL }), origin.ErrInvalidField, "energy_type"},
		{"storage", with(func(m *originv1.MsgTransferCertificate) { m.EnergyType = registryv1.EnergyType_ENERGY_TYPE_STORAGE }), origin.ErrInvalidField, "energy_type"},
		{"unknown type", with(func(m *originv1.MsgTransferCertificate) { m.EnergyType = 99 }), origin.ErrInvalidField, "energy_type"},
		{"nothing", transfer("shop", 0), origin.ErrInvalidField, "energy_wh"},
		{"less than nothing", transfer("shop", -1), origin.ErrInvalidField, "energy_wh"},
		{"to oneself", transfer("home", 1), origin.ErrInvalidField, "to: expected another account"},
		{"to no address", with(func(m *originv1.MsgTransferCertificate) { m.To = m.To[1:] }), origin.ErrInvalidField, "to"},
		{"to a stranger", transfer("nobody", 1), origin.ErrUnknownAccount, "to"},
		{"to a frozen account", transfer("sun", 1), origin.ErrNotActive, "to"},
		{"to a gateway", with(func(m *originv1.MsgTransferCertificate) { m.To = gateway[:] }), origin.ErrNotTrader, "to"},
		{"no purpose", retire(1, ""), origin.ErrBadPurpose, "purpose: expected 1 to 128 bytes"},
		{"a long purpose", retire(1, strings.Repeat("x", 129)), origin.ErrBadPurpose, "got 129"},
		{"a purpose of two lines", retire(1, "a\nb"), origin.ErrBadPurpose, "printable"},
		{"a purpose that is no text", retire(1, "\xff"), origin.ErrBadPurpose, "purpose"},
		{"retired of nothing", retire(0, "x"), origin.ErrInvalidField, "energy_wh"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := m.Send("home", tc.msg)
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %v with %q", err, tc.want, tc.says)
			}
			holds(m, "home", 90, 900)
		})
	}
	shop := market.Address("shop")
	m.Decree(&registryv1.MsgRevoke{Account: shop[:]})
	if _, err := m.Send("home", transfer("shop", 1)); !errors.Is(err, origin.ErrNotActive) {
		t.Errorf("to a revoked account: %v", err)
	}
	m.Must("home", retire(1, strings.Repeat("x", 128)))
}

func TestQueryRefusals(t *testing.T) {
	m := stock(t)
	home, stranger := market.Address("home"), market.Address("nobody")
	for _, tc := range []struct {
		query proto.Message
		want  error
	}{
		{&originv1.QueryCertificatesRequest{Account: home[:3]}, origin.ErrInvalidField},
		{&originv1.QueryCertificatesRequest{Account: stranger[:]}, origin.ErrUnknownAccount},
		{&originv1.QueryCertificatesRequest{Account: home[:], Limit: -1}, origin.ErrInvalidField},
		{&originv1.QueryCertificateTotalsRequest{Limit: -1}, origin.ErrInvalidField},
	} {
		if _, err := market.Query[proto.Message](m, tc.query); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.query, err, tc.want)
		}
	}
}

// TestGenesisRefusals: a part that does not add up is refused, and says where.
func TestGenesisRefusals(t *testing.T) {
	good := stock(t)
	issue(good, market.Start, "home", delivered("sun", -50))
	part := new(originv1.GenesisState)
	if err := module.UnmarshalGenesis(good.Export()["origin"], part); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*originv1.GenesisState)
		says   string
	}{
		{"more held than issued", func(g *originv1.GenesisState) { g.Holdings[0].HeldWh++ }, "do not add up"},
		{"retired by nobody", func(g *originv1.GenesisState) { g.Totals[0].RetiredWh, g.Totals[0].IssuedWh = 1, 1001 }, "do not add up"},
		{"nobody's excess", func(g *originv1.GenesisState) { g.Excesses = nil }, "nobody's excess"},
		{"an excess of nothing", func(g *originv1.GenesisState) { g.Excesses[0].EnergyWh = 0 }, "excess of more than nothing"},
		{"no total", func(g *originv1.GenesisState) { g.Totals = nil }, "no total"},
		{"a holding twice", func(g *originv1.GenesisState) { g.Holdings = append(g.Holdings, g.Holdings[0]) }, "holdings[1]"},
		{"a total twice", func(g *originv1.GenesisState) { g.Totals = append(g.Totals, g.Totals[0]) }, "totals[1]"},
		{"an excess twice", func(g *originv1.GenesisState) { g.Excesses = append(g.Excesses, g.Excesses[0]) }, "excesses[1]"},
		{"a stranger", func(g *originv1.GenesisState) { g.Holdings[0].Account = make([]byte, 20) }, "holdings[0].account"},
		{"no address", func(g *originv1.GenesisState) { g.Excesses[0].Seller = nil }, "excesses[0].seller"},
		{"no month", func(g *originv1.GenesisState) { g.Holdings[0].Month++ }, "holdings[0]: "},
		{"no month of a total", func(g *originv1.GenesisState) { g.Totals[0].Month++ }, "totals[0]: "},
		{"less than nothing", func(g *originv1.GenesisState) { g.Holdings[0].HeldWh = -1 }, "holdings[0]: "},
		{"fossil", func(g *originv1.GenesisState) { g.Excesses[0].EnergyType = registryv1.EnergyType_ENERGY_TYPE_FOSSIL }, "excesses[0].energy_type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := proto.Clone(part).(*originv1.GenesisState)
			tc.change(changed)
			data, err := module.MarshalGenesis(changed)
			if err != nil {
				t.Fatal(err)
			}
			if err := load(t, data); !errors.Is(err, origin.ErrBadGenesis) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
	if err := load(t, json.RawMessage(`{"holdings": 7}`)); !errors.Is(err, origin.ErrBadGenesis) {
		t.Errorf("no genesis: %v", err)
	}
}

// load initialises the module of a fresh market of the same members.
func load(t *testing.T, data json.RawMessage) error {
	m := market.New(t, nil, "sun", "home", "shop")
	return origin.New().InitGenesis(module.NewCtx(m.Store, new([]proto.Message)), data)
}

// TestModel: random issues, corrections, transfers and retirements against a plain
// model of who holds what; the invariant holds after each.
func TestModel(t *testing.T) {
	names := []string{"sun", "home", "shop"}
	rapid.Check(t, func(rt *rapid.T) {
		m := market.New(rt, nil, names...)
		held, retired, excess := map[string]int64{}, map[string]int64{}, map[string]int64{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			who, other := rapid.SampledFrom(names).Draw(rt, "who"), rapid.SampledFrom(names).Draw(rt, "other")
			wh := rapid.Int64Range(1, 1000).Draw(rt, "wh")
			var err error
			possible := held[who] >= wh
			switch rapid.IntRange(0, 3).Draw(rt, "do") {
			case 0:
				issue(m, market.Start, who, delivered(other, wh))
				netted := min(excess[other], wh)
				excess[other] -= netted
				held[who] += (wh - netted) - (wh-netted)/10
				continue
			case 1:
				issue(m, market.Start, who, delivered(other, -wh))
				excess[other] += wh
				continue
			case 2:
				possible = possible && who != other
				if _, err = m.Send(who, transfer(other, wh)); possible {
					held[who] -= wh
					held[other] += wh
				}
			case 3:
				if _, err = m.Send(who, retire(wh, "x")); possible {
					held[who] -= wh
					retired[who] += wh
				}
			}
			if (err == nil) != possible {
				rt.Fatalf("%s with %d of %d Wh: %v", who, wh, held[who], err)
			}
			m.CheckInvariants()
			for _, name := range names {
				holds(m, name, held[name], retired[name])
			}
		}
	})
}
