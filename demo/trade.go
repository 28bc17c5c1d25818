package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// trade runs the periods. Three things go on at once, each at its own block
// times: orders before a gate, signatures of matches after it, readings at the
// end of delivery; and whatever has settled is reported in order.
func (d *driver) trade(ctx context.Context) error {
	if err := d.chooseFirstPeriod(ctx); err != nil {
		return err
	}
	d.awaitCorrections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	parts := []func(context.Context) error{d.reportAll}
	if d.meters == nil {
		parts = append(parts, d.readAll)
	}
	if d.options.Mechanism != Matrix {
		parts = append(parts, d.orderAll)
	}
	if d.plan != nil && d.plan.down != nil {
		parts = append(parts, d.standStill)
	}
	for _, part := range parts {
		wait.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	signing, stopSigning := context.WithCancel(ctx)
	var signers sync.WaitGroup
	signers.Go(func() {
		if err := d.signAll(signing); err != nil {
			cancel(err)
		}
	})
	wait.Wait()
	stopSigning()
	signers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return nil
}

// chooseFirstPeriod takes the second period from now, so that there is time
// for its orders. With it simulated meters begin to count.
func (d *driver) chooseFirstPeriod(ctx context.Context) error {
	length := d.options.PeriodLength.Milliseconds()
	return d.clock.waitUntil(ctx, func(now int64) bool {
		d.firstPeriod = (now/length + 2) * length
		if d.meters != nil {
			d.meters.first.Store(d.firstPeriod)
		}
		return true
	})
}

// orderAll places each period's orders once the gate before it has closed.
func (d *driver) orderAll(ctx context.Context) error {
	params := new(registryv1.QueryParamsResponse)
	if _, err := d.sender.Query(ctx, &registryv1.QueryParamsRequest{}, params, 0); err != nil {
		return err
	}
	d.mu.Lock()
	d.chronicle.gateLead = params.Params.GateLeadMs
	d.mu.Unlock()
	for i := range d.options.Periods {
		period := d.periodOf(i)
		opens := d.periodOf(i-1) - params.Params.GateLeadMs
		if err := d.clock.waitUntil(ctx, func(now int64) bool { return now >= opens }); err != nil {
			return err
		}
		if err := d.orderPeriod(ctx, i, period); err != nil {
			return fmt.Errorf("orders of period %d: %w", i, err)
		}
	}
	return nil
}

// orderPeriod places a period's orders. No outage begins meanwhile.
func (d *driver) orderPeriod(ctx context.Context, i int, period int64) error {
	d.outage.RLock()
	defer d.outage.RUnlock()
	if err := d.rescue(ctx, i); err != nil {
		return err
	}
	return each(len(d.members), func(m int) error { return d.order(ctx, i, m, period) })
}

// drawOrder is what a member orders for a period.
func (d *driver) drawOrder(i, m int) (Order, bool) {
	if d.plan != nil {
		return d.plan.order(m, i)
	}
	return d.market.Order(m, d.first+i)
}

// order places a member's order. One that comes too late is a missed gate, not
// an error: the grid serves the member.
func (d *driver) order(ctx context.Context, interval, m int, period int64) error {
	order, ok := d.drawOrder(interval, m)
	if !ok {
		return nil
	}
	member := d.members[m]
	err := d.send(ctx, member.key, orderMessage(order, member.meter, period))
	var rejected *client.Rejected
	if errors.As(err, &rejected) && rejected.Codespace == "matching" && rejected.Code == gateClosed {
		d.mu.Lock()
		d.missed[period] = true
		d.mu.Unlock()
		return nil
	}
	if rejected != nil && d.refused(m, interval, rejected) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", member.Name, err)
	}
	return nil
}

// gateClosed is matching's code for an order after the gate (x/matching/README.md).
const gateClosed = 4

func orderMessage(o Order, meter string, period int64) proto.Message {
	consent := &matchingv1.Consent{Standing: o.Standing}
	if o.Sell {
		return &matchingv1.MsgPlaceSell{
			Period: period, PriceUcoinPerKwh: o.Price, EnergyWh: o.EnergyWh, Meter: meter, Consent: consent,
		}
	}
	w := o.Wishes
	kind, _ := energyType(w.WantedType)
	return &matchingv1.MsgPlaceBuy{
		Period: period, PriceUcoinPerKwh: o.Price, EnergyWh: o.EnergyWh,
		WantedLossPpm: w.WantedLossPpm, MaxLossPpm: &w.MaxLossPpm,
		WantedEnvironment: &w.WantedEnvironment, WantedEnergyType: kind, WantedCredit: &w.WantedCredit,
		Weights: &matchingv1.Weights{
			Price: w.Weights.Price, Energy: w.Weights.Energy, Environment: w.Weights.Environment,
			Credit: w.Weights.Credit, Loss: w.Weights.Loss, EnergyType: w.Weights.EnergyType,
		},
		Consent: consent,
	}
}

// signAll signs the pre-matches of members without a standing consent, or whose
// quota had no room for the order, so that theirs did not hold. One whose window closed before the signature was in a block lapses to the grid.
func (d *driver) signAll(ctx context.Context) error {
	byAddress := make(map[string]*member, len(d.members))
	for _, m := range d.members {
		address := m.address()
		byAddress[string(address[:])] = m
	}
	for {
		_, moved := d.clock.now()
		var signing sync.WaitGroup
		for _, match := range d.takeUnsigned() {
			for _, account := range unsigned(match) {
				m := byAddress[string(account)]
				if m == nil {
					continue
				}
				signing.Go(func() {
					_ = d.send(ctx, m.key, &matchingv1.MsgConfirm{Period: match.Period, Match: match.Id})
				})
			}
		}
		signing.Wait()
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		}
	}
}

// unsigned returns the sides of a pre-match whose signatures it waits for.
func unsigned(match *matchingv1.Match) (accounts [][]byte) {
	if !match.SellerConfirmed {
		accounts = append(accounts, match.Seller)
	}
	if !match.BuyerConfirmed {
		accounts = append(accounts, match.Buyer)
	}
	return accounts
}

// readAll submits each gateway's readings at the first period's start and at
// every period's end: cumulative registers, signed, taken on the boundary. What a
// story keeps back goes with the first one that it does not.
func (d *driver) readAll(ctx context.Context) error {
	for i := range d.options.Periods + 1 {
		at := d.periodOf(i)
		if err := d.clock.waitUntil(ctx, func(now int64) bool { return now >= at }); err != nil {
			return err
		}
		batches := make([][]*meteringv1.Reading, len(d.gateways))
		for n, m := range d.members {
			if i > 0 {
				imported, exported := d.market.Meter(n, d.first+i-1)
				m.imported += imported
				m.exported += exported
			}
			m.sequence++
			reading := &meteringv1.Reading{
				Meter: m.meter, Sequence: m.sequence, TimeMs: at, ImportWh: m.imported, ExportWh: m.exported - d.plan.misses(n, i),
				Quality: meteringv1.Quality_QUALITY_MEASURED,
			}
			if err := d.gateways[m.gateway].SignReading(d.sender.ChainID, reading); err != nil {
				return err
			}
			m.unsent = append(m.unsent, reading)
			if d.plan.holds(n, i) {
				continue
			}
			batches[m.gateway] = append(batches[m.gateway], m.unsent...)
			m.unsent = nil
		}
		err := each(len(batches), func(g int) error {
			if len(batches[g]) == 0 {
				return nil
			}
			return d.send(ctx, d.gateways[g], &meteringv1.MsgSubmitReadings{GatewayKey: d.gateways[g].Public(), Readings: batches[g]})
		})
		if err != nil {
			return fmt.Errorf("readings of %d: %w", at, err)
		}
		if err := d.correct(ctx, i); err != nil {
			return fmt.Errorf("corrections at %d: %w", at, err)
		}
	}
	return nil
}

// reportAll reports each period, in order, once it has settled.
func (d *driver) reportAll(ctx context.Context) error {
	for i := range d.options.Periods {
		period := d.periodOf(i)
		if err := d.clock.waitUntil(ctx, func(int64) bool { return d.settledVersion(period) > 0 }); err != nil {
			return err
		}
		if err := d.addPeriod(ctx, i, period); err != nil {
			return fmt.Errorf("report of period %d: %w", i, err)
		}
		PrintPeriod(d.options.Out, d.report.Periods[i])
		d.options.progress(i+1, d.options.Periods, "trading")
	}
	return nil
}

// addPeriod reads a settled period from the chain.
func (d *driver) addPeriod(ctx context.Context, i int, period int64) error {
	d.outage.RLock()
	defer d.outage.RUnlock()
	root, err := d.rootOfPeriod(ctx, period)
	if err != nil {
		return err
	}
	byAccount, err := d.statements(ctx, period)
	if err != nil {
		return err
	}
	t, book := root.Totals, d.book(period)
	p := Period{Period: period, LocalTime: d.market.Scenario.LocalTime(d.first + i), Sums: Sums{
		Surplus: book.SurplusUcoin,
		Auction: Auction{MatchedWh: book.GetAuction().GetMatchedWh(), CleanWh: book.GetAuction().GetCleanWh(), Surplus: book.GetAuction().GetSurplusUcoin()},
		Orders:  book.Orders, MatchedWh: book.MatchedWh + t.ContractWh, SoldWh: t.SoldWh, BoughtWh: t.BoughtWh, LossWh: t.LossWh, Fees: t.FeesUcoin,
		Grid: Grid{BoughtWh: t.GridBoughtWh, SoldWh: t.GridSoldWh, Paid: t.GridPaidUcoin, Received: t.GridReceivedUcoin},
		Fund: Fund{Paid: t.FundPaidUcoin, Received: t.FundReceivedUcoin},
	}}
	for _, m := range d.members {
		address := m.address()
		s := byAccount[string(address[:])]
		if s == nil {
			return fmt.Errorf("%s has no statement", m.Name)
		}
		p.Members = append(p.Members, Row{
			Member: m.Name, ImportWh: s.ImportWh, ExportWh: s.ExportWh, BoughtWh: s.BoughtWh, SoldWh: s.SoldWh,
			GridImportWh: s.GridImportWh, GridExportWh: s.GridExportWh,
			Paid: s.PaidUcoin, Received: s.ReceivedUcoin, Debt: s.DebtUcoin, Balance: s.BalanceAfterUcoin, Reputation: s.Reputation,
		})
	}
	if err := d.compare(ctx, period); err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	return d.report.Add(p, t.AmountUcoin, t.CleanWh)
}

// statements reads a period's statements, by account.
func (d *driver) statements(ctx context.Context, period int64) (map[string]*settlementv1.Statement, error) {
	const page = 1000
	byAccount := make(map[string]*settlementv1.Statement)
	request := &settlementv1.QueryStatementsRequest{Period: period, Limit: page}
	for {
		answer := new(settlementv1.QueryStatementsResponse)
		if _, err := d.sender.Query(ctx, request, answer, 0); err != nil {
			return nil, err
		}
		for _, s := range answer.Statements {
			byAccount[string(s.Account)] = s
			request.After = s.Account
		}
		if len(answer.Statements) < page {
			return byAccount, nil
		}
	}
}

// rootOfPeriod reads the root of a settled period. The node that answers may
// be a block behind the one whose event was seen.
func (d *driver) rootOfPeriod(ctx context.Context, period int64) (*settlementv1.StatementsRoot, error) {
	for {
		settled := new(settlementv1.QueryPeriodResponse)
		_, moved := d.clock.now()
		_, err := d.sender.Query(ctx, &settlementv1.QueryPeriodRequest{Period: period}, settled, 0)
		var rejected *client.Rejected
		if err != nil && !errors.As(err, &rejected) {
			return nil, err
		}
		if settled.Root != nil && settled.Root.Version >= d.settledVersion(period) {
			return settled.Root, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
