package kproto

import (
	"errors"
	"testing"

	"github.com/energyd/energyd/x/matching/field"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Params)
		field  string
	}{
		{"valid", func(*Params) {}, ""},
		{"greatest", func(p *Params) { p.Fee, p.RangePrice = maxValue, maxRange }, ""},
		{"negative fee", func(p *Params) { p.Fee = -1 }, "fee"},
		{"great fee", func(p *Params) { p.Fee = maxValue + 1 }, "fee"},
		{"no price range", func(p *Params) { p.RangePrice = 0 }, "range.price"},
		{"no energy range", func(p *Params) { p.RangeEnergyWh = 0 }, "range.energy_wh"},
		{"negative credit range", func(p *Params) { p.RangeCredit = -1 }, "range.credit"},
		{"great loss range", func(p *Params) { p.RangeLossPPM = maxRange + 1 }, "range.loss_ppm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := market
			c.change(&p)
			wantField(t, p.Validate(), c.field)
		})
	}
}

func wantField(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if mistake := (*field.Error)(nil); errors.As(err, &mistake) {
		got = mistake.Field
	}
	if got != want {
		t.Errorf("got error %v, want one on field %q", err, want)
	}
}

func TestCheckBuy(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Buy)
		field  string
	}{
		{"valid", func(*Buy) {}, ""},
		{"at every bound", func(b *Buy) {
			b.Price, b.EnergyWh, b.Environment, b.Credit, b.WantedLossPPM = 6400, 6400, 64, 6400, 6400
			b.Weights = Weights{1000, 1000, 1000, 1000, 1000, 1000}
		}, ""},
		{"negative price", func(b *Buy) { b.Price = -1 }, "price"},
		{"price spans 64 ranges", func(b *Buy) { b.Price = 6401 }, "price"},
		{"no energy", func(b *Buy) { b.EnergyWh = 0 }, "energy_wh"},
		{"energy spans 64 ranges", func(b *Buy) { b.EnergyWh = 6401 }, "energy_wh"},
		{"negative environment", func(b *Buy) { b.Environment = -1 }, "environment"},
		{"environment spans 64 ranges", func(b *Buy) { b.Environment, b.Weights.Environment = 65, 1 }, "environment"},
		{"environment without weight", func(b *Buy) { b.Environment = 65 }, ""},
		{"credit spans 64 ranges", func(b *Buy) { b.Credit, b.Weights.Credit = 6401, 1 }, "credit"},
		{"credit without weight", func(b *Buy) { b.Credit = 6401 }, ""},
		{"wanted loss", func(b *Buy) { b.WantedLossPPM = 6401 }, "wanted_loss_ppm"},
		{"negative loss", func(b *Buy) { b.WantedLossPPM = -1 }, "wanted_loss_ppm"},
		{"weight price", func(b *Buy) { b.Weights.Price = 1001 }, "weights.price"},
		{"weight energy", func(b *Buy) { b.Weights.Energy = -1 }, "weights.energy"},
		{"weight environment", func(b *Buy) { b.Weights.Environment = 1001 }, "weights.environment"},
		{"weight credit", func(b *Buy) { b.Weights.Credit = 1001 }, "weights.credit"},
		{"weight loss", func(b *Buy) { b.Weights.Loss = -1 }, "weights.loss"},
		{"weight type", func(b *Buy) { b.Weights.EnergyType = 1001 }, "weights.energy_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := anyone(Buy{Price: 100, EnergyWh: 1})
			c.change(&b)
			wantField(t, market.CheckBuy(b), c.field)
		})
	}
}

func TestCheckSell(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Sell)
		field  string
	}{
		{"valid", func(*Sell) {}, ""},
		{"at every bound", func(s *Sell) { *s = Sell{Price: 6400, EnergyWh: 6400, Environment: 64, Credit: 6400} }, ""},
		{"price", func(s *Sell) { s.Price = 6401 }, "price"},
		{"energy", func(s *Sell) { s.EnergyWh = -5 }, "energy_wh"},
		{"environment", func(s *Sell) { s.Environment = 65 }, "environment"},
		{"credit", func(s *Sell) { s.Credit = -1 }, "credit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := seller(1, 1)
			c.change(&s)
			wantField(t, market.CheckSell(s), c.field)
		})
	}
}

// TestCheckBook checks that a book's attributes are measured from its lowest.
func TestCheckBook(t *testing.T) {
	for _, c := range []struct {
		name      string
		bid, ask  int64
		list, fld string
	}{
		{"far from 0, close together", 1_000_000, 1_006_400, "", ""},
		{"too far apart, ask", 1_000_000, 1_006_401, "sells", "price"},
		{"too far apart, bid", 1_006_401, 1_000_000, "buys", "price"},
		{"beyond what can be scaled", maxValue + 1, maxValue, "buys", "price"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, _, err := market.CheckBook([]Buy{anyone(Buy{Price: c.bid, EnergyWh: 1})}, []Sell{seller(c.ask, 1)})
			wantField(t, err, c.fld)
			if list != c.list {
				t.Errorf("got list %q, want %q", list, c.list)
			}
		})
	}
}
