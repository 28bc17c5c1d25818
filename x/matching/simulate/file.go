package simulate

import (
	"fmt"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/book"
)

// FileDraw compares mechanisms on the orders of a book file. Its own mechanism
// has the file's parameters; the others', and what they look at and the orders
// do not say, are defaults that Notes tell.
type FileDraw struct {
	name        string
	own         book.Mechanism
	buys, sells []book.Order
	market      market
	fields      map[string]int // how many orders were given a default, by field
}

// NewFileDraw returns the draw of a book that was read from a file of this name.
func NewFileDraw(name string, b *book.Book) *FileDraw {
	d := &FileDraw{name: name, own: b.Mechanism(), fields: map[string]int{}}
	buys, sells := b.Orders()
	d.market = market{priceMin: 1, priceMax: 2, energyWh: 1, rMaxM: 10_000, lossPPMPerKM: book.LossPPMPerKM(d.own)}
	for i, list := range [][]book.Order{buys, sells} {
		for _, o := range list {
			if i == 0 && len(d.buys) == 0 || i == 1 && len(d.buys) == 0 && len(d.sells) == 0 {
				d.market.priceMin, d.market.priceMax = o.Price, o.Price+1
			}
			d.market.priceMin, d.market.priceMax = min(d.market.priceMin, o.Price), max(d.market.priceMax, o.Price+1)
			d.market.energyWh = max(d.market.energyWh, o.EnergyWh)
			if i == 0 {
				d.buys = append(d.buys, d.completed(o, buyersPrefer))
			} else {
				d.sells = append(d.sells, d.completed(o, sellersPrefer))
			}
		}
	}
	return d
}

// completed returns an order with defaults for what it does not say.
func (d *FileDraw) completed(o book.Order, prefer []string) book.Order {
	number := func(field string, value **int64, otherwise int64) {
		if *value == nil {
			*value = &otherwise
			d.fields[field]++
		}
	}
	if o.EnergyType == nil {
		o.EnergyType = &types[0]
		if o.Clean() {
			o.EnergyType = &types[3]
		}
		d.fields["energy_type"]++
	}
	clean := int64(0)
	if o.Clean() {
		clean = 1
	}
	number("x_m", &o.X, 0)
	number("y_m", &o.Y, 0)
	number("environment", &o.Environment, clean)
	number("reputation", &o.Reputation, 100)
	number("credit", &o.Credit, *o.Reputation)
	if o.Prefer == nil {
		o.Prefer = prefer
		d.fields["prefer"]++
	}
	return o
}

// Name returns the name of the file.
func (d *FileDraw) Name() string { return d.name }

// Orders returns the file's orders; there is nothing to draw.
func (d *FileDraw) Orders(*random) (buys, sells []book.Order, err error) {
	return d.buys, d.sells, nil
}

// Variants are the file's mechanism as it is there, and the others with limits.
func (d *FileDraw) Variants() []Variant {
	var out []Variant
	for _, v := range d.market.variants() {
		switch v.Name {
		case "kprototypes", "cmap":
			continue // as published; the market's are the -limit
		case "kprototypes-limit", "cmap-limit":
			v.Name = v.Name[:len(v.Name)-len("-limit")]
		}
		if v.Name == d.own.Name() {
			v.Mechanism = d.own
		}
		out = append(out, v)
	}
	return out
}

// Scores are the file's if its mechanism is CMAP.
func (d *FileDraw) Scores() book.CMAP {
	if own, ok := d.own.(book.CMAP); ok {
		return own
	}
	return d.market.cmap(book.Paper)
}

// Notes tell the defaults.
func (d *FileDraw) Notes() []string {
	m := d.market
	notes := []string{
		d.own.Name() + " has the parameters of the file",
		fmt.Sprintf("others: prices %s to %s, longest distance rated %d km, loss as in the file %s per km, limits respected, no fee, welfare beta 5 %% of the price range, posted price in the middle",
			units.FormatPrice(m.priceMin), units.FormatPrice(m.priceMax), m.rMaxM/1000, units.FormatPercent(m.lossPPMPerKM)),
	}
	for _, f := range []struct{ name, otherwise string }{
		{"x_m", "0"},
		{"y_m", "0"},
		{"energy_type", "solar if clean, else fossil"},
		{"environment", "by the energy type"},
		{"reputation", "100"},
		{"credit", "the reputation"},
		{"prefer", "price, loss, environment of buys and price, demand, loss of sells"},
	} {
		if n := d.fields[f.name]; n > 0 {
			notes = append(notes, fmt.Sprintf("%d orders do not state %s: %s", n, f.name, f.otherwise))
		}
	}
	return append(notes, "buys without weights for kprototypes: all equal")
}
