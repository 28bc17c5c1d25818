// Package book is the offline book (matching.md 1): a market's orders in a
// file, cleared by the very solvers that the chain runs. It exists so that
// anyone can see, without a chain, what a mechanism does with given orders.
package book

import (
	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/kproto"
)

// KPrototypes is the mechanism of S3 3.3.
const KPrototypes = "kprototypes"

// energyTypes are the names of SPEC 6, in the order of their numbers.
var energyTypes = []string{"fossil", "wind", "hydro", "solar", "biomass", "storage"}

// Book is a book that was read and found valid. Order matters: buys are served
// in the order of the file, ties between sells go to the earlier one.
type Book struct {
	params       kproto.Params
	lossPPMPerKM int64
	buys         []kproto.Buy
	sells        []kproto.Sell
	buyPlaces    []place
	sellPlaces   []place
}

// place is what an order has that the solver does not ask for.
type place struct {
	id   string
	x, y int64 // m
}

// Read reads a book file. Every mistake in it is a *strictjson.Error that names
// line, column and field. A book with an empty side is valid: nothing trades.
func Read(data []byte) (*Book, error) {
	if err := checkMechanism(data); err != nil {
		return nil, err
	}
	var f file
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, err
	}
	if m := f.check(); m != nil {
		return nil, strictjson.At(data, &f, m.field, m.expected, m.got)
	}
	b := f.book()
	if m := b.check(); m != nil {
		return nil, strictjson.At(data, &f, m.field, m.expected, m.got)
	}
	return b, nil
}

// distance returns the distance of a pair in m.
func (b *Book) distance(buy, sell int) int64 {
	return distance(b.buyPlaces[buy].x-b.sellPlaces[sell].x, b.buyPlaces[buy].y-b.sellPlaces[sell].y)
}

func distance(dx, dy int64) int64 { return int64(units.Sqrt(uint64(dx*dx + dy*dy))) }

// loss returns the loss of a pair in ppm; off the chain every pair is connected.
func (b *Book) loss(buy, sell int) int64 { return b.lossOver(b.distance(buy, sell)) }

func (b *Book) lossOver(metres int64) int64 { return b.lossPPMPerKM * metres / 1000 }

// plane returns the same losses for the solver.
func (b *Book) plane() *kproto.Plane {
	p := &kproto.Plane{PPMPerKM: b.lossPPMPerKM}
	for _, at := range b.buyPlaces {
		p.Buys = append(p.Buys, kproto.Place{X: at.x, Y: at.y})
	}
	for _, at := range b.sellPlaces {
		p.Sells = append(p.Sells, kproto.Place{X: at.x, Y: at.y})
	}
	return p
}
