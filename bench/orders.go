package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

const (
	// gateMargin is how long before a gate members stop to order for it.
	gateMargin = time.Second
	// Every replaceEvery-th order of an account that has one in the period
	// replaces it: a cancel and an order in one envelope. That keeps the open
	// orders of a period, and the first ones of the next, below 5000.
	replaceEvery = 6
	// Energies of an order, Wh: at most three live ones of an account pass its
	// connection in a period.
	leastWh, mostWh = 100, 800
	// Prices between feed-in (250 000) and retail (600 000), ucoin per kWh.
	leastAsk, mostAsk = 300_000, 480_000
	leastBid, mostBid = 380_000, 560_000
)

// orders is what became of the orders that are measured.
type orders struct {
	all []*order
}

// order is one envelope with an order. Its fate is written once, under mu.
type order struct {
	intended time.Time

	mu       sync.Mutex
	answered time.Duration // until the node took or refused it
	latency  time.Duration // until the block with it was seen
	refused  *client.Rejected
	err      error
	done     bool
}

func newOrders(capacity int) *orders { return &orders{all: make([]*order, 0, capacity)} }

func (o *order) settle(fn func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fn()
}

func (o *order) isDone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

// wait returns when the fate of all orders is known, or when patience is over.
func (s *orders) wait(ctx context.Context, patience time.Duration) error {
	end := time.Now().Add(patience)
	for _, o := range s.all {
		for !o.isDone() && time.Now().Before(end) {
			if err := sleepUntil(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	return nil
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// order sends an order at each of the fixed times from begin to end. into, if
// not nil, gets them. A time that has passed is served at once, and its latency
// still counts from that time: a slow network cannot slow down the load.
func (l *load) order(ctx context.Context, begin, end time.Time, into *orders) error {
	step := time.Second / time.Duration(l.OrdersPerSecond)
	for at := begin; at.Before(end); at = at.Add(step) {
		if err := sleepUntil(ctx, at); err != nil {
			return err
		}
		account, msgs := l.next(at)
		account.sequence++
		o := &order{intended: at}
		if into != nil {
			into.all = append(into.all, o)
		}
		go l.send(ctx, account, account.sequence, o, msgs)
	}
	return nil
}

// send signs an envelope, which takes some 50 us of the load's own time, and
// gives it to the account's node.
func (l *load) send(ctx context.Context, a *account, sequence uint64, o *order, msgs []proto.Message) {
	tx, err := a.key.Sign(l.setup.ChainID, sequence, l.setup.Head()+client.ExpiryBlocks, msgs...)
	if err != nil {
		o.settle(func() { o.err, o.done = err, true })
		return
	}
	hash := protocol.TxHash(tx)
	l.watch.expect(hash, o)
	err = l.nodes[a.node].Broadcast(ctx, tx)
	var rejected *client.Rejected
	if errors.As(err, &rejected) {
		l.watch.forget(hash)
	}
	o.settle(func() {
		o.answered = time.Since(o.intended)
		if !o.done {
			o.refused, o.err, o.done = rejected, err, rejected != nil
		}
	})
}

// next is the order that the k-th sending time is for: the accounts take turns.
func (l *load) next(at time.Time) (*account, []proto.Message) {
	k := at.UnixMilli() * int64(l.OrdersPerSecond) / 1000
	a := l.accounts[k%int64(len(l.accounts))]
	// The first period whose gate is far enough away.
	period := at.Add(l.gateLead + gateMargin).Truncate(l.PeriodLength).Add(l.PeriodLength).UnixMilli()
	rng := rand.New(rand.NewPCG(l.Seed, uint64(k)))
	var msgs []proto.Message
	if a.period == period && rng.IntN(replaceEvery) == 0 {
		msgs = append(msgs, &matchingv1.MsgCancel{Period: period, Order: a.order})
		a.want(period, -a.orderWh)
	}
	id := protocol.MessageID(a.key.Public(), a.sequence+1, len(msgs))
	a.period, a.order, a.orderWh = period, id.Bytes(), leastWh+rng.Int64N(mostWh-leastWh)
	a.want(period, a.orderWh)
	return a, append(msgs, a.message(rng))
}

// want notes what the account will deliver or draw in a period.
func (a *account) want(period, energyWh int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ordered[period] += energyWh
}

// message is the account's latest order, with a standing consent.
func (a *account) message(rng *rand.Rand) proto.Message {
	consent := &matchingv1.Consent{Standing: true}
	if a.sells {
		return &matchingv1.MsgPlaceSell{
			Period: a.period, PriceUcoinPerKwh: leastAsk + rng.Int64N(mostAsk-leastAsk), EnergyWh: a.orderWh, Meter: a.meter, Consent: consent,
		}
	}
	weight := func() int64 { return rng.Int64N(1001) }
	environment, credit := int64(1), 50+rng.Int64N(51)
	return &matchingv1.MsgPlaceBuy{
		Period: a.period, PriceUcoinPerKwh: leastBid + rng.Int64N(mostBid-leastBid), EnergyWh: a.orderWh,
		WantedLossPpm: rng.Int64N(10_001), WantedEnvironment: &environment, WantedCredit: &credit,
		WantedEnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR,
		Weights: &matchingv1.Weights{
			Price: weight(), Energy: weight(), Environment: weight(), Credit: weight(), Loss: weight(), EnergyType: weight(),
		},
		Consent: consent,
	}
}
