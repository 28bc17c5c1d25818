package origin

import (
	"slices"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

// maxBatches is how many batches a stock has before one that is like none of them
// is not begun any more: what a block reads of a stock is bounded.
const maxBatches = 100

func stockKey(account []byte) state.Key { return stocks.Key().Bytes(account) }

func kindOfBatch(b *originv1.Batch) kind { return kind{b.EnergyType, b.Month} }

// stockOf returns what an account's storage holds, an empty stock if it has none.
func stockOf(r state.Reader, account protocol.Address) *originv1.Stock {
	if s, ok := stocks.Get(r, stockKey(account[:])); ok {
		return s
	}
	return &originv1.Stock{Account: account.Bytes()}
}

// saveStock stores a stock, or removes an empty one.
func saveStock(s state.Store, stock *originv1.Stock) {
	if len(stock.Batches) == 0 {
		stocks.Delete(s, stockKey(stock.Account))
		return
	}
	stocks.Set(s, stockKey(stock.Account), stock)
}

// Charge puts what an account's storage charged into its stock, less what of it is
// lost by the efficiency in ppm. If it is certified, certificates that the account
// holds are cancelled for it, those of the oldest month first; for the rest it has
// none. It returns for how many Wh certificates were cancelled. At most four rows
// for each month that the chain has lasted are read.
func Charge(ctx *module.Ctx, account protocol.Address, energyWh, efficiencyPPM int64, certified bool) (int64, error) {
	stock, left := stockOf(ctx.Store, account), energyWh
	var rows []*originv1.Holding
	if certified {
		for _, holding := range holdings.All(ctx.Store, holdingsOf(account[:])) {
			rows = append(rows, holding)
		}
	}
	for _, holding := range rows {
		k, cancelled := kindOfHolding(holding), min(holding.HeldWh, left)
		kept := usable(cancelled, efficiencyPPM)
		if kept == 0 || !hasRoom(stock, k) {
			continue
		}
		if err := put(stock, k, kept); err != nil {
			return 0, err
		}
		holding.HeldWh -= cancelled
		left -= cancelled
		saveHolding(ctx.Store, holding)
		if err := count(ctx.Store, k, flow{stored: cancelled, storageLost: cancelled - kept}); err != nil {
			return 0, err
		}
	}
	if err := put(stock, kind{}, usable(left, efficiencyPPM)); err != nil {
		return 0, err
	}
	saveStock(ctx.Store, stock)
	return energyWh - left, nil
}

// Uncharge takes back what a correction found not to have been charged, out of the
// newest of the stock as far as that is still there. Certificates of it are the
// account's again, but for what the efficiency took. It returns for how many Wh.
func Uncharge(ctx *module.Ctx, account protocol.Address, energyWh, efficiencyPPM int64) (int64, error) {
	stock, returned := stockOf(ctx.Store, account), int64(0)
	slices.Reverse(stock.Batches)
	taken := draw(stock, usable(energyWh, efficiencyPPM))
	slices.Reverse(stock.Batches)
	for _, b := range taken {
		k := kindOfBatch(b)
		if k == (kind{}) {
			continue
		}
		holding := holdingOf(ctx.Store, account[:], k)
		var err error
		if holding.HeldWh, err = units.Add(holding.HeldWh, b.EnergyWh); err != nil {
			return 0, err
		}
		saveHolding(ctx.Store, holding)
		if err := count(ctx.Store, k, flow{stored: -b.EnergyWh}); err != nil {
			return 0, err
		}
		returned += b.EnergyWh
	}
	saveStock(ctx.Store, stock)
	return returned, nil
}

// Discharge takes what an account's storage sold out of its stock, first in, first
// out, and returns it; what the stock has not is energy without certificates. Who
// bought it is to be issued the certificates of what has some (Delivery.Stored).
func Discharge(ctx *module.Ctx, account protocol.Address, energyWh int64) ([]*originv1.Batch, error) {
	stock := stockOf(ctx.Store, account)
	taken := draw(stock, energyWh)
	saveStock(ctx.Store, stock)
	for _, b := range taken {
		if err := count(ctx.Store, kindOfBatch(b), flow{released: b.EnergyWh}); err != nil {
			return nil, err
		}
		energyWh -= b.EnergyWh
	}
	if energyWh > 0 {
		taken = append(taken, &originv1.Batch{EnergyWh: energyWh})
	}
	return taken, nil
}

// Spend takes what an account's storage discharged besides, for which nobody has
// certificates, out of its stock like Discharge.
func Spend(ctx *module.Ctx, account protocol.Address, energyWh int64) error {
	stock := stockOf(ctx.Store, account)
	taken := draw(stock, energyWh)
	saveStock(ctx.Store, stock)
	for _, b := range taken {
		if err := count(ctx.Store, kindOfBatch(b), flow{spent: b.EnergyWh}); err != nil {
			return err
		}
	}
	return nil
}

// Unspend puts what a correction found not to have been discharged back to the
// front of the stock. Its certificates are issued or spent: it has none any more.
func Unspend(ctx *module.Ctx, account protocol.Address, energyWh int64) error {
	stock := stockOf(ctx.Store, account)
	slices.Reverse(stock.Batches)
	err := put(stock, kind{}, energyWh)
	slices.Reverse(stock.Batches)
	saveStock(ctx.Store, stock)
	return err
}

// Environment is the environmental index of what an account's storage would
// discharge next: 1 if it has certificates for all of energyWh, else 0 (SPEC 15).
func Environment(r state.Reader, account protocol.Address, energyWh int64) int64 {
	for _, b := range draw(stockOf(r, account), energyWh) {
		if kindOfBatch(b) == (kind{}) {
			return 0
		}
		energyWh -= b.EnergyWh
	}
	if energyWh > 0 {
		return 0
	}
	return 1
}

// draw removes energy from the front of a stock, as far as there is any.
func draw(stock *originv1.Stock, energyWh int64) []*originv1.Batch {
	var taken []*originv1.Batch
	for energyWh > 0 && len(stock.Batches) > 0 {
		first := stock.Batches[0]
		part := min(first.EnergyWh, energyWh)
		taken = append(taken, &originv1.Batch{EnergyType: first.EnergyType, Month: first.Month, EnergyWh: part})
		energyWh -= part
		if first.EnergyWh -= part; first.EnergyWh == 0 {
			stock.Batches = stock.Batches[1:]
		}
	}
	return taken
}

// put adds energy to the end of a stock: to the last batch if that is like it, to
// a new one or, in a full stock, to the newest that is like it. For energy without
// certificates there is always room: it must not be left out.
func put(stock *originv1.Stock, k kind, energyWh int64) error {
	if energyWh == 0 {
		return nil
	}
	at := len(stock.Batches) - 1
	if len(stock.Batches) >= maxBatches {
		at = newest(stock, k)
	}
	if at < 0 || kindOfBatch(stock.Batches[at]) != k {
		stock.Batches = append(stock.Batches, &originv1.Batch{EnergyType: k.energyType, Month: k.month, EnergyWh: energyWh})
		return nil
	}
	sum, err := units.Add(stock.Batches[at].EnergyWh, energyWh)
	stock.Batches[at].EnergyWh = sum
	return err
}

func hasRoom(stock *originv1.Stock, k kind) bool {
	return len(stock.Batches) < maxBatches || newest(stock, k) >= 0
}

// newest is the place of the newest batch of a kind, -1 if there is none.
func newest(stock *originv1.Stock, k kind) int {
	for i, b := range slices.Backward(stock.Batches) {
		if kindOfBatch(b) == k {
			return i
		}
	}
	return -1
}

// flow is what a change of a stock means for the totals of a kind, in Wh.
type flow struct{ stored, storageLost, released, spent int64 }

func count(s state.Store, k kind, f flow) error {
	if k == (kind{}) {
		return nil // without certificates
	}
	total := totalOf(s, k)
	for _, sum := range []struct {
		into *int64
		wh   int64
	}{
		{&total.StoredWh, f.stored},
		{&total.StorageLostWh, f.storageLost},
		{&total.ReleasedWh, f.released},
		{&total.SpentWh, f.spent},
	} {
		var err error
		if *sum.into, err = units.Add(*sum.into, sum.wh); err != nil {
			return err
		}
	}
	totals.Set(s, totalKey(k), total)
	return nil
}

// usable is what of energy that charges a storage can be discharged again: the
// floor of the two's product, which is that of a loss.
func usable(energyWh, efficiencyPPM int64) int64 { return units.Loss(energyWh, efficiencyPPM) }
