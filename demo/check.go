package demo

import (
	"fmt"
	"maps"
	"slices"

	"github.com/energyd/energyd/units"
)

// Check verifies the laws every run must obey and returns a line for each
// violation: none for a sound report.
//
//   - energy: sold = bought + loss; a member's import = bought + from grid and
//     export = sold + to grid; sold is at most what was matched
//   - the grid: what it sold less what it bought is the sum of the members'
//     residuals, plus what it delivered in place of sellers whose readings
//     never came (counted in sold, in no member's row)
//   - money: what members, grid and guarantee fund paid = what they received +
//     fees. A member's paid includes its fees; the grid's paid went to members, its
//     received came from them
//   - periods follow one another without a gap; totals are their sums
//   - clearing the periods' books again by the mechanism that ran gives what the
//     chain made of them
//   - what is on chain is what meters show that were read over Modbus, and all of
//     their readings are
//   - the laws of the story, if the run had a disturbance
//   - nodes agree on the app hash; the chain's own invariants hold
func (r *Report) Check() []string {
	c := new(checker)
	for i, p := range r.Periods {
		where := fmt.Sprintf("period %d (%s)", p.Period, p.LocalTime)
		c.sums(where, p.Sums)
		c.rows(where, p.Members)
		if i > 0 {
			step := p.Period - r.Periods[i-1].Period
			c.require(step > 0 && step == r.Periods[1].Period-r.Periods[0].Period,
				"%s: expected to follow the one before by the period length, got %d ms", where, step)
		}
	}
	c.sums("totals", r.Totals)
	c.totals(r)
	c.comparison(r)
	r.Meters.check(c)
	r.Story.check(c)
	c.nodes(r)
	return c.violations
}

type checker struct{ violations []string }

func (c *checker) require(ok bool, format string, args ...any) {
	if !ok {
		c.violations = append(c.violations, fmt.Sprintf(format, args...))
	}
}

// equal names both sides of a law and their values.
func (c *checker) equal(where, left string, l int64, right string, r int64) {
	c.require(l == r, "%s: expected %s = %s, got %d and %d", where, left, right, l, r)
}

// sums checks the laws of a period's, or the total, quantities.
func (c *checker) sums(where string, s Sums) {
	var m Row // sums over the members
	for _, row := range s.Members {
		m.add(row)
	}
	c.equal(where, "sold_wh", s.SoldWh, "bought_wh + loss_wh", s.BoughtWh+s.LossWh)
	c.equal(where, "bought_wh", s.BoughtWh, "sum of members' bought_wh", m.BoughtWh)
	c.require(m.SoldWh <= s.SoldWh, "%s: expected sum of members' sold_wh <= sold_wh, got %d and %d", where, m.SoldWh, s.SoldWh)
	c.require(s.SoldWh <= s.MatchedWh, "%s: expected sold_wh <= matched_wh, got %d and %d", where, s.SoldWh, s.MatchedWh)
	c.equal(where, "grid.sold_wh - grid.bought_wh", s.Grid.SoldWh-s.Grid.BoughtWh,
		"sum of members' grid_import_wh - grid_export_wh + sold_wh of no member",
		m.GridImportWh-m.GridExportWh+s.SoldWh-m.SoldWh)
	c.equal(where, "sum of paid with the grid's and the fund's", m.Paid+s.Grid.Paid+s.Fund.Paid,
		"sum of received with the grid's and the fund's + fees", m.Received+s.Grid.Received+s.Fund.Received+s.Fees)
	c.require(s.CleanPpm >= 0 && s.CleanPpm <= units.PPM, "%s: expected clean_ppm within 0..1000000, got %d", where, s.CleanPpm)
	c.require(s.SoldWh != 0 || s.CleanPpm == 0 && s.MeanPrice == 0,
		"%s: expected clean_ppm and mean_price 0 where nothing is sold, got %d and %d", where, s.CleanPpm, s.MeanPrice)
	for _, v := range []struct {
		name string
		v    int64
	}{
		{"orders", s.Orders}, {"bought_wh", s.BoughtWh}, {"loss_wh", s.LossWh}, {"mean_price", s.MeanPrice},
	} {
		c.require(v.v >= 0, "%s: expected %s >= 0, got %d", where, v.name, v.v)
	}
	for _, row := range s.Members {
		at := where + " member " + row.Member
		c.equal(at, "import_wh", row.ImportWh, "bought_wh + grid_import_wh", row.BoughtWh+row.GridImportWh)
		c.equal(at, "export_wh", row.ExportWh, "sold_wh + grid_export_wh", row.SoldWh+row.GridExportWh)
		for _, v := range []struct {
			name string
			v    int64
		}{
			{"import_wh", row.ImportWh},
			{"export_wh", row.ExportWh},
			{"bought_wh", row.BoughtWh},
			{"sold_wh", row.SoldWh},
			{"paid", row.Paid},
			{"received", row.Received},
			{"debt", row.Debt},
			{"balance", row.Balance},
		} {
			c.require(v.v >= 0, "%s: expected %s >= 0, got %d", at, v.name, v.v)
		}
	}
}

// rows checks that a period names each member once.
func (c *checker) rows(where string, rows []Row) {
	seen := make(map[string]bool, len(rows))
	for _, row := range rows {
		c.require(!seen[row.Member], "%s: expected member %s once", where, row.Member)
		seen[row.Member] = true
	}
}

// totals checks that the totals are the sums over the periods. (The shares
// cannot be recomputed from rounded ones.)
func (c *checker) totals(r *Report) {
	var sum Sums
	for _, p := range r.Periods {
		sum.add(p.Sums)
	}
	for _, v := range []struct {
		name      string
		got, want int64
	}{
		{"orders", r.Totals.Orders, sum.Orders},
		{"matched_wh", r.Totals.MatchedWh, sum.MatchedWh},
		{"sold_wh", r.Totals.SoldWh, sum.SoldWh},
		{"bought_wh", r.Totals.BoughtWh, sum.BoughtWh},
		{"loss_wh", r.Totals.LossWh, sum.LossWh},
		{"grid.bought_wh", r.Totals.Grid.BoughtWh, sum.Grid.BoughtWh},
		{"grid.sold_wh", r.Totals.Grid.SoldWh, sum.Grid.SoldWh},
		{"grid.paid", r.Totals.Grid.Paid, sum.Grid.Paid},
		{"grid.received", r.Totals.Grid.Received, sum.Grid.Received},
		{"fund.paid", r.Totals.Fund.Paid, sum.Fund.Paid},
		{"fund.received", r.Totals.Fund.Received, sum.Fund.Received},
		{"fees", r.Totals.Fees, sum.Fees},
	} {
		c.equal("totals", v.name, v.got, "sum over the periods", v.want)
	}
	total := make(map[string]Row, len(r.Totals.Members))
	for _, row := range r.Totals.Members {
		total[row.Member] = row
	}
	c.rows("totals", r.Totals.Members)
	c.equal("totals", "number of members", int64(len(r.Totals.Members)), "that of the periods", int64(len(sum.Members)))
	for _, row := range sum.Members {
		c.require(total[row.Member] == row, "totals: expected member %s to be the sum over the periods %+v, got %+v",
			row.Member, row, total[row.Member])
	}
}

// comparison checks the row of the mechanism that ran.
func (c *checker) comparison(r *Report) {
	if again := r.Comparison[r.Mechanism]; again != r.Cleared {
		c.require(false, "comparison: expected clearing by %s to come to what the chain made of the books, %+v, got %+v", r.Mechanism, r.Cleared, again)
	}
}

// nodes checks what the nodes say of themselves. Maps are walked in the order
// of their keys, so that violations are.
func (c *checker) nodes(r *Report) {
	var first string
	for _, node := range slices.Sorted(maps.Keys(r.AppHashes)) {
		if first == "" {
			first = node
		}
		c.require(r.AppHashes[node] != "", "app hash of %s: expected a hash, got none", node)
		c.require(r.AppHashes[node] == r.AppHashes[first], "app hash at height %d: expected that of %s (%s) on %s, got %s",
			r.AppHashHeight, first, r.AppHashes[first], node, r.AppHashes[node])
	}
	c.require(first != "", "app hashes: expected one of each node, got none")
	for _, name := range slices.Sorted(maps.Keys(r.Invariants)) {
		c.require(r.Invariants[name], "invariant %s: expected to hold", name)
	}
	c.require(r.LatencyMs.P50 >= 0 && r.LatencyMs.P50 <= r.LatencyMs.P95,
		"latency: expected 0 <= p50 <= p95, got %d and %d ms", r.LatencyMs.P50, r.LatencyMs.P95)
}
