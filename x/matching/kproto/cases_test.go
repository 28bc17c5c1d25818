package kproto

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// caseOrder is an order of a reference book.
type caseOrder struct {
	ID            string `json:"id"`
	Price         int64  `json:"price"`
	EnergyWh      int64  `json:"energy_wh"`
	X             int64  `json:"x_m"`
	Y             int64  `json:"y_m"`
	Environment   int64  `json:"environment"`
	Credit        int64  `json:"credit"`
	WantedLossPPM int64  `json:"wanted_loss_ppm"`
	EnergyType    string `json:"energy_type"`
	Weights       struct {
		Price       int64 `json:"price"`
		Energy      int64 `json:"energy"`
		Environment int64 `json:"environment"`
		Credit      int64 `json:"credit"`
		Loss        int64 `json:"loss"`
		EnergyType  int64 `json:"energy_type"`
	} `json:"weights"`
}

type caseBook struct {
	Params struct {
		RespectLimits bool  `json:"respect_limits"`
		Fee           int64 `json:"fee"`
		Range         struct {
			Price    int64 `json:"price"`
			EnergyWh int64 `json:"energy_wh"`
			Credit   int64 `json:"credit"`
			LossPPM  int64 `json:"loss_ppm"`
		} `json:"range"`
		LossPPMPerKM int64 `json:"loss_ppm_per_km"`
	} `json:"params"`
	Buys  []caseOrder `json:"buys"`
	Sells []caseOrder `json:"sells"`
}

type caseTrade struct {
	Buy           string `json:"buy"`
	Sell          string `json:"sell"`
	EnergyWh      int64  `json:"energy_wh"`
	Dissimilarity int64  `json:"dissimilarity"`
}

// TestReferenceCases compares the reference cases trade for trade, by the tree
// and by comparing all sells.
func TestReferenceCases(t *testing.T) {
	books, err := filepath.Glob("../../../../shared/cases/kproto_*.book.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(books) == 0 {
		t.Skip("SKIPPED: no reference cases in ../shared/cases")
	}
	for _, path := range books {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var file caseBook
			decodeFile(t, path, &file)
			var want struct{ Trades []caseTrade }
			decodeFile(t, strings.Replace(path, ".book.", ".expect.", 1), &want)
			p, buys, sells, plane := file.book()
			for _, treeFrom := range []int{0, math.MaxInt} {
				var got []caseTrade
				for _, x := range clearWith(p, buys, sells, plane, treeFrom) {
					got = append(got, caseTrade{file.Buys[x.Buy].ID, file.Sells[x.Sell].ID, x.EnergyWh, x.Dissimilarity})
				}
				if diff := cmp.Diff(want.Trades, got); diff != "" {
					t.Errorf("tree from %d (-want +got):\n%s", treeFrom, diff)
				}
			}
		})
	}
}

func decodeFile(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (f *caseBook) book() (p Params, buys []Buy, sells []Sell, plane *Plane) {
	types := []string{"fossil", "wind", "hydro", "solar", "biomass", "storage"}
	p = Params{
		RespectLimits: f.Params.RespectLimits, Fee: f.Params.Fee,
		RangePrice: f.Params.Range.Price, RangeEnergyWh: f.Params.Range.EnergyWh,
		RangeCredit: f.Params.Range.Credit, RangeLossPPM: f.Params.Range.LossPPM,
	}
	plane = &Plane{PPMPerKM: f.Params.LossPPMPerKM}
	for _, o := range f.Buys {
		buys = append(buys, anyone(Buy{
			Price: o.Price, EnergyWh: o.EnergyWh, Environment: o.Environment, Credit: o.Credit,
			WantedLossPPM: o.WantedLossPPM, EnergyType: int32(slices.Index(types, o.EnergyType)), Weights: Weights(o.Weights),
		}))
		plane.Buys = append(plane.Buys, Place{o.X, o.Y})
	}
	for _, o := range f.Sells {
		sells = append(sells, Sell{
			Price: o.Price, EnergyWh: o.EnergyWh, Environment: o.Environment, Credit: o.Credit,
			EnergyType: int32(slices.Index(types, o.EnergyType)), Identity: None, Point: None,
		})
		plane.Sells = append(plane.Sells, Place{o.X, o.Y})
	}
	return p, buys, sells, plane
}
