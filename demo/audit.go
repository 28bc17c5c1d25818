package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/units"
)

// audit ends a run: the counts, the invariants, one root on all nodes, and one
// bill verified by proof (and refused with one digit changed).
func (d *driver) audit(ctx context.Context) error {
	// The last period must be in a state whose hash a header already holds, on
	// every node.
	for range 3 {
		if err := d.nextBlock(ctx); err != nil {
			return err
		}
	}
	d.report.LatencyMs = Latency{P50: d.quantile(50), P95: d.quantile(95)}
	d.mu.Lock()
	d.report.Blocks, d.report.Txs, d.report.MissedGates = d.blocks, d.txs, int64(len(d.missed))
	d.mu.Unlock()
	laws := new(txv1.QueryInvariantsResponse)
	if _, err := d.sender.Query(ctx, &txv1.QueryInvariantsRequest{}, laws, 0); err != nil {
		return err
	}
	d.report.Invariants = make(map[string]bool)
	for _, law := range laws.Invariants {
		d.report.Invariants[law.Name] = law.Broken == ""
	}
	if err := d.compareNodes(ctx); err != nil {
		return err
	}
	if err := d.checkBill(ctx); err != nil {
		return err
	}
	d.printAudit()
	return nil
}

// compareNodes asks every node for the root that it stored at one height, and
// compares them with the header after it.
func (d *driver) compareNodes(ctx context.Context) error {
	height := d.sender.Head() - 1
	d.report.AppHashHeight, d.report.AppHashes = height, make(map[string]string)
	next, err := proof.FetchHeader(ctx, d.sender.Client, height+1)
	if err != nil {
		return err
	}
	for i, url := range d.network.Addresses() {
		node, err := client.New(url)
		if err != nil {
			return err
		}
		root, err := d.rootOf(ctx, node, height)
		if err != nil {
			return fmt.Errorf("node%d: %w", i, err)
		}
		if !bytes.Equal(root, next.Signed.AppHash) {
			return fmt.Errorf("node%d stored the root %X at height %d, header %d says %X", i, root, height, height+1, next.Signed.AppHash)
		}
		d.report.AppHashes[fmt.Sprintf("node%d", i)] = hex.EncodeToString(root)
	}
	return nil
}

// rootOf asks one node, which may just be restarting or catching up.
func (d *driver) rootOf(ctx context.Context, node *client.Client, height int64) (root []byte, err error) {
	for range 60 {
		answer, queryErr := node.RawQuery(ctx, "/root", nil, height)
		if queryErr == nil {
			return answer.Value, nil
		}
		err = queryErr
		if waitErr := d.nextBlock(ctx); waitErr != nil {
			return nil, waitErr
		}
	}
	return nil, err
}

func (d *driver) nextBlock(ctx context.Context) error {
	_, moved := d.clock.now()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkBill takes the bill of the member whom the story is about, else of the one
// who traded most, trusts only a header
// hash got from the last node, and verifies it offline. Then it changes one
// digit of the file, which must not verify.
func (d *driver) checkBill(ctx context.Context) error {
	m := d.busiest()
	bill, err := proof.FetchBill(ctx, d.sender.Client, d.sender.ChainID, m.address(), d.periodOf(0), d.periodOf(d.options.Periods-1), true)
	if err != nil {
		return fmt.Errorf("bill: %w", err)
	}
	if len(bill.Sections) != d.options.Periods {
		return fmt.Errorf("bill of %s: expected %d periods, got %d", m.Name, d.options.Periods, len(bill.Sections))
	}
	file, err := json.Marshal(bill)
	if err != nil {
		return fmt.Errorf("bill: %w", err)
	}
	urls := d.network.Addresses()
	last := len(urls) - 1
	witness, err := client.New(urls[last])
	if err != nil {
		return err
	}
	header, err := proof.FetchHeader(ctx, witness, bill.Height+1)
	if err != nil {
		return err
	}
	trusted := &proof.Trusted{Height: bill.Height + 1, Hash: header.Signed.Hash()}
	if err := verifyBill(file, trusted); err != nil {
		return fmt.Errorf("bill of %s: %w", m.Name, err)
	}
	forged := bytes.Replace(file, []byte(`"import_wh":`), []byte(`"import_wh":1`), 1)
	if verifyBill(forged, trusted) == nil {
		return errors.New("bill: one with a changed digit verified")
	}
	fmt.Fprintf(d.options.Out, "Bill of %s over %d periods (%s saved): verified offline by proof against header %d of %s; with one digit changed it is refused.\n",
		m.Name, len(bill.Sections), units.FormatCoins(bill.Totals.SavedUcoin), trusted.Height, d.network.Nodes()[last].Name)
	return nil
}

func verifyBill(file []byte, trusted *proof.Trusted) error {
	bill, err := proof.ParseBill(file)
	if err != nil {
		return err
	}
	return bill.Verify(trusted)
}

// busiest returns the first one of the story's cast, or the member that bought
// and sold most.
func (d *driver) busiest() *member {
	if d.plan != nil && len(d.plan.cast) > 0 {
		return d.members[d.plan.cast[0].participant]
	}
	best := 0
	for i, row := range d.report.Totals.Members {
		if most := d.report.Totals.Members[best]; row.BoughtWh+row.SoldWh > most.BoughtWh+most.SoldWh {
			best = i
		}
	}
	return d.members[best]
}

func (d *driver) printAudit() {
	r, out := d.report, d.options.Out
	broken := 0
	for _, holds := range r.Invariants {
		if !holds {
			broken++
		}
	}
	fmt.Fprintf(out, "%d invariants checked, %d broken. %d blocks, %d transactions, commit latency p50 %d ms, p95 %d ms, %d missed gates.\n",
		len(r.Invariants), broken, r.Blocks, r.Txs, r.LatencyMs.P50, r.LatencyMs.P95, r.MissedGates)
	nodes := "nodes"
	if len(r.AppHashes) == 1 {
		nodes = "node"
	}
	fmt.Fprintf(out, "One app hash on %d %s at height %d: %s\n", len(r.AppHashes), nodes, r.AppHashHeight, r.AppHashes["node0"])
}
