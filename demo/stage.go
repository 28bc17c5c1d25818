package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/protocol"
)

// openBanks lets the home aggregators of a story's borrowers open credit banks,
// states the borrowers' demands, and gives the guarantee fund its coins.
func (d *driver) openBanks(ctx context.Context) error {
	p := d.plan
	if p.fund > 0 {
		err := d.propose(ctx, &bankv1.MsgRecharge{Account: protocol.GuaranteeAddress[:], AmountUcoin: p.fund, Reference: "demo guarantee fund"})
		if err != nil {
			return err
		}
	}
	open := make(map[int]bool)
	for _, n := range p.borrowers {
		m := d.members[n]
		bank := d.aggregators[m.gateway]
		home := bank.Address()
		if !open[m.gateway] {
			open[m.gateway] = true
			err := d.propose(ctx, &bankv1.MsgRecharge{Account: home[:], AmountUcoin: bankCoins, Reference: fmt.Sprintf("demo capital %d", m.gateway)})
			if err != nil {
				return err
			}
			err = d.send(ctx, bank,
				&creditv1.MsgSetBank{Terms: &creditv1.Terms{
					RateMinPpm: coinsMinRate, RateMaxPpm: coinsMaxRate, TermPeriods: coinsTerm, GracePeriods: coinsTerm,
				}},
				&creditv1.MsgFundBank{AmountUcoin: bankCoins})
			if err != nil {
				return err
			}
		}
		err := d.send(ctx, m.key, &creditv1.MsgStateDemand{Bank: home[:], AmountUcoin: demandCoins, RatePpm: coinsMinRate, NoneFromPpm: 50 * coinsMinRate})
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

// awaitCorrections holds the reports of the periods beside a wrong register back
// until it was corrected.
func (d *driver) awaitCorrections() {
	if d.plan == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.plan.misread {
		d.absent[d.periodOf(m.boundary-1)]++
		d.absent[d.periodOf(m.boundary)]++
	}
}

// correct sends the corrections that are due with the readings of a boundary.
func (d *driver) correct(ctx context.Context, boundary int) error {
	if d.plan == nil {
		return nil
	}
	for _, wrong := range d.plan.misread {
		if wrong.until != boundary {
			continue
		}
		m := d.members[wrong.participant]
		reading := &meteringv1.Reading{
			Meter: m.meter, TimeMs: d.periodOf(wrong.boundary), Version: 2, Quality: meteringv1.Quality_QUALITY_CORRECTED,
		}
		for i := range wrong.boundary {
			imported, exported := d.market.Meter(wrong.participant, d.first+i)
			reading.ImportWh += imported
			reading.ExportWh += exported
		}
		gateway := d.gateways[m.gateway]
		if err := gateway.SignReading(d.sender.ChainID, reading); err != nil {
			return err
		}
		msg := &meteringv1.MsgCorrectReadings{GatewayKey: gateway.Public(), Readings: []*meteringv1.Reading{reading}}
		if err := d.send(ctx, gateway, msg); err != nil {
			return err
		}
	}
	return nil
}

// rescue pays coins in for who needs them before a period's orders.
func (d *driver) rescue(ctx context.Context, period int) error {
	if d.plan == nil {
		return nil
	}
	for _, r := range d.plan.rescues {
		if r.period != period {
			continue
		}
		m := d.members[r.participant]
		address := m.address()
		err := d.propose(ctx, &bankv1.MsgRecharge{Account: address[:], AmountUcoin: r.ucoin, Reference: fmt.Sprintf("demo rescue of %s %d", m.Name, period)})
		if err != nil {
			return err
		}
	}
	return nil
}

// refused takes an order's refusal down, if the story is about its sender.
func (d *driver) refused(participant, period int, rejected *client.Rejected) bool {
	if !d.plan.isCast(participant) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.chronicle.refusals = append(d.chronicle.refusals, refusal{participant, period, rejected.Log})
	return true
}

// beforeStart is how long before the period's start an outage begins: its matches
// are confirmed by then, the orders of the next one are in their book.
const beforeStart = 400 * time.Millisecond

// standStill stops all nodes for the story's outage. Meanwhile no block tells the
// time: this machine's clock does, by which the nodes will stamp their blocks.
func (d *driver) standStill(ctx context.Context) error {
	down := d.plan.down
	at := d.periodOf(down.from) - beforeStart.Milliseconds()
	if err := d.clock.waitUntil(ctx, func(now int64) bool { return now >= at }); err != nil {
		return err
	}
	d.outage.Lock()
	defer d.outage.Unlock()
	height := d.sender.Head()
	header, err := proof.FetchHeader(ctx, d.sender.Client, height)
	if err != nil {
		return err
	}
	nodes := d.network.Nodes()
	if err := each(len(nodes), d.network.Shutdown); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	fmt.Fprintf(d.options.Out, "All %d nodes are stopped.\n", len(nodes))
	select {
	case <-time.After(time.Until(time.UnixMilli(d.periodOf(down.until)))):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := each(len(nodes), func(i int) error { return d.network.Restart(ctx, i) }); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	for _, node := range d.network.Nodes() {
		fmt.Fprintf(d.options.Out, "%s runs again: process %d\n", node.Name, node.PID)
	}
	// The clock moves with the first block after: then all nodes answer.
	if err := d.nextBlock(ctx); err != nil {
		return err
	}
	return d.keptBlocks(ctx, height, header.Signed.Hash())
}

// keptBlocks notes nodes whose block at a height is not the one of that hash.
func (d *driver) keptBlocks(ctx context.Context, height int64, hash []byte) error {
	for i, url := range d.network.Addresses() {
		node, err := client.New(url)
		if err != nil {
			return err
		}
		header, err := proof.FetchHeader(ctx, node, height)
		if err != nil {
			return fmt.Errorf("node%d: %w", i, err)
		}
		if !bytes.Equal(header.Signed.Hash(), hash) {
			d.mu.Lock()
			d.chronicle.lost = append(d.chronicle.lost, fmt.Sprintf("node%d has another block at height %d", i, height))
			d.mu.Unlock()
		}
	}
	return nil
}

// tell tells the story of the run, once it is over.
func (d *driver) tell() error {
	if d.plan == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &d.chronicle
	c.firstPeriod, c.length, c.of = d.firstPeriod, d.options.PeriodLength.Milliseconds(), make(map[string]int)
	for n, m := range d.members {
		address := m.address()
		c.of[string(address[:])] = n
	}
	if len(c.moments) == 0 {
		return errors.New("no block was seen")
	}
	d.report.Story = tellStory(c, d.plan, d.options.Periods)
	PrintStory(d.options.Out, d.report.Story)
	return nil
}

// write adds a block to the chronicle.
func (c *chronicle) write(block *client.Block, events []proto.Message) {
	c.moments = append(c.moments, moment{height: block.Height, timeMs: block.TimeMs, txs: len(block.Txs), events: events})
}
