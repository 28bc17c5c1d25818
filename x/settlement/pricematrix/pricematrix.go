// Package pricematrix settles a period of bilateral contracts (SPEC 6.3,
// matching.md 6; S3 2.3.2 and 2.3.5): pairs that agreed on a price and on the
// order in which a seller serves its buyers. It exists so that the offline
// command and the chain share one arithmetic.
//
// The algorithm is that of S3 2.3.5, corrected: the seller comes first in a
// record, what a seller has left makes one record with the grid and clears the
// seller's energy (the thesis clears a buyer's), and grid energy is bought at
// the retail and sold at the feed-in price.
package pricematrix

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/energyd/energyd/units"
)

// Grid is the party to what contracts leave; no account has its name.
const Grid = "grid"

// Contract is what a seller and a buyer agreed on. Any string that tells
// accounts apart will do for their names.
type Contract struct {
	Seller, Buyer string
	Priority      int64 // the seller serves the least first, equal ones by the buyer's name
	Price         int64 // ucoin per kWh
}

// Energy is what an account's meter shows for the period.
type Energy struct {
	Account  string
	EnergyWh int64
}

// Tariff is the grid's, in ucoin per kWh.
type Tariff struct{ Retail, FeedIn int64 }

// Period is what there is to settle. Order matters: sellers are served in the
// order of Supply.
type Period struct {
	Contracts   []Contract // in any order
	Tariff      Tariff
	Supply      []Energy
	Consumption []Energy
}

// Record is energy that went from a seller to a buyer, and the money for it.
type Record struct {
	Seller   string `json:"seller"`
	Buyer    string `json:"buyer"`
	EnergyWh int64  `json:"energy_wh"`
	Price    int64  `json:"price"`  // ucoin per kWh
	Amount   int64  `json:"amount"` // ucoin, trunc(price x energy / 1000)
}

// Settle serves the contracts: each seller in the order of Supply serves its
// buyers by priority and then name, and sells what it has left to the grid at
// the feed-in price; what buyers then miss comes from the grid at the retail
// price, in the order of Consumption. Records come in that order; none is of
// 0 Wh. Every seller's and every buyer's records sum to its energy.
//
// Errors are *FieldError, for what is out of range, twice there, or too large.
func (p *Period) Settle() ([]Record, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	contracts, pairs := p.order()
	left, missing := energiesOf(p.Supply), energiesOf(p.Consumption)
	deliveries := Share(pairs, left, missing)
	l := ledger{records: []Record{}}
	for i, supply := range p.Supply {
		for len(pairs) > 0 && pairs[0].Seller == i {
			l.record(supply.Account, contracts[0].Buyer, deliveries[0], contracts[0].Price)
			contracts, pairs, deliveries = contracts[1:], pairs[1:], deliveries[1:]
		}
		l.record(supply.Account, Grid, left[i], p.Tariff.FeedIn)
	}
	for i, c := range p.Consumption {
		l.record(Grid, c.Account, missing[i], p.Tariff.Retail)
	}
	return l.records, l.err
}

// order lists the contracts whose both sides have energy in the order in which
// they are served, with the places of their sides in Supply and Consumption.
func (p *Period) order() ([]Contract, []Pair) {
	seller, buyer := places(p.Supply), places(p.Consumption)
	contracts := slices.DeleteFunc(slices.Clone(p.Contracts), func(c Contract) bool {
		_, sells := seller[c.Seller]
		_, buys := buyer[c.Buyer]
		return !sells || !buys
	})
	slices.SortFunc(contracts, func(a, b Contract) int {
		return cmp.Or(cmp.Compare(seller[a.Seller], seller[b.Seller]), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Buyer, b.Buyer))
	})
	pairs := make([]Pair, len(contracts))
	for i, c := range contracts {
		pairs[i] = Pair{Seller: seller[c.Seller], Buyer: buyer[c.Buyer]}
	}
	return contracts, pairs
}

// places numbers the accounts of a list.
func places(list []Energy) map[string]int {
	place := make(map[string]int, len(list))
	for i, e := range list {
		place[e.Account] = i
	}
	return place
}

func energiesOf(list []Energy) []int64 {
	wh := make([]int64, len(list))
	for i, e := range list {
		wh[i] = e.EnergyWh
	}
	return wh
}

// ledger writes records and keeps the first error.
type ledger struct {
	records []Record
	err     error
}

func (l *ledger) record(seller, buyer string, energyWh, price int64) {
	if energyWh == 0 || l.err != nil {
		return
	}
	amount, err := units.Amount(price, energyWh)
	if err != nil {
		l.err = fmt.Errorf("amount from %s to %s: %w", buyer, seller, err)
		return
	}
	l.records = append(l.records, Record{seller, buyer, energyWh, price, amount})
}
