package origin_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/origin"
)

// Batches of the tests: of solar energy of november, of december, and without
// certificates.
func ofNovember(wh int64) *originv1.Batch {
	return &originv1.Batch{EnergyType: solar, Month: november, EnergyWh: wh}
}

func ofDecember(wh int64) *originv1.Batch {
	return &originv1.Batch{EnergyType: solar, Month: december, EnergyWh: wh}
}

func unknown(wh int64) *originv1.Batch { return &originv1.Batch{EnergyWh: wh} }

func charge(m *market.Market, name string, wh, ppm int64, certified bool) int64 {
	m.T.Helper()
	cancelled, err := origin.Charge(m.Ctx(name), market.Address(name), wh, ppm, certified)
	if err != nil {
		m.T.Fatal(err)
	}
	m.CheckInvariants()
	return cancelled
}

func discharge(m *market.Market, name string, wh int64) []*originv1.Batch {
	m.T.Helper()
	batches, err := origin.Discharge(m.Ctx(name), market.Address(name), wh)
	if err != nil {
		m.T.Fatal(err)
	}
	m.CheckInvariants()
	return batches
}

func same(t testing.TB, what string, got []*originv1.Batch, want ...*originv1.Batch) {
	t.Helper()
	a, b := &originv1.Stock{Batches: got}, &originv1.Stock{Batches: want}
	if !proto.Equal(a, b) {
		t.Errorf("%s: %v, want %v", what, a, b)
	}
}

func inStock(m *market.Market, name string) []*originv1.Batch {
	return certificates(m, name).Stock.GetBatches()
}

// battery is a market in which home holds 900 Wh of november and 90 of december.
func battery(t testing.TB) *market.Market {
	m := market.New(t, nil, "sun", "home", "shop")
	issue(m, december, "home", delivered("sun", 100))
	issue(m, market.Start, "home", delivered("sun", 1000))
	return m
}

// TestStock: charging cancels certificates, the oldest month first; energy without
// stands between; discharging takes first in first out; what the stock has not is
// without certificates.
func TestStock(t *testing.T) {
	m := battery(t)
	if got := charge(m, "home", 500, 900_000, true); got != 500 {
		t.Errorf("cancelled %d, want 500", got)
	}
	holds(m, "home", 400, 0)
	if got := charge(m, "home", 101, 900_000, false); got != 0 {
		t.Errorf("unmeasured: cancelled %d", got)
	}
	if got := charge(m, "home", 600, 900_000, true); got != 490 {
		t.Errorf("cancelled %d, want the 400 and 90 that it held", got)
	}
	holds(m, "home", 0, 0)
	same(t, "in stock", inStock(m, "home"), ofNovember(450), unknown(90), ofNovember(360), ofDecember(81), unknown(99))
	same(t, "sold", discharge(m, "home", 500), ofNovember(450), unknown(50))
	if err := origin.Spend(m.Ctx("home"), market.Address("home"), 50); err != nil {
		t.Fatal(err)
	}
	m.CheckInvariants()
	same(t, "left", inStock(m, "home"), ofNovember(350), ofDecember(81), unknown(99))
	answer, err := market.Query[*originv1.QueryCertificateTotalsResponse](m, &originv1.QueryCertificateTotalsRequest{})
	want := &originv1.Total{
		EnergyType: solar, Month: november, IssuedWh: 1000, LostWh: 100, StoredWh: 900, StorageLostWh: 90, ReleasedWh: 450, SpentWh: 10,
	}
	if err != nil || !proto.Equal(answer.Totals[0], want) {
		t.Errorf("total %v, %v, want %v", answer, err, want)
	}
	same(t, "more than there is", discharge(m, "home", 1000), ofNovember(350), ofDecember(81), unknown(99), unknown(470))
	if certificates(m, "home").Stock != nil {
		t.Error("an empty stock stays")
	}
	stored := delivered("home", 350)
	stored.Stored = true
	if got, want := issue(m, market.Start, "shop", stored), (origin.Issued{IssuedWh: 315, LostWh: 35}); got != want {
		t.Errorf("issued anew %+v, want %+v", got, want)
	}
	holds(m, "shop", 315, 0)
}

// TestStockRounding: what charges is rounded in favour of nobody, and a certificate
// that would come to nothing is not cancelled.
func TestStockRounding(t *testing.T) {
	m := battery(t)
	if got := charge(m, "home", 1, 900_000, true); got != 0 || len(inStock(m, "home")) != 0 {
		t.Errorf("cancelled %d, in stock %v", got, inStock(m, "home"))
	}
	if got := charge(m, "home", 3, 500_000, true); got != 3 {
		t.Errorf("cancelled %d", got)
	}
	same(t, "in stock", inStock(m, "home"), ofNovember(1))
}

// TestStockCorrected: what was not charged gives certificates back out of the
// newest of the stock, what was not discharged comes back without any.
func TestStockCorrected(t *testing.T) {
	m := battery(t)
	charge(m, "home", 950, 500_000, true) // 900 of november, 50 of december
	address := market.Address("home")
	got, err := origin.Uncharge(m.Ctx("home"), address, 60, 500_000)
	if err != nil || got != 30 {
		t.Errorf("uncharged %d, %v, want 30", got, err)
	}
	m.CheckInvariants()
	holds(m, "home", 5, 0) // and 25 of december
	same(t, "in stock", inStock(m, "home"), ofNovember(445))
	discharge(m, "home", 400)
	if err := origin.Unspend(m.Ctx("home"), address, 300); err != nil {
		t.Fatal(err)
	}
	m.CheckInvariants()
	same(t, "not discharged", inStock(m, "home"), unknown(300), ofNovember(45))
	if got, err := origin.Uncharge(m.Ctx("home"), address, 10_000, 500_000); err != nil || got != 45 {
		t.Errorf("uncharged %d, %v, want all 45", got, err)
	}
	m.CheckInvariants()
}

// TestStockEnvironment: clean is who has certificates for all that it offers.
func TestStockEnvironment(t *testing.T) {
	m := battery(t)
	charge(m, "home", 900, 1_000_000, true)
	charge(m, "home", 10, 1_000_000, false)
	charge(m, "home", 90, 1_000_000, true)
	for _, tc := range []struct {
		who      string
		wh, want int64
	}{{"home", 1, 1}, {"home", 900, 1}, {"home", 901, 0}, {"home", 5000, 0}, {"shop", 1, 0}} {
		if got := origin.Environment(m.Store, market.Address(tc.who), tc.wh); got != tc.want {
			t.Errorf("%s offers %d Wh: %d, want %d", tc.who, tc.wh, got, tc.want)
		}
	}
	same(t, "asking changes nothing", inStock(m, "home"), ofNovember(900), unknown(10), ofDecember(90))
}

// TestStockIsBounded: a full stock begins no further batch but one without
// certificates; what it has no room for stays held.
func TestStockIsBounded(t *testing.T) {
	m := battery(t)
	for range 50 {
		charge(m, "home", 2, 1_000_000, true)
		charge(m, "home", 1, 1_000_000, false)
	}
	if got := len(inStock(m, "home")); got != 100 {
		t.Fatalf("%d batches", got)
	}
	charge(m, "home", 800, 1_000_000, true) // the rest of november
	if got := inStock(m, "home"); len(got) != 100 || got[98].EnergyWh != 802 {
		t.Errorf("%d batches, the last of november %v", len(got), got[98])
	}
	if got := charge(m, "home", 50, 1_000_000, true); got != 0 {
		t.Errorf("cancelled %d of december without room for it", got)
	}
	if got := inStock(m, "home"); len(got) != 100 || got[99].EnergyWh != 51 {
		t.Errorf("%d batches, the last without certificates %v", len(got), got[99])
	}
}

// TestStockGenesis: stocks are exported, and one that does not add up is refused.
func TestStockGenesis(t *testing.T) {
	m := battery(t)
	charge(m, "home", 1000, 900_000, true)
	again := m.Reborn()
	again.CheckInvariants()
	if before, after := m.Export()["origin"], again.Export()["origin"]; !bytes.Equal(before, after) {
		t.Errorf("export, import, export:\n%s\n%s", before, after)
	}
	part := new(originv1.GenesisState)
	if err := module.UnmarshalGenesis(m.Export()["origin"], part); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*originv1.Stock)
		says   string
	}{
		{"more than was cancelled", func(s *originv1.Stock) { s.Batches[0].EnergyWh++ }, "do not add up"},
		{"of a month that nobody has", func(s *originv1.Stock) { s.Batches[0].Month = units.MonthOf(november - 1) }, "no total"},
		{"a batch of nothing", func(s *originv1.Stock) { s.Batches[0].EnergyWh = 0 }, "stocks[0]: batches[0].energy_wh"},
		{"a month without a type", func(s *originv1.Stock) { s.Batches[0].EnergyType = 0 }, "stocks[0]: batches[0]: "},
		{"a batch of storage", func(s *originv1.Stock) { s.Batches[0].EnergyType = registryv1.EnergyType_ENERGY_TYPE_STORAGE }, "stocks[0]: batches[0]: "},
		{"an empty stock", func(s *originv1.Stock) { s.Batches = nil }, "stocks[0]: batches: expected 1 to 101"},
		{"a stranger's", func(s *originv1.Stock) { s.Account = make([]byte, 20) }, "stocks[0].account"},
	} {
		changed := proto.Clone(part).(*originv1.GenesisState)
		tc.change(changed.Stocks[0])
		data, err := module.MarshalGenesis(changed)
		if err != nil {
			t.Fatal(err)
		}
		if err := load(t, data); !errors.Is(err, origin.ErrBadGenesis) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
	part.Stocks = append(part.Stocks, part.Stocks[0])
	data, err := module.MarshalGenesis(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := load(t, data); !errors.Is(err, origin.ErrBadGenesis) || !strings.Contains(err.Error(), "stocks[1]") {
		t.Errorf("a stock twice: %v", err)
	}
}

// TestStockModel: random charging, discharging and corrections against a list of
// single Wh; the invariant holds after each, and no more is released than cancelled.
func TestStockModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := market.New(rt, nil, "sun", "home")
		address := market.Address("home")
		var queue string // c: a Wh with certificates, u: one without
		held := 0
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			wh := rapid.IntRange(0, 30).Draw(rt, "wh")
			switch rapid.IntRange(0, 4).Draw(rt, "do") {
			case 0:
				issue(m, market.Start, "home", origin.Delivery{Seller: market.Address("sun"), EnergyType: solar, EnergyWh: int64(wh)})
				held += wh
			case 1:
				certified := rapid.Bool().Draw(rt, "certified")
				cancelled := min(wh, held)
				if !certified || cancelled/2 == 0 { // half of it is lost
					cancelled = 0
				}
				held -= cancelled
				queue += strings.Repeat("c", cancelled/2) + strings.Repeat("u", (wh-cancelled)/2)
				if got := charge(m, "home", int64(wh), 500_000, certified); got != int64(cancelled) {
					rt.Fatalf("cancelled %d, want %d", got, cancelled)
				}
			case 2:
				got, n := discharge(m, "home", int64(wh)), min(wh, len(queue))
				if sold, want := spell(got), queue[:n]+strings.Repeat("u", wh-n); sold != want {
					rt.Fatalf("sold %s, want %s", sold, want)
				}
				queue = queue[n:]
			case 3:
				if err := origin.Spend(m.Ctx("home"), address, int64(wh)); err != nil {
					rt.Fatal(err)
				}
				queue = queue[min(wh, len(queue)):]
			case 4:
				if err := origin.Unspend(m.Ctx("home"), address, int64(wh)); err != nil {
					rt.Fatal(err)
				}
				queue = strings.Repeat("u", wh) + queue
			}
			m.CheckInvariants()
			if got := spell(inStock(m, "home")); got != queue {
				rt.Fatalf("in stock %s, want %s", got, queue)
			}
			holds(m, "home", int64(held), 0)
		}
	})
}

func spell(batches []*originv1.Batch) (text string) {
	for _, b := range batches {
		letter := "u"
		if b.EnergyType == solar {
			letter = "c"
		}
		text += strings.Repeat(letter, int(b.EnergyWh))
	}
	return text
}
