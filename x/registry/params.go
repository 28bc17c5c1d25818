package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/state"
)

// ChainOf returns what genesis fixed for ever. Without genesis there is no
// chain: that is a bug of the caller, and it panics.
func ChainOf(r state.Reader) *registryv1.Chain {
	found, ok := chain.Get(r)
	if !ok {
		panic("registry: no genesis")
	}
	return found
}

// PeriodOf returns the start of the period that contains the time, both in
// Unix milliseconds >= 0.
func PeriodOf(r state.Reader, timeMs int64) int64 {
	return timeMs - timeMs%ChainOf(r).PeriodLengthMs
}

// paramsKey orders entries by first period, newest first, so that the entry
// which rules a period is the first one at or after the key of that period.
func paramsKey(period int64) state.Key { return params.Key().Int64(-period) }

// ParamsAt returns the parameters that rule a period: its orders, clearing and
// settlement, however late.
func ParamsAt(r state.Reader, period int64) *registryv1.Params {
	return entryAt(r, period).Params
}

// ParamsNow returns the parameters of the period that contains the time: those
// of admission and of everything without a period of its own.
func ParamsNow(r state.Reader, timeMs int64) *registryv1.Params {
	return ParamsAt(r, PeriodOf(r, timeMs))
}

func entryAt(r state.Reader, period int64) *registryv1.ParamsEntry {
	for _, entry := range params.From(r, params.Key(), paramsKey(max(period, 0))) {
		return entry
	}
	panic("registry: no genesis")
}

// GateOf returns the gate of a period in Unix milliseconds: orders for it end
// there (SPEC 5).
func GateOf(p *registryv1.Params, period int64) int64 { return period - p.GateLeadMs }

// LastPassedGate returns the last period whose gate may have passed at a time, by the
// longest gate_lead that rules from then on: where one gives way to another, gates are
// not in the order of their periods.
func LastPassedGate(r state.Reader, timeMs int64) int64 {
	present := entryAt(r, PeriodOf(r, timeMs))
	longest := present.Params.GateLeadMs
	for _, entry := range params.All(r, params.Key()) { // newest first
		if entry.FromPeriod == present.FromPeriod {
			break
		}
		longest = max(longest, entry.Params.GateLeadMs)
	}
	return PeriodOf(r, timeMs+longest)
}

// FirstUnopened returns the first period such that neither it nor a later one
// takes orders yet: from it on new parameters and tariffs rule. Orders for p
// open at p - gate_lead - order_horizon, by the parameters that rule p.
func FirstUnopened(r state.Reader, timeMs int64) int64 {
	length := ChainOf(r).PeriodLengthMs
	present := entryAt(r, PeriodOf(r, timeMs))
	first := PeriodOf(r, timeMs)
	// Newest first: every set of parameters from the present one on may have
	// opened periods, up to the first one that the next set rules.
	end := int64(-1)
	for _, entry := range params.All(r, params.Key()) {
		next := firstUnopenedBy(entry.Params, timeMs, length)
		if end >= 0 {
			next = min(next, end)
		}
		if next > entry.FromPeriod {
			first = max(first, next)
		}
		if entry.FromPeriod == present.FromPeriod {
			break
		}
		end = entry.FromPeriod
	}
	return first
}

// firstUnopenedBy returns the first period that would take no orders yet if
// these parameters ruled it.
func firstUnopenedBy(p *registryv1.Params, timeMs, length int64) int64 {
	opened := timeMs + p.GateLeadMs + p.OrderHorizonMs
	return opened - opened%length + length
}
