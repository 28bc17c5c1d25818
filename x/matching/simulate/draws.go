package simulate

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/energyd/energyd/x/matching/book"
)

// Names of the draws.
const (
	S3Ch3 = "s3ch3"
	S3Ch4 = "s3ch4"
)

// NewDraw returns the draw of a name with so many orders on each side; 0 and 0
// stand for the paper's.
func NewDraw(name string, buys, sells int) (Draw, error) {
	type size struct{ buys, sells int }
	paper, known := map[string]size{S3Ch3: {500, 1000}, S3Ch4: {500, 500}}[name]
	switch {
	case !known:
		return nil, fmt.Errorf("draws: expected %s, %s or a file, got %q", S3Ch3, S3Ch4, name)
	case buys == 0 && sells == 0:
		buys, sells = paper.buys, paper.sells
	case buys < 1 || sells < 1 || buys > maxSide || sells > maxSide:
		return nil, fmt.Errorf("size: expected 1 to %d orders on each side, got %dx%d", maxSide, buys, sells)
	}
	if name == S3Ch3 {
		return s3ch3{buys, sells}, nil
	}
	return s3ch4{buys, sells}, nil
}

// maxSide keeps a draw to what CMAP looks at within seconds.
const maxSide = 2000

// types are those that both chapters draw from; the first is not clean.
var types = []string{"fossil", "wind", "hydro", "solar", "biomass"}

// equalWeights let each wish of a K-prototypes buy count alike.
var equalWeights = json.RawMessage(`{"price":1000,"energy":1000,"environment":1000,"credit":1000,"loss":1000,"energy_type":1000}`)

// What both sides look at, in order of weight (S3 4.4).
var (
	buyersPrefer  = []string{"price", "loss", "environment"}
	sellersPrefer = []string{"price", "demand", "loss"}
)

// market holds what the mechanisms' parameters follow from.
type market struct {
	priceMin, priceMax int64 // ucoin per kWh
	energyWh           int64 // the most of an order
	rMaxM              int64
	lossPPMPerKM       int64
}

// paperLoss is that of S3 3.5, 1 % per km; S3 4.4 has none of its own.
const paperLoss = 10_000

// betaPercent of the price range is the most that SPEC 6.5 lets satisfaction
// count.
const betaPercent = 5

// variants returns the mechanisms for a market. Those of the thesis are as
// published, and once more with the limits of orders respected.
func (m market) variants() []Variant {
	yes, no := true, false
	price := (m.priceMin + m.priceMax) / 2
	prototypes := book.KPrototypes{
		RespectLimits: &no, LossPPMPerKM: m.lossPPMPerKM,
		Range: book.Ranges{Price: m.priceMax - m.priceMin, EnergyWh: m.energyWh, Credit: 100, LossPPM: max(10*m.lossPPMPerKM, 1)},
	}
	limited := prototypes
	limited.RespectLimits = &yes
	paper := m.cmap(book.Paper)
	return []Variant{
		{"kprototypes", prototypes},
		{"kprototypes-limit", limited},
		{"cmap", paper},
		{"cmap-limit", m.cmap(book.Limit)},
		{"welfare", book.Welfare{
			Beta: (m.priceMax - m.priceMin) * betaPercent / 100, PriceMin: m.priceMin, PriceMax: m.priceMax, RMaxM: m.rMaxM, LossPPMPerKM: m.lossPPMPerKM,
		}},
		{"auction", book.Auction{LossPPMPerKM: m.lossPPMPerKM}},
		{"posted", book.Posted{Price: &price, LossPPMPerKM: m.lossPPMPerKM}},
		{"highlow", book.HighLow{LossPPMPerKM: m.lossPPMPerKM}},
	}
}

func (m market) cmap(mode string) book.CMAP {
	return book.CMAP{Mode: mode, PriceMin: m.priceMin, PriceMax: m.priceMax, RMaxM: m.rMaxM, LossPPMPerKM: m.lossPPMPerKM}
}

func (m market) notes() []string {
	return []string{
		"kprototypes and cmap are as published, without limits; the variants -limit respect the limits of orders, as the chain does",
		"kprototypes: all weights equal; welfare: beta 5 % of the price range; posted: the middle of the price range",
		"loss 1 % per km",
	}
}

// s3ch3 draws as S3 3.5 does, by the reading of matching.md 4.
type s3ch3 struct{ buys, sells int }

var marketCh3 = market{priceMin: 400_000, priceMax: 600_000, energyWh: 50_000, rMaxM: 10_000, lossPPMPerKM: paperLoss}

func (s3ch3) Name() string        { return S3Ch3 }
func (s3ch3) Variants() []Variant { return marketCh3.variants() }
func (s3ch3) Scores() book.CMAP   { return marketCh3.cmap(book.Paper) }
func (s3ch3) Notes() []string     { return marketCh3.notes() }

func (d s3ch3) Orders(r *random) (buys, sells []book.Order, err error) {
	const side = 7071 // m, of a square with a diagonal of 10 km
	zero := int64(0)
	for i := range d.buys {
		o := r.order("b"+strconv.Itoa(i), side, 0)
		o.Price, o.EnergyWh = r.between(400_000, 600_000), r.between(10_000, 20_000)
		o.Credit, o.WantedLossPPM = r.pointer(0, 100), &zero
		o.Prefer, o.Weights = buyersPrefer, equalWeights
		buys = append(buys, o)
	}
	for i := range d.sells {
		o := r.order("s"+strconv.Itoa(i), side, 0)
		o.Price = r.between(400_000, 500_000)
		if o.Clean() {
			o.Price += 100_000
		}
		o.EnergyWh, o.Credit, o.Prefer = r.between(10_000, 50_000), r.pointer(0, 100), sellersPrefer
		sells = append(sells, o)
	}
	return buys, sells, nil
}

// s3ch4 draws as S3 4.4 does, by the reading of matching.md 4.
type s3ch4 struct{ buys, sells int }

var marketCh4 = market{priceMin: 302_300, priceMax: 1_416_700, energyWh: 453_620, rMaxM: 20_000, lossPPMPerKM: paperLoss}

func (s3ch4) Name() string        { return S3Ch4 }
func (s3ch4) Variants() []Variant { return marketCh4.variants() }
func (s3ch4) Scores() book.CMAP   { return marketCh4.cmap(book.Paper) }
func (s3ch4) Notes() []string {
	return append(marketCh4.notes(), "drawn again until supply >= demand")
}

// maxRedraws ends the search for a book with enough supply, which a size with
// more buys than sells may not have.
const maxRedraws = 1000

func (d s3ch4) Orders(r *random) (buys, sells []book.Order, err error) {
	for range maxRedraws {
		var demand, supply int64
		buys, demand = r.sideCh4("b", d.buys, buyersPrefer)
		sells, supply = r.sideCh4("s", d.sells, sellersPrefer)
		if supply >= demand {
			zero := int64(0)
			for i := range buys {
				buys[i].WantedLossPPM, buys[i].Weights = &zero, equalWeights
			}
			return buys, sells, nil
		}
	}
	return nil, nil, fmt.Errorf("size: expected sells enough for the demand of %d buys, got %d, which never were in %d draws", d.buys, d.sells, maxRedraws)
}

func (r *random) sideCh4(prefix string, n int, prefer []string) (orders []book.Order, energyWh int64) {
	const side = 51_100 // m
	for i := range n {
		o := r.order(prefix+strconv.Itoa(i), side, 60)
		o.Price, o.EnergyWh = r.between(marketCh4.priceMin, marketCh4.priceMax), r.between(48_960, marketCh4.energyWh)
		o.Credit, o.Prefer = o.Reputation, prefer
		orders = append(orders, o)
		energyWh += o.EnergyWh
	}
	return orders, energyWh
}

// order draws what both chapters draw alike: a place in a square, one of five
// types, and points from a least number to 100.
func (r *random) order(id string, side, leastPoints int64) book.Order {
	kind := r.between(0, int64(len(types)-1))
	environment := min(kind, 1)
	return book.Order{
		ID: id, X: r.pointer(0, side), Y: r.pointer(0, side), EnergyType: &types[kind], Environment: &environment,
		Reputation: r.pointer(leastPoints, 100),
	}
}
