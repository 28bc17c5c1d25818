package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
)

const (
	// tradeWh is the energy of a trade. Losses are 0, so that every sell order
	// serves one buy order whole and n orders a side make n trades.
	tradeWh = 100
	// The user types of the two pairs: the first has a quota that nobody uses up,
	// the second one of 0, which verifies every order.
	fastType, fullType   = "household", "verified"
	fastQuota, fullQuota = "1000000/1000000000", "0/0"
)

// MeasureVerification runs a network of four nodes on which a pair of members
// makes 1 to Options.Periods trades in a period, and another pair the same on the
// full path, each number of trades in a period of its own (S4 3.1, figures 6 and
// 9). Binary, Dir, Periods, PeriodLength, Out and Progress of the options count.
func MeasureVerification(ctx context.Context, o Options) (v *Verification, err error) {
	most := o.Periods
	o.Validators, o.Periods, o.LossPPMPerKm = 4, 2*most, 0
	o.Mechanism = mechanismName(matchingv1.Mechanism_MECHANISM_AUCTION)
	o.Quotas = map[string]string{fastType: fastQuota, fullType: fullQuota}
	manifest := o.manifest(nil)
	manifest.ChainID, manifest.Params["max_orders_per_account"] = "energy-bench", int64(most)
	o.progress(0, o.Periods, "starting the network")
	network, err := o.network(ctx, manifest)
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	defer func() { err = errors.Join(err, network.Stop()) }()
	d, stop, err := newDriver(ctx, o, pairs(most), nil, 0, network)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := d.register(ctx); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	if err := d.chooseFirstPeriod(ctx); err != nil {
		return nil, err
	}
	return d.verifyAll(ctx)
}

// planned returns the trades and the path of the i-th run: the numbers in their
// order, each on the fast path first.
func planned(i int) (trades int, full bool) { return i/2 + 1, i%2 == 1 }

// pairs is the market of a measurement: a seller and a buyer of either path, whose
// meters count in interval i what the i-th run trades.
func pairs(most int) *Market {
	s := &Scenario{Interval: 15 * time.Minute}
	m := &Market{Scenario: s, Tariff: DefaultTariff}
	for p, name := range []string{"fast_seller", "fast_buyer", "full_seller", "full_buyer"} {
		full, sells := p/2 == 1, p%2 == 0
		participant := Participant{Member: Member{Name: name, Bus: name}, UserType: fastType}
		if full {
			participant.UserType = fullType
		}
		load, pv := make([]int64, 2*most), make([]int64, 2*most)
		for i := range load {
			trades, path := planned(i)
			switch {
			case path != full:
			case sells:
				pv[i] = int64(trades) * tradeWh
			default:
				load[i] = int64(trades) * tradeWh
			}
		}
		if sells {
			participant.Energy = Solar
		}
		s.LoadWh, s.PVWh = append(s.LoadWh, load), append(s.PVWh, pv)
		s.Members, m.Participants = append(s.Members, participant.Member), append(m.Participants, participant)
	}
	for p := range m.Participants {
		m.ratingsW = append(m.ratingsW, m.peakWatt(p))
	}
	return m
}

// verifyAll makes all runs, one after the other, while the meters are read.
func (d *driver) verifyAll(ctx context.Context) (*Verification, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() {
		if err := d.readAll(ctx); err != nil {
			cancel(err)
		}
	})
	v := &Verification{Runs: make([]VerificationRun, d.options.Periods)}
	firstBlock, begin := d.sender.Head(), time.Now()
	settled := make(chan error, len(v.Runs))
	for i := range v.Runs {
		run := &tradeRun{driver: d, period: d.periodOf(i), result: &v.Runs[i]}
		run.result.Trades, run.result.Full = planned(i)
		if err := run.trade(ctx); err != nil {
			cancel(err)
			return nil, fmt.Errorf("%d trades, %s: %w", run.result.Trades, run.result.path(), context.Cause(ctx))
		}
		wait.Go(func() { settled <- run.settle(ctx) })
		d.options.progress(i+1, len(v.Runs), "trading")
	}
	v.Blocks = d.sender.Head() - firstBlock
	v.BlockMs = time.Since(begin).Milliseconds() / max(v.Blocks, 1)
	for range v.Runs {
		if err := <-settled; err != nil {
			return nil, fmt.Errorf("settlement: %w", errors.Join(err, context.Cause(ctx)))
		}
	}
	return v, nil
}

// tradeRun is some trades of a pair in one period.
type tradeRun struct {
	*driver
	period int64
	begin  time.Time
	result *VerificationRun

	counting sync.Mutex // of result.Txs and Bytes
}

// trade takes the pair from the first transaction to the last confirmed match.
// Every run begins with the start of the period before its own, so that all have
// the same time until the gate.
func (r *tradeRun) trade(ctx context.Context) error {
	start := r.period - r.options.PeriodLength.Milliseconds()
	if err := r.clock.waitUntil(ctx, func(now int64) bool { return now >= start }); err != nil {
		return err
	}
	r.begin = time.Now()
	first := 0
	if r.result.Full {
		first = 2
	}
	pair := r.members[first : first+2]
	if r.result.Full {
		if err := r.stage(&r.result.ReauthoriseMs, func() error { return r.reauthorise(ctx, pair) }); err != nil {
			return fmt.Errorf("re-authorisation: %w", err)
		}
	}
	if err := r.stage(&r.result.OrderMs, func() error { return r.placeOrders(ctx, pair[0], pair[1]) }); err != nil {
		return fmt.Errorf("orders: %w (a period of %s may be too short for this machine)", err, r.options.PeriodLength)
	}
	if err := r.clock.waitUntil(ctx, func(int64) bool { return len(r.matches()) > 0 }); err != nil {
		return err
	}
	if r.result.Full {
		if err := r.stage(&r.result.SignMs, func() error { return r.sign(ctx, pair) }); err != nil {
			return fmt.Errorf("signatures: %w", err)
		}
	}
	if err := r.clock.waitUntil(ctx, func(int64) bool { return !r.waits() }); err != nil {
		return err
	}
	r.result.ConfirmedMs = time.Since(r.begin).Milliseconds()
	return r.check()
}

// stage measures fn.
func (r *tradeRun) stage(ms *int64, fn func() error) error {
	begin := time.Now()
	err := fn()
	*ms = time.Since(begin).Milliseconds()
	return err
}

// transact sends a message in a transaction of its own, waits for its block and counts
// it.
func (r *tradeRun) transact(ctx context.Context, key client.Key, msg proto.Message) error {
	sequence, err := r.sender.Sequence(ctx, key.Address())
	if err != nil {
		return err
	}
	expiry := r.sender.Head() + client.ExpiryBlocks
	tx, err := key.Sign(r.sender.ChainID, sequence, expiry, msg)
	if err != nil {
		return err
	}
	if _, err := r.sender.Send(ctx, tx, expiry); err != nil {
		return err
	}
	r.counting.Lock()
	defer r.counting.Unlock()
	r.result.Txs++
	r.result.Bytes += int64(len(tx))
	return nil
}

// reauthorise verifies both members in full: each asks, its home aggregator
// countersigns.
func (r *tradeRun) reauthorise(ctx context.Context, pair []*member) error {
	return each(len(pair), func(i int) error {
		if err := r.transact(ctx, pair[i].key, new(reputationv1.MsgReauthorise)); err != nil {
			return err
		}
		address := pair[i].address()
		return r.transact(ctx, r.aggregators[pair[i].gateway], &reputationv1.MsgCountersign{Account: address[:]})
	})
}

// placeOrders places a sell and a buy order for each trade, all at once.
func (r *tradeRun) placeOrders(ctx context.Context, seller, buyer *member) error {
	sell := orderMessage(Order{Sell: true, EnergyWh: tradeWh, Price: DefaultTariff.at(3), Standing: true}, seller.meter, r.period)
	wishes := Wishes{MaxLossPpm: 100_000, WantedType: Solar, Weights: Weights{Price: 1}}
	buy := orderMessage(Order{EnergyWh: tradeWh, Price: DefaultTariff.at(5), Standing: true, Wishes: wishes}, "", r.period)
	return each(2*r.result.Trades, func(i int) error {
		if i%2 == 0 {
			return r.transact(ctx, seller.key, sell)
		}
		return r.transact(ctx, buyer.key, buy)
	})
}

// sign confirms every pre-match by both sides, all at once.
func (r *tradeRun) sign(ctx context.Context, pair []*member) error {
	matches := r.takeUnsigned()
	return each(2*len(matches), func(i int) error {
		match := matches[i/2]
		return r.transact(ctx, pair[i%2].key, &matchingv1.MsgConfirm{Period: match.Period, Match: match.Id})
	})
}

// matches returns those of the first clearing of the run's period, none before it.
func (r *tradeRun) matches() []*matchingv1.Match {
	r.mu.Lock()
	defer r.mu.Unlock()
	market := r.trading[r.period]
	if market == nil || len(market.Clearings) == 0 {
		return nil
	}
	return market.Clearings[0].Matches
}

func (r *tradeRun) fate(match *matchingv1.Match) client.Fate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trading[r.period].Fates[string(match.Id)]
}

// waits says whether a match still waits for a signature.
func (r *tradeRun) waits() bool {
	return slices.ContainsFunc(r.matches(), func(match *matchingv1.Match) bool { return r.fate(match) == client.Waits })
}

// check refuses a run that did not go the way that it stands for: so many matches
// of whole orders, all confirmed, with coins held on the full path only.
func (r *tradeRun) check() error {
	matches := r.matches()
	if len(matches) != r.result.Trades {
		return fmt.Errorf("expected %d matches, got %d", r.result.Trades, len(matches))
	}
	for _, match := range matches {
		if fate := r.fate(match); fate != client.Confirmed || match.EnergyWh != tradeWh {
			return fmt.Errorf("expected every match of %d Wh and confirmed, got one of %d Wh that %s", tradeWh, match.EnergyWh, fate)
		}
		if (match.EscrowUcoin > 0) != r.result.Full || (match.SecurityUcoin > 0) != r.result.Full {
			return fmt.Errorf("expected coins of both sides held on the full path only, got %d and %d ucoin", match.EscrowUcoin, match.SecurityUcoin)
		}
		r.result.HeldUcoin += match.EscrowUcoin + match.SecurityUcoin
	}
	return nil
}

// settle waits until the period's statements are made.
func (r *tradeRun) settle(ctx context.Context) error {
	err := r.clock.waitUntil(ctx, func(int64) bool { return r.settledVersion(r.period) > 0 })
	r.result.SettledMs = time.Since(r.begin).Milliseconds()
	return err
}
