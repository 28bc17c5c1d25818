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
	s := settlement{period: p, missing: make([]int64, len(p.Consumption)), consumer: make(map[string]int, len(p.Consumption)), records: []Record{}}
	for i, c := range p.Consumption {
		s.missing[i], s.consumer[c.Account] = c.EnergyWh, i
	}
	contracts := slices.Clone(p.Contracts)
	slices.SortFunc(contracts, func(a, b Contract) int {
		return cmp.Or(cmp.Compare(a.Seller, b.Seller), cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Buyer, b.Buyer))
	})
	for _, supply := range p.Supply {
		if err := s.sell(supply, contractsOf(supply.Account, contracts)); err != nil {
			return nil, err
		}
	}
	for i, c := range p.Consumption {
		if err := s.record(Grid, c.Account, s.missing[i], p.Tariff.Retail); err != nil {
			return nil, err
		}
	}
	return s.records, nil
}

// contractsOf returns the part of sorted contracts that is the seller's.
func contractsOf(seller string, sorted []Contract) []Contract {
	bySeller := func(c Contract, name string) int { return cmp.Compare(c.Seller, name) }
	start, _ := slices.BinarySearchFunc(sorted, seller, bySeller)
	end := start
	for end < len(sorted) && sorted[end].Seller == seller {
		end++
	}
	return sorted[start:end]
}

// settlement is the state of one call of Settle.
type settlement struct {
	period   *Period
	missing  []int64        // what each consumer still needs, Wh
	consumer map[string]int // position in Consumption by account
	records  []Record
}

func (s *settlement) sell(supply Energy, contracts []Contract) error {
	left := supply.EnergyWh
	for _, c := range contracts {
		at, consumes := s.consumer[c.Buyer]
		if !consumes {
			continue
		}
		energy := min(left, s.missing[at])
		if err := s.record(c.Seller, c.Buyer, energy, c.Price); err != nil {
			return err
		}
		left -= energy
		s.missing[at] -= energy
	}
	return s.record(supply.Account, Grid, left, s.period.Tariff.FeedIn)
}

func (s *settlement) record(seller, buyer string, energyWh, price int64) error {
	if energyWh == 0 {
		return nil
	}
	amount, err := units.Amount(price, energyWh)
	if err != nil {
		return fmt.Errorf("amount from %s to %s: %w", buyer, seller, err)
	}
	s.records = append(s.records, Record{seller, buyer, energyWh, price, amount})
	return nil
}
