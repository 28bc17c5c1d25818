// Package book is the offline book (matching.md 1): a market's orders in a
// file, cleared by the very solvers that the chain runs. It exists so that
// anyone can see, without a chain, what a mechanism does with given orders.
//
// Each mechanism has a file of its own, which says what parameters it has, what
// it asks of orders and how its trades are checked; order.go has the orders,
// result.go what is reported of every clearing. README.md describes the files.
package book

import (
	"encoding/json"
	"strconv"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/units"
)

// Book is a mechanism with orders that it can clear. Order matters: where two
// are alike, the earlier one comes first.
type Book struct {
	mechanism             Mechanism
	buys, sells           []Order
	buyPlaces, sellPlaces []place
	solver                solver
}

// place is where an order is, in m.
type place struct{ x, y int64 }

// file is a book as it is written.
type file[M Mechanism] struct {
	Mechanism string  `json:"mechanism"`
	Params    M       `json:"params"`
	Buys      []Order `json:"buys"`
	Sells     []Order `json:"sells"`
}

// Read reads a book file. Every mistake in it is a *strictjson.Error that names
// line, column and field. A book with an empty side is valid: nothing trades.
func Read(data []byte) (*Book, error) {
	var named struct {
		Mechanism string `json:"mechanism"`
	}
	// A mechanism that is not known is the mistake before all others: the rest of
	// the file is not what any of these asks for.
	err := json.Unmarshal(data, &named)
	for _, m := range mechanisms {
		if m.name == named.Mechanism {
			return m.read(data)
		}
	}
	if err != nil || named.Mechanism == "" {
		var f file[KPrototypes]
		if err := strictjson.Decode(data, &f); err != nil {
			return nil, err
		}
	}
	return nil, strictjson.At(data, new(file[KPrototypes]), "mechanism", Names(), strictjson.Quote(named.Mechanism))
}

// read reads the file of a mechanism.
func read[M Mechanism](data []byte) (*Book, error) {
	var f file[M]
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, err
	}
	b, m := newBook(f.Params, f.Buys, f.Sells)
	if m == nil {
		return b, nil
	}
	at := strictjson.At(data, &f, m.field, m.expected, m.got)
	if m.inner != nil {
		return nil, m.inner.Within(at)
	}
	return nil, at
}

// New returns a book of orders that need not come from a file. Errors name the
// field that a file would have.
func New(mechanism Mechanism, buys, sells []Order) (*Book, error) {
	b, m := newBook(mechanism, buys, sells)
	if m != nil {
		return nil, m
	}
	return b, nil
}

func newBook(mechanism Mechanism, buys, sells []Order) (*Book, *mistake) {
	b := &Book{mechanism: mechanism, buys: buys, sells: sells}
	if m := within("params.loss_ppm_per_km", mechanism.terms().lossPPMPerKM, 0, units.PPM); m != nil {
		return nil, m
	}
	var m *mistake
	ofBuys, ofSells := mechanism.needs()
	if b.buyPlaces, m = checkOrders("buys", buys, ofBuys); m != nil {
		return nil, m
	}
	if b.sellPlaces, m = checkOrders("sells", sells, ofSells); m != nil {
		return nil, m
	}
	if b.solver, m = mechanism.prepare(b); m != nil {
		return nil, m
	}
	if m := checkTotal("buys", buys); m != nil {
		return nil, m
	}
	return b, checkTotal("sells", sells)
}

// Mechanism returns the book's mechanism with its parameters.
func (b *Book) Mechanism() Mechanism { return b.mechanism }

// Orders returns the book's orders, which must not be changed.
func (b *Book) Orders() (buys, sells []Order) { return b.buys, b.sells }

// distance returns the distance of a pair in m.
func (b *Book) distance(buy, sell int) int64 {
	return distance(b.buyPlaces[buy].x-b.sellPlaces[sell].x, b.buyPlaces[buy].y-b.sellPlaces[sell].y)
}

func distance(dx, dy int64) int64 { return int64(units.Sqrt(uint64(dx*dx + dy*dy))) }

// loss returns the loss of a pair in ppm; off the chain every pair is connected.
// It is above 10^6 where everything is lost before it arrives.
func (b *Book) loss(buy, sell int) int64 { return b.lossOver(b.distance(buy, sell)) }

func (b *Book) lossOver(metres int64) int64 {
	return b.mechanism.terms().lossPPMPerKM * metres / 1000
}

// at is the path of an order in the file, before the name of a field.
func at(list string, position int) string { return list + "[" + strconv.Itoa(position) + "]." }
