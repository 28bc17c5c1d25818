package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/grid/paths"
	"github.com/energyd/energyd/x/matching/clearing"
)

// Comparison is what a mechanism makes of the orders of all periods.
type Comparison struct {
	Matches         int64 `json:"matches"`
	VolumeWh        int64 `json:"volume_wh"`
	Surplus         int64 `json:"surplus"` // bids less asks
	CleanPpm        int64 `json:"clean_ppm"`
	LossPpm         int64 `json:"loss_ppm"`
	MeanPrice       int64 `json:"mean_price"`
	SatisfactionPpm int64 `json:"satisfaction_ppm"` // mean of both sides', on one scale for all
	// LeftOut are periods whose book is too large for the mechanism.
	LeftOut int64 `json:"left_out"`
}

// compared are the mechanisms in the order in which they are shown.
var compared = []matchingv1.Mechanism{
	matchingv1.Mechanism_MECHANISM_KPROTOTYPES, matchingv1.Mechanism_MECHANISM_CMAP, matchingv1.Mechanism_MECHANISM_WELFARE,
	matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED,
}

// mostCompared is the most orders of a side that CMAP and welfare compare: they
// look at every pair.
const mostCompared = 1000

func mechanismName(mechanism matchingv1.Mechanism) string {
	return client.FormatEnum(mechanism.Descriptor(), mechanism.Number())
}

// compare clears a period's book, as it was in its first round, by every
// mechanism.
func (d *driver) compare(ctx context.Context, period int64) error {
	d.mu.Lock()
	trading := d.trading[period]
	d.mu.Unlock()
	if trading == nil || len(trading.Clearings) == 0 {
		return nil // nobody ordered, or the gate was missed
	}
	found := trading.Clearings[0]
	rules, err := d.rules(ctx, period, found.Height)
	if err != nil {
		return err
	}
	ran := rules.Market
	d.report.Mechanism = mechanismName(ran.Mechanism)
	c := clearing.New(rules, found.Sells, found.Buys)
	trades, known := c.TradesOf(found.Matches)
	if !known {
		return errors.New("a match of an order that nobody placed")
	}
	if err := d.report.compare("", c, trades); err != nil {
		return err
	}
	for _, mechanism := range compared {
		rules.Market = clearing.MarketFor(mechanism, d.market.Tariff.Retail, d.market.Tariff.FeedIn)
		if mechanism == ran.Mechanism {
			rules.Market = ran
		}
		rates := mechanism == matchingv1.Mechanism_MECHANISM_CMAP || mechanism == matchingv1.Mechanism_MECHANISM_WELFARE
		if rates && max(len(found.Sells), len(found.Buys)) > mostCompared {
			d.report.leaveOut(mechanismName(mechanism))
			continue
		}
		c := clearing.New(rules, found.Sells, found.Buys)
		outcome, err := c.Run()
		if err != nil {
			return fmt.Errorf("%s: %w", mechanismName(mechanism), err)
		}
		if err := d.report.compare(mechanismName(mechanism), c, outcome.Trades); err != nil {
			return err
		}
	}
	return nil
}

// rules are those by which a period was cleared in a block.
func (d *driver) rules(ctx context.Context, period, height int64) (clearing.Rules, error) {
	params, market := new(registryv1.QueryParamsResponse), new(matchingv1.QueryMarketResponse)
	if _, err := d.sender.Query(ctx, &registryv1.QueryParamsRequest{Period: period}, params, 0); err != nil {
		return clearing.Rules{}, err
	}
	if _, err := d.sender.Query(ctx, &matchingv1.QueryMarketRequest{Period: period}, market, 0); err != nil {
		return clearing.Rules{}, err
	}
	header, err := proof.FetchHeader(ctx, d.sender.Client, height)
	if err != nil {
		return clearing.Rules{}, err
	}
	nodes, lines, err := d.sender.Grid(ctx, 0) // it does not change once all are registered
	if err != nil {
		return clearing.Rules{}, err
	}
	return clearing.Rules{
		Period: period, PeriodLengthMs: params.Chain.PeriodLengthMs, PrevAppHash: header.Signed.AppHash,
		Params: params.Params, Market: market.Entry.Market, Paths: paths.New(nodes, lines, params.Params.DefaultLossPpmPerKm), // of one zone
	}, nil
}

// compare adds trades to a mechanism's row, or to that of the chain ("").
func (r *Report) compare(mechanism string, c *clearing.Clearing, trades []clearing.Trade) error {
	figures, err := c.Figures(trades)
	if err != nil {
		return err
	}
	sum := r.compared[mechanism]
	if err := sum.Add(figures); err != nil {
		return err
	}
	r.compared[mechanism] = sum
	row := r.Comparison[mechanism]
	row.Matches, row.VolumeWh, row.Surplus = sum.Matches, sum.EnergyWh, sum.SurplusUcoin
	if sum.EnergyWh > 0 {
		for _, share := range []struct {
			of       *int64
			part, by int64
		}{
			{&row.CleanPpm, sum.CleanWh, units.PPM},
			{&row.LossPpm, sum.LossMicroWh, 1},
			{&row.MeanPrice, sum.AmountUcoin, units.WhPerKWh},
			{&row.SatisfactionPpm, sum.SatisfiedMicroWh, 1},
		} {
			if *share.of, err = units.MulDiv(share.part, share.by, sum.EnergyWh); err != nil {
				return err
			}
		}
	}
	if mechanism == "" {
		r.Cleared = row
	} else {
		r.Comparison[mechanism] = row
	}
	return nil
}

// leaveOut counts a period that a mechanism is not compared in.
func (r *Report) leaveOut(mechanism string) {
	row := r.Comparison[mechanism]
	row.LeftOut++
	r.Comparison[mechanism] = row
}
