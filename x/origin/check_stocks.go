package origin

import (
	"fmt"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

// inStocks sums what all stocks hold of each kind that has certificates.
func inStocks(r state.Reader) (map[kind]int64, error) {
	stored := map[kind]int64{}
	for _, stock := range stocks.All(r, stocks.Key()) {
		if err := checkStock(stock); err != nil {
			return nil, fmt.Errorf("%w: stock of %v: %w", errBroken, protocol.Address(stock.Account), err)
		}
		for _, b := range stock.Batches {
			k := kindOfBatch(b)
			if k == (kind{}) {
				continue
			}
			if !totals.Has(r, totalKey(k)) {
				return nil, fmt.Errorf("%w: there is no total of %v", errBroken, b)
			}
			if err := addTo(stored, k, b.EnergyWh); err != nil {
				return nil, err
			}
		}
	}
	return stored, nil
}

// checkStored says that what charging cancelled is in stocks, was lost, or left
// them once.
func checkStored(t *originv1.Total, inStockWh int64) error {
	rest, err := units.Sum(t.StoredWh, -t.StorageLostWh, -t.ReleasedWh, -t.SpentWh, -inStockWh)
	if err != nil || rest != 0 || t.StorageLostWh < 0 || t.ReleasedWh < 0 || t.SpentWh < 0 {
		return fmt.Errorf("%w: %v, and stocks hold %d Wh", errBroken, t, inStockWh)
	}
	return nil
}

// checkStock checks a stock by itself.
func checkStock(stock *originv1.Stock) error {
	if n := len(stock.Batches); n == 0 || n > maxBatches+1 {
		return fmt.Errorf("batches: expected 1 to %d, got %d", maxBatches+1, n)
	}
	for i, b := range stock.Batches {
		if b.EnergyWh <= 0 {
			return fmt.Errorf("batches[%d].energy_wh: expected more than 0, got %d", i, b.EnergyWh)
		}
		if kindOfBatch(b) == (kind{}) {
			continue
		}
		if err := checkKind(b.EnergyType, b.Month); err != nil {
			return fmt.Errorf("batches[%d]: %w", i, err)
		}
	}
	return nil
}

func initStocks(s state.Store, genesis *originv1.GenesisState) error {
	for i, stock := range genesis.Stocks {
		field := fmt.Sprintf("stocks[%d]", i)
		if err := checkAccount(s, field+".account", stock.Account); err != nil {
			return err
		}
		if err := checkStock(stock); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if stocks.Has(s, stockKey(stock.Account)) {
			return fmt.Errorf("%s: expected each account once", field)
		}
		stocks.Set(s, stockKey(stock.Account), stock)
	}
	return nil
}
