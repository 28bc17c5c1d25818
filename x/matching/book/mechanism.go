package book

import (
	"math/big"
	"strings"
)

// Mechanism is a way to clear a book, with its parameters: KPrototypes, CMAP,
// Welfare, Auction, Posted or HighLow. The fields of each are what a file has
// under "params".
type Mechanism interface {
	// Name is the mechanism's name in files.
	Name() string
	// terms returns the parameters that all mechanisms have.
	terms() terms
	// needs lists what orders must state that not all mechanisms look at.
	needs() (ofBuys, ofSells []string)
	// prepare makes of a book what the mechanism clears, and refuses parameters
	// and orders that it cannot clear.
	prepare(*Book) (solver, *mistake)
}

// terms hold for every pair of a book.
type terms struct {
	fee          int64 // ucoin per kWh on top of the ask
	lossPPMPerKM int64
}

// LossPPMPerKM returns the loss of a mechanism's parameters.
func LossPPMPerKM(m Mechanism) int64 { return m.terms().lossPPMPerKM }

// solver is a mechanism with a book that it accepted.
type solver interface {
	// clear clears the book and checks the trades by code of its own.
	clear() (*clearing, error)
}

// clearing is what a mechanism made of a book.
type clearing struct {
	deals     []deal
	objective *big.Int
	sides     *Sides // of CMAP
	wrong     error  // what the check found, nil if all is well
	note      string // what the check left out
}

// deal is a trade by positions in the book.
type deal struct {
	buy, sell       int
	energyWh, price int64
	satisfactionPPM int64
	dissimilarity   *int64 // of K-prototypes
}

// mechanisms are those that a file can name.
var mechanisms = []struct {
	name string
	read func(data []byte) (*Book, error)
}{
	{KPrototypes{}.Name(), read[KPrototypes]},
	{CMAP{}.Name(), read[CMAP]},
	{Welfare{}.Name(), read[Welfare]},
	{Auction{}.Name(), read[Auction]},
	{Posted{}.Name(), read[Posted]},
	{HighLow{}.Name(), read[HighLow]},
}

// Names lists the mechanisms in words, "one of kprototypes, cmap, ...".
func Names() string {
	names := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		names[i] = m.name
	}
	return "one of " + strings.Join(names, ", ")
}
