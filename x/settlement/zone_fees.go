package settlement

import (
	"bytes"
	"errors"
	"fmt"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

// The ledger of grid fees per pair of zones (SPEC 8). Its rows are one for a pair
// and month: fees know 64 zones at most, so at most 4096 a month.

func zoneFeesKey(month int64, fromZone, toZone string) state.Key {
	return zoneFees.Key().Int64(month).Name(fromZone).Name(toZone)
}

// zoneFeeOf is the part of a trade's fee that is charged for its zones, in ucoin.
// What of the fee remained unpaid is in it: the buyer owes it.
func zoneFeeOf(trade *settlementv1.Trade) (int64, error) {
	return units.Amount(trade.ZoneFeeUcoinPerKwh, trade.SoldWh)
}

// bookZoneFees books the fees of an account's purchases, each by its pair of
// zones.
func bookZoneFees(ctx *module.Ctx, totals *settlementv1.Totals, statement *settlementv1.Statement) error {
	for _, trade := range statement.Trades {
		if trade.ZoneFeeUcoinPerKwh == 0 || !bytes.Equal(trade.Buyer, statement.Account) {
			continue
		}
		fee, err := zoneFeeOf(trade)
		if err != nil {
			return err
		}
		if err := bookZoneFee(ctx, totals, statement.Period, trade, trade.SoldWh, fee); err != nil {
			return err
		}
	}
	return nil
}

// rebookZoneFee books by how much a correction changed a trade and its fee.
func (w *resettlement) rebookZoneFee(was, next *settlementv1.Trade) error {
	if next.ZoneFeeUcoinPerKwh == 0 {
		return nil
	}
	before, err := zoneFeeOf(was)
	if err != nil {
		return err
	}
	after, err := zoneFeeOf(next)
	if err != nil {
		return err
	}
	return bookZoneFee(w.ctx, w.period.Totals, w.period.Period, next, next.SoldWh-was.SoldWh, after-before)
}

// bookZoneFee books energy and fee of a trade, or differences of them.
func bookZoneFee(ctx *module.Ctx, totals *settlementv1.Totals, period int64, trade *settlementv1.Trade, soldWh, feeUcoin int64) error {
	month := units.MonthOf(period)
	key := zoneFeesKey(month, trade.FromZone, trade.ToZone)
	row, ok := zoneFees.Get(ctx.Store, key)
	if !ok {
		row = &settlementv1.ZoneFees{Month: month, FromZone: trade.FromZone, ToZone: trade.ToZone}
	}
	var sums adder
	sums.add(&row.SoldWh, soldWh)
	sums.add(&row.FeeUcoin, feeUcoin)
	sums.add(&totals.ZoneFeesUcoin, feeUcoin)
	zoneFees.Set(ctx.Store, key, row)
	return sums.err
}

var errZoneFees = errors.New("the ledger of fees between zones does not add up")

// checkZoneFees compares each month of the ledger with the totals of its periods.
func checkZoneFees(r state.Reader) error {
	var months []int64
	differs := map[int64]int64{} // booked less charged
	add := func(at, ucoin int64) {
		month := units.MonthOf(at)
		if _, known := differs[month]; !known {
			months = append(months, month)
		}
		differs[month] += ucoin
	}
	for row := range values(zoneFees.All(r, zoneFees.Key())) {
		if row.FeeUcoin < 0 || row.SoldWh < 0 {
			return fmt.Errorf("%w: %v", errZoneFees, row)
		}
		add(row.Month, row.FeeUcoin)
	}
	for root := range values(roots.All(r, roots.Key())) {
		add(root.Period, -root.Totals.ZoneFeesUcoin)
	}
	for period := range values(periods.All(r, periods.Key())) {
		if !roots.Has(r, rootKey(period.Period)) {
			add(period.Period, -period.Totals.ZoneFeesUcoin)
		}
	}
	for _, month := range months {
		if differs[month] != 0 {
			return fmt.Errorf("%w: of %s %s are booked beyond what periods say", errZoneFees, units.FormatMonth(month), units.FormatCoins(differs[month]))
		}
	}
	return nil
}

func initZoneFees(s state.Store, rows []*settlementv1.ZoneFees) error {
	for i, row := range rows {
		key := zoneFeesKey(row.Month, row.FromZone, row.ToZone)
		for _, zone := range []string{row.FromZone, row.ToZone} {
			if zone != "" && protocol.CheckName(zone) != nil {
				return ErrMalformed.With("settlement.zone_fees[%d]: expected names of zones, got %q", i, zone)
			}
		}
		if row.Month != units.MonthOf(row.Month) || zoneFees.Has(s, key) {
			return ErrMalformed.With("settlement.zone_fees[%d]: expected the start of a month, and each month and pair of zones once", i)
		}
		zoneFees.Set(s, key, row)
	}
	return checkZoneFees(s)
}

// queryZoneFees lists the ledger.
func queryZoneFees(ctx module.QueryCtx, q *settlementv1.QueryZoneFeesRequest) (*settlementv1.QueryZoneFeesResponse, error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, err
	}
	answer := &settlementv1.QueryZoneFeesResponse{}
	for _, row := range zoneFees.From(ctx.Store, zoneFees.Key(), zoneFees.Key().Int64(q.FromMonth)) {
		answer.ZoneFees = append(answer.ZoneFees, row)
		if len(answer.ZoneFees) == limit {
			break
		}
	}
	return answer, nil
}
