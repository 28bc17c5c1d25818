package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/energyd/energyd/units"
)

// Report is what a run measured.
type Report struct {
	Machine Machine `json:"machine"`
	Options Options `json:"-"`
	// Sent orders; those that a block holds with code 0; those refused; those
	// whose fate was not known in the end.
	Sent      int       `json:"sent"`
	Committed int       `json:"committed"`
	Refused   []Refusal `json:"refused"`
	Lost      int       `json:"lost"`
	// LostAfter is what the sender of a lost order was told, if anything.
	LostAfter string `json:"lost_after,omitempty"`
	// Rate of Committed, per second of the measured time.
	Rate float64 `json:"committed_per_second"`
	// Latency of committed orders, from the time at which each should have been
	// sent until a client had seen its result in a block. Answered is the time
	// until the node took it.
	Latency  Quantiles `json:"latency_ms"`
	Answered Quantiles `json:"answered_ms"`
	// Interval between blocks as the client saw them.
	Interval Quantiles `json:"block_interval_ms"`
	Chain    Chain     `json:"chain"`
	// Processes: memory at the end, CPU time used in the measured time. The
	// load generator and all else on the machine come last.
	Processes []Usage `json:"processes"`
}

// Refusal counts the orders refused with one code.
type Refusal struct {
	Code  string `json:"code"`
	Count int    `json:"count"`
	// Example is the text of one.
	Example string `json:"example"`
}

// Quantiles of durations, in ms.
type Quantiles struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
	P99 int64 `json:"p99"`
	Max int64 `json:"max"`
}

func quantiles(all []time.Duration) Quantiles {
	if len(all) == 0 {
		return Quantiles{}
	}
	slices.Sort(all)
	// The least value that at least p per cent do not exceed.
	at := func(p int) int64 { return all[(len(all)*p+99)/100-1].Milliseconds() }
	return Quantiles{P50: at(50), P95: at(95), P99: at(99), Max: at(100)}
}

func (l *load) report(sent *orders, before, after []Usage) *Report {
	r := &Report{Sent: len(sent.all)}
	var latencies, answers []time.Duration
	refused := make(map[string]*Refusal)
	for _, o := range sent.all {
		o.mu.Lock()
		switch {
		case !o.done:
			r.Lost++
			if o.err != nil {
				r.LostAfter = o.err.Error()
			}
		case o.err != nil || o.refused != nil:
			r.refuse(refused, o)
		default:
			r.Committed++
			latencies = append(latencies, o.latency)
		}
		answers = append(answers, o.answered)
		o.mu.Unlock()
	}
	slices.SortFunc(r.Refused, func(a, b Refusal) int { return cmp.Compare(a.Code, b.Code) })
	for i, found := range r.Refused {
		r.Refused[i] = *refused[found.Code]
	}
	r.Rate = float64(r.Committed) / l.Duration.Seconds()
	r.Latency, r.Answered = quantiles(latencies), quantiles(answers)
	l.watch.mu.Lock()
	r.Chain = l.watch.seen
	l.watch.mu.Unlock()
	r.Interval = quantiles(r.Chain.intervals)
	for i, u := range after {
		// The system counts processes finer than the whole: "others" may come
		// out below 0.
		u.CPU = max(0, u.CPU-before[i].CPU)
		r.Processes = append(r.Processes, u)
	}
	return r
}

// refuse counts an order that was refused; Refused gets one line for a code.
func (r *Report) refuse(byCode map[string]*Refusal, o *order) {
	code, example := "not sent", fmt.Sprint(o.err)
	if o.refused != nil {
		code, example = fmt.Sprintf("%s/%d", o.refused.Codespace, o.refused.Code), o.refused.Log
	}
	if byCode[code] == nil {
		byCode[code] = &Refusal{Code: code, Example: example}
		r.Refused = append(r.Refused, Refusal{Code: code})
	}
	byCode[code].Count++
}

// PeakRSS is the greatest memory of any validator, in MB.
func (r *Report) PeakRSS() int64 {
	var peak int64
	for _, u := range r.Processes[:len(r.Processes)-2] {
		peak = max(peak, u.PeakRSS)
	}
	return peak
}

// JSON returns the report as JSON.
func (r *Report) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// String returns the report as a table for people.
func (r *Report) String() string {
	var out strings.Builder
	o := r.Options
	fmt.Fprintf(&out, "machine      %s, %d cores, %s, %s, load before %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, r.Machine.Load)
	fmt.Fprintf(&out, "network      %d processes, timeout_commit %s, periods of %s, %d accounts, at most %d open orders\n",
		o.Validators, o.TimeoutCommit, o.PeriodLength, o.Accounts, o.MaxOpenOrders)
	fmt.Fprintf(&out, "orders       %d sent in %s (%d/s), %d committed with code 0 (%.1f/s), %d lost\n",
		r.Sent, o.Duration, o.OrdersPerSecond, r.Committed, r.Rate, r.Lost)
	if r.LostAfter != "" {
		fmt.Fprintf(&out, "lost         after %s\n", r.LostAfter)
	}
	for _, refusal := range r.Refused {
		fmt.Fprintf(&out, "refused      %d with %s: %s\n", refusal.Count, refusal.Code, refusal.Example)
	}
	for _, line := range []struct {
		name string
		q    Quantiles
	}{{"latency", r.Latency}, {"answered", r.Answered}, {"interval", r.Interval}} {
		fmt.Fprintf(&out, "%-12s p50 %d ms, p95 %d ms, p99 %d ms, max %d ms\n", line.name, line.q.P50, line.q.P95, line.q.P99, line.q.Max)
	}
	c := r.Chain
	fmt.Fprintf(&out, "blocks       %d, %d transactions, at most %d in one\n", c.Blocks, c.Txs, c.MostTxs)
	fmt.Fprintf(&out, "market       %d periods cleared (%d missed), greatest book %d orders, matched %s, %d periods settled, sold %s\n",
		c.Cleared, c.Missed, c.MostOrders, units.FormatKWh(c.MatchedWh), c.Settled, units.FormatKWh(c.SettledWh))
	for _, u := range r.Processes {
		if u.RSS == 0 {
			fmt.Fprintf(&out, "%-12s CPU %.1f s\n", u.Name, u.CPU.Seconds())
			continue
		}
		fmt.Fprintf(&out, "%-12s RSS %d MB, peak %d MB, CPU %.1f s\n", u.Name, u.RSS, u.PeakRSS, u.CPU.Seconds())
	}
	return out.String()
}
