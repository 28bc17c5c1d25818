package cmap

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/energyd/energyd/units"
)

// offlineOrder is an order of a book file (matching.md 1).
type offlineOrder struct {
	ID         string   `json:"id"`
	Price      int64    `json:"price"`
	EnergyWh   int64    `json:"energy_wh"`
	X          int64    `json:"x_m"`
	Y          int64    `json:"y_m"`
	Reputation int64    `json:"reputation"`
	EnergyType string   `json:"energy_type"`
	Prefer     []string `json:"prefer"`
}

// testBook is a book with places for its orders.
type testBook struct {
	p      Params
	buys   []Buy
	sells  []Sell
	link   func(buy, sell int) Link
	buyID  []string
	sellID []string
}

var energyTypes = map[string]int32{"fossil": 0, "wind": 1, "hydro": 2, "solar": 3, "biomass": 4}

func straight(dx, dy int64) int64 { return int64(units.Sqrt(uint64(dx*dx + dy*dy))) }

func readBook(t *testing.T, path string) *testBook {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Params struct {
			Mode     string `json:"mode"`
			PriceMin int64  `json:"price_min"`
			PriceMax int64  `json:"price_max"`
			RMaxM    int64  `json:"r_max_m"`
		} `json:"params"`
		Buys  []offlineOrder `json:"buys"`
		Sells []offlineOrder `json:"sells"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	k := &testBook{p: Params{
		Limit: file.Params.Mode == "limit", PriceMin: file.Params.PriceMin, PriceMax: file.Params.PriceMax, RMaxM: file.Params.RMaxM,
	}}
	prefer := func(o offlineOrder) []Preference {
		p, err := Preferences(o.Prefer, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, o := range file.Buys {
		k.buys = append(k.buys, Buy{o.Price, o.EnergyWh, o.Reputation, energyTypes[o.EnergyType], prefer(o)})
		k.buyID = append(k.buyID, o.ID)
	}
	for _, o := range file.Sells {
		k.sells = append(k.sells, Sell{o.Price, o.EnergyWh, o.Reputation, energyTypes[o.EnergyType], o.EnergyType != "fossil", prefer(o)})
		k.sellID = append(k.sellID, o.ID)
	}
	k.link = func(b, s int) Link {
		return Link{DistanceM: straight(file.Buys[b].X-file.Sells[s].X, file.Buys[b].Y-file.Sells[s].Y), Eligible: true}
	}
	return k
}

// TestReferenceCases compares the reference cases. Optima may tie, so the
// objective, the energy and the extremes are compared, not the trades.
func TestReferenceCases(t *testing.T) {
	books, err := filepath.Glob("../../../../shared/cases/cmap_*.book.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(books) == 0 {
		t.Skip("SKIPPED: no reference cases in ../shared/cases")
	}
	for _, path := range books {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path[:len(path)-len("book.json")] + "expect.json")
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Objective string `json:"objective"`
				TradedWh  int64  `json:"traded_wh"`
				Z1Max     string `json:"z1_max"`
				Z1Min     string `json:"z1_min"`
				Z2Max     string `json:"z2_max"`
				Z2Min     string `json:"z2_min"`
				K1        int64  `json:"k1"`
				K2        int64  `json:"k2"`
			}
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			k := readBook(t, path)
			r, err := Clear(k.p, k.buys, k.sells, k.link)
			if err != nil {
				t.Fatal(err)
			}
			got := want
			got.Objective, got.TradedWh = r.Objective.String(), r.EnergyWh
			got.Z1Max, got.Z1Min, got.Z2Max, got.Z2Min = r.Buyers.Max.String(), r.Buyers.Min.String(), r.Sellers.Max.String(), r.Sellers.Min.String()
			got.K1, got.K2 = r.Buyers.K, r.Sellers.K
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}
