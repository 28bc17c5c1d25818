package book

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/kproto"
)

// Bounds of a book file. Coordinates are small enough that the square of a
// distance fits int64.
const (
	maxCoordinate = 1_000_000_000 // m
	maxCredit     = 100           // points
	maxIDLength   = 64            // characters
)

// file is a book as it is written (matching.md 1).
type file struct {
	Mechanism string     `json:"mechanism"`
	Params    fileParams `json:"params"`
	Buys      []fileBuy  `json:"buys"`
	Sells     []fileSell `json:"sells"`
}

type fileParams struct {
	RespectLimits *bool     `json:"respect_limits,omitempty"` // left out: true
	Fee           int64     `json:"fee,omitempty"`
	Range         fileRange `json:"range"`
	LossPPMPerKM  int64     `json:"loss_ppm_per_km"`
}

type fileRange struct {
	Price    int64 `json:"price"`
	EnergyWh int64 `json:"energy_wh"`
	Credit   int64 `json:"credit"`
	LossPPM  int64 `json:"loss_ppm"`
}

// fileBuy is a buy; a wish that it leaves out has weight 0.
type fileBuy struct {
	ID            string      `json:"id"`
	Price         int64       `json:"price"`
	EnergyWh      int64       `json:"energy_wh"`
	X             int64       `json:"x_m"`
	Y             int64       `json:"y_m"`
	Environment   *int64      `json:"environment,omitempty"`
	Credit        *int64      `json:"credit,omitempty"`
	WantedLossPPM *int64      `json:"wanted_loss_ppm,omitempty"`
	MaxLossPPM    *int64      `json:"max_loss_ppm,omitempty"` // left out: any
	EnergyType    *string     `json:"energy_type,omitempty"`
	Weights       fileWeights `json:"weights"`
}

type fileWeights struct {
	Price       int64 `json:"price,omitempty"`
	Energy      int64 `json:"energy,omitempty"`
	Environment int64 `json:"environment,omitempty"`
	Credit      int64 `json:"credit,omitempty"`
	Loss        int64 `json:"loss,omitempty"`
	EnergyType  int64 `json:"energy_type,omitempty"`
}

type fileSell struct {
	ID          string `json:"id"`
	Price       int64  `json:"price"`
	EnergyWh    int64  `json:"energy_wh"`
	X           int64  `json:"x_m"`
	Y           int64  `json:"y_m"`
	Environment int64  `json:"environment"`
	Credit      int64  `json:"credit"`
	EnergyType  string `json:"energy_type"`
}

// mistake is a value that is well-formed and still wrong.
type mistake struct{ field, expected, got string }

// checkMechanism refuses a mechanism that is not known before the rest of the
// file, which is another one's, is judged.
func checkMechanism(data []byte) error {
	var named struct {
		Mechanism string `json:"mechanism"`
	}
	if json.Unmarshal(data, &named) != nil || named.Mechanism == "" || named.Mechanism == KPrototypes {
		return nil // for Decode and check to judge, which can say what is wrong
	}
	return strictjson.At(data, new(file), "mechanism", strconv.Quote(KPrototypes), strictjson.Quote(named.Mechanism))
}

// check returns the first value that is wrong on its own, nil if there is none.
func (f *file) check() *mistake {
	if f.Mechanism != KPrototypes {
		return &mistake{"mechanism", strconv.Quote(KPrototypes), strictjson.Quote(f.Mechanism)}
	}
	if m := within("params.loss_ppm_per_km", f.Params.LossPPMPerKM, 0, units.PPM); m != nil {
		return m
	}
	seen := make(map[string]bool, len(f.Buys))
	for i := range f.Buys {
		if m := f.Buys[i].check("buys["+strconv.Itoa(i)+"].", seen); m != nil {
			return m
		}
	}
	seen = make(map[string]bool, len(f.Sells))
	for i := range f.Sells {
		if m := f.Sells[i].check("sells["+strconv.Itoa(i)+"].", seen); m != nil {
			return m
		}
	}
	return nil
}

func (b *fileBuy) check(path string, seen map[string]bool) *mistake {
	energyType := energyTypes[0]
	if b.EnergyType != nil {
		energyType = *b.EnergyType
	}
	return firstOf(
		checkID(path+"id", b.ID, seen),
		within(path+"x_m", b.X, -maxCoordinate, maxCoordinate),
		within(path+"y_m", b.Y, -maxCoordinate, maxCoordinate),
		within(path+"environment", or(b.Environment, 0), 0, 1),
		within(path+"credit", or(b.Credit, 0), 0, maxCredit),
		within(path+"wanted_loss_ppm", or(b.WantedLossPPM, 0), 0, units.PPM),
		within(path+"max_loss_ppm", or(b.MaxLossPPM, 0), 0, units.PPM),
		checkEnergyType(path+"energy_type", energyType),
		mistakeOf(path, kproto.Weights(b.Weights).Validate()),
	)
}

func (s *fileSell) check(path string, seen map[string]bool) *mistake {
	return firstOf(
		checkID(path+"id", s.ID, seen),
		within(path+"x_m", s.X, -maxCoordinate, maxCoordinate),
		within(path+"y_m", s.Y, -maxCoordinate, maxCoordinate),
		within(path+"environment", s.Environment, 0, 1),
		within(path+"credit", s.Credit, 0, maxCredit),
		checkEnergyType(path+"energy_type", s.EnergyType),
	)
}

func firstOf(list ...*mistake) *mistake {
	for _, m := range list {
		if m != nil {
			return m
		}
	}
	return nil
}

// mistakeOf turns what the solver refuses into a mistake of the file, whose
// field lies below path.
func mistakeOf(path string, err error) *mistake {
	if f := (*kproto.FieldError)(nil); errors.As(err, &f) {
		return &mistake{path + f.Field, f.Expected, f.Got}
	}
	return nil
}

func within(field string, value, low, high int64) *mistake {
	if value < low || value > high {
		return &mistake{field, fmt.Sprintf("%d to %d", low, high), strconv.FormatInt(value, 10)}
	}
	return nil
}

func checkID(field, id string, seen map[string]bool) *mistake {
	printable := strings.IndexFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) }) < 0
	if id == "" || !printable || utf8.RuneCountInString(id) > maxIDLength {
		return &mistake{field, fmt.Sprintf("1 to %d printable characters", maxIDLength), strictjson.Quote(id)}
	}
	if seen[id] {
		return &mistake{field, "an id of its own", "that of another order, " + strictjson.Quote(id)}
	}
	seen[id] = true
	return nil
}

func checkEnergyType(field, name string) *mistake {
	if !slices.Contains(energyTypes, name) {
		return &mistake{field, "one of " + strings.Join(energyTypes, ", "), strictjson.Quote(name)}
	}
	return nil
}

func or(value *int64, otherwise int64) int64 {
	if value == nil {
		return otherwise
	}
	return *value
}

// book turns a checked file into what the solver takes.
func (f *file) book() *Book {
	p := f.Params
	b := &Book{
		params: kproto.Params{
			RespectLimits: p.RespectLimits == nil || *p.RespectLimits,
			Fee:           p.Fee,
			RangePrice:    p.Range.Price,
			RangeEnergyWh: p.Range.EnergyWh,
			RangeCredit:   p.Range.Credit,
			RangeLossPPM:  p.Range.LossPPM,
		},
		lossPPMPerKM: p.LossPPMPerKM,
	}
	for i := range f.Buys {
		b.buys = append(b.buys, f.Buys[i].order())
		b.buyPlaces = append(b.buyPlaces, place{f.Buys[i].ID, f.Buys[i].X, f.Buys[i].Y})
	}
	for _, s := range f.Sells {
		b.sells = append(b.sells, kproto.Sell{
			Price: s.Price, EnergyWh: s.EnergyWh, Environment: s.Environment, Credit: s.Credit,
			EnergyType: int32(slices.Index(energyTypes, s.EnergyType)), Identity: kproto.None, Point: kproto.None,
		})
		b.sellPlaces = append(b.sellPlaces, place{s.ID, s.X, s.Y})
	}
	return b
}

func (b *fileBuy) order() kproto.Buy {
	buy := kproto.Buy{
		Price: b.Price, EnergyWh: b.EnergyWh,
		Environment: or(b.Environment, 0), Credit: or(b.Credit, 0), WantedLossPPM: or(b.WantedLossPPM, 0),
		EnergyType: kproto.None, Weights: kproto.Weights(b.Weights), MaxLossPPM: or(b.MaxLossPPM, -1),
		Identity: kproto.None, Point: kproto.None,
	}
	if b.EnergyType != nil {
		buy.EnergyType = int32(slices.Index(energyTypes, *b.EnergyType))
	} else {
		buy.Weights.EnergyType = 0
	}
	if b.Environment == nil {
		buy.Weights.Environment = 0
	}
	if b.Credit == nil {
		buy.Weights.Credit = 0
	}
	if b.WantedLossPPM == nil {
		buy.Weights.Loss = 0
	}
	return buy
}
