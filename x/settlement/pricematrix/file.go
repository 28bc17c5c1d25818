package pricematrix

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/energyd/energyd/internal/strictjson"
)

// file is a period as it is written (matching.md 6): the price matrix by seller
// and then buyer.
type file struct {
	PriceMatrix map[string]map[string]fileEntry `json:"price_matrix"`
	Tariff      fileTariff                      `json:"tariff"`
	Supply      []fileEnergy                    `json:"supply"`
	Consumption []fileEnergy                    `json:"consumption"`
}

type fileEntry struct {
	Priority int64 `json:"priority"`
	Price    int64 `json:"price"`
}

type fileTariff struct {
	Retail int64 `json:"retail"`
	FeedIn int64 `json:"feed_in"`
}

type fileEnergy struct {
	Account  string `json:"account"`
	EnergyWh int64  `json:"energy_wh"`
}

// Read reads a period from a file. Every mistake in it is a *strictjson.Error
// that names line, column and field. What it returns, Settle accepts.
//
// An account of supply or consumption must be named in the price matrix, as a
// seller or a buyer, so that a misspelt one does not quietly deal with the grid;
// one without contracts is declared by an empty row, "E": {}.
func Read(data []byte) (*Period, error) {
	var f file
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, err
	}
	p := f.period()
	mistake := p.check()
	if mistake == nil {
		mistake = f.checkKnown()
	}
	if m := (*FieldError)(nil); errors.As(mistake, &m) {
		return nil, strictjson.At(data, &f, m.Field, m.Expected, m.Got)
	}
	return p, nil
}

func (f *file) period() *Period {
	p := &Period{Tariff: Tariff(f.Tariff), Supply: energies(f.Supply), Consumption: energies(f.Consumption)}
	for _, seller := range slices.Sorted(maps.Keys(f.PriceMatrix)) {
		row := f.PriceMatrix[seller]
		for _, buyer := range slices.Sorted(maps.Keys(row)) {
			p.Contracts = append(p.Contracts, Contract{seller, buyer, row[buyer].Priority, row[buyer].Price})
		}
	}
	return p
}

func energies(list []fileEnergy) []Energy {
	var out []Energy
	for _, e := range list {
		out = append(out, Energy(e))
	}
	return out
}

// checkKnown refuses accounts that the price matrix does not name.
func (f *file) checkKnown() error {
	known := make(map[string]bool, len(f.PriceMatrix))
	for _, seller := range slices.Sorted(maps.Keys(f.PriceMatrix)) {
		if err := checkName("price_matrix"+key(seller), seller); err != nil {
			return err // of an empty row: the others are checked as contracts
		}
		known[seller] = true
		for _, buyer := range slices.Sorted(maps.Keys(f.PriceMatrix[seller])) {
			known[buyer] = true
		}
	}
	check := func(list string, energies []fileEnergy) error {
		for i, e := range energies {
			if !known[e.Account] {
				return &FieldError{
					fmt.Sprintf("%s[%d].account", list, i),
					"an account of price_matrix, in which an empty row declares one without contracts", "unknown account " + strictjson.Quote(e.Account),
				}
			}
		}
		return nil
	}
	if err := check("supply", f.Supply); err != nil {
		return err
	}
	return check("consumption", f.Consumption)
}
