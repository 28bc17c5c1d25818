package metering

import (
	"testing"

	"pgregory.net/rapid"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

// TestEnergyIsConserved plays random readings, shuffled within their blocks,
// sent twice and with swaps between them: whatever the boundaries are drawn
// from, the energies of all periods sum to the registers between the first
// boundary and the last, exactly, and none is negative.
func TestEnergyIsConserved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newChain(r)
		device := drawDevice(r)
		var fromImport, fromExport, first int64
		for block := range rapid.IntRange(1, 8).Draw(r, "blocks") {
			batch := device.drawBatch(r)
			for _, at := range rapid.Permutation(seq(len(batch))).Draw(r, "order") {
				c.submit(batch[at])
			}
			if rapid.Bool().Draw(r, "again") {
				c.same(batch...)
			}
			// A little at a time sometimes, the rest in the next block.
			fixDue(c.Ctx, rapid.SampledFrom([]int{1, 2, MaxBoundaries}).Draw(r, "work"))
			c.check()
			if rapid.IntRange(0, 3).Draw(r, "swap") == 0 {
				c.swap(device.drawSwap(r))
			}
			if first == 0 {
				first, fromImport, fromExport = firstBoundary(c)
			}
			c.Height = int64(block) + 2
		}
		c.endBlock()
		for len(dueMeters(c.Store)) > 0 {
			c.endBlock()
		}
		known := c.meterState("a1")
		if first == 0 {
			first, fromImport, fromExport = firstBoundary(c)
		}
		var periods, imported, exported int64
		for energy := range Ready(c.Store) {
			if energy.Period != first+periods*periodMs {
				r.Fatalf("period %d: expected one for each length, got %v", periods, energy)
			}
			periods++
			imported += energy.ImportWh
			exported += energy.ExportWh
		}
		if known.FixedUntil == 0 {
			if periods != 0 {
				r.Fatalf("%d periods without a boundary", periods)
			}
			return
		}
		if known.FixedUntil != first+periods*periodMs {
			r.Fatalf("expected %d periods from %d to %d", periods, first, known.FixedUntil)
		}
		if imported != known.ImportWh-fromImport || exported != known.ExportWh-fromExport {
			r.Fatalf("expected %d and %d Wh, got %d and %d", known.ImportWh-fromImport, known.ExportWh-fromExport, imported, exported)
		}
		newest := openLedger(c.Store, "a1").newest()
		if got := running(newest); got.importWh != device.importWh || got.exportWh != device.exportWh {
			r.Fatalf("expected running registers %d and %d, got %v", device.importWh, device.exportWh, got)
		}
	})
}

func firstBoundary(c *chain) (at, importWh, exportWh int64) {
	for _, event := range c.events {
		if fixed, ok := event.(*meteringv1.BoundaryFixed); ok {
			return fixed.TimeMs, fixed.ImportWh, fixed.ExportWh
		}
	}
	return 0, 0, 0
}

// device counts energy on; its registers are the running ones less an offset.
type device struct {
	sequence                   uint64
	after                      int64
	importWh, exportWh         int64
	importOffset, exportOffset int64
}

func drawDevice(r *rapid.T) *device {
	offset := rapid.Int64Range(-1_000_000, 0)
	d := &device{after: rapid.Int64Range(-2*periodMs, periodMs).Draw(r, "first")}
	// The first device may have counted before anybody read it.
	d.importWh, d.exportWh = -offset.Draw(r, "before"), -offset.Draw(r, "before")
	return d
}

// advance lets time pass and energy flow, at most 10 kW.
func (d *device) advance(r *rapid.T) {
	elapsed := rapid.SampledFrom([]int64{1, 1000, minute, 7 * minute, periodMs - 1, periodMs, 3*periodMs + 17}).Draw(r, "elapsed")
	if rapid.Bool().Draw(r, "align") {
		elapsed = periodMs - (d.after%periodMs+periodMs)%periodMs
	}
	limit := 10_000 * elapsed / 3_600_000
	d.after += elapsed
	d.importWh += rapid.Int64Range(0, limit).Draw(r, "import")
	d.exportWh += rapid.Int64Range(0, limit).Draw(r, "export")
}

func (d *device) drawBatch(r *rapid.T) []*meteringv1.Reading {
	var batch []*meteringv1.Reading
	for range rapid.IntRange(1, 6).Draw(r, "readings") {
		d.advance(r)
		d.sequence += rapid.Uint64Range(1, 3).Draw(r, "gap")
		next := reading(d.sequence, d.after, d.importWh-d.importOffset, d.exportWh-d.exportOffset)
		next.Quality = meteringv1.Quality(rapid.IntRange(1, 4).Draw(r, "quality"))
		batch = append(batch, next)
	}
	return batch
}

func (d *device) drawSwap(r *rapid.T) *meteringv1.MsgSwapMeter {
	d.advance(r)
	initial := rapid.Int64Range(0, 50_000)
	importWh, exportWh := initial.Draw(r, "initial"), initial.Draw(r, "initial")
	msg := swap(d.after, d.importWh-d.importOffset, d.exportWh-d.exportOffset, importWh, exportWh)
	d.importOffset, d.exportOffset = d.importWh-importWh, d.exportWh-exportWh
	return msg
}

func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
