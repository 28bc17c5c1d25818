package app

import (
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/dispatch"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
	"github.com/energyd/energyd/x/settlement"
)

// modules lists every module, lower ones first: genesis runs in this order, so
// that each finds what it refers to.
func modules() []module.Module {
	return []module.Module{
		registry.New(),   // who there is and what rules; everything refers to it
		bank.New(),       // coins of those accounts
		grid.New(),       // where they are connected, and the upper grid's prices
		reputation.New(), // what is known of their conduct
		origin.New(),     // of what they may claim that it was made
		metering.New(),   // what they delivered and drew
		credit.New(),     // what banks lend to those who are short
		matching.New(),   // what they agreed
		settlement.New(), // what they owe for it
		dispatch.New(),   // what their devices are to do for it
	}
}

// hooks lists the modules with work at the end of a block, in the order of
// their work: registers first, then markets, then money; the registry last,
// since it sees the whole block.
func hooks(all []module.Module) []module.EndBlocker {
	order := []string{
		"metering",   // fixes boundary registers, which settlement waits for
		"matching",   // clears what closed; its matches may settle in the same block
		"settlement", // settles every period that is ready
		"dispatch",   // plans the books that became final in this block; nothing below waits for it
		"credit",     // judges loans that are due, prices the next period's with the capital that came back
		"registry",   // expires proposals, closes the block's freezes
	}
	found := make([]module.EndBlocker, 0, len(order))
	for _, name := range order {
		for _, m := range all {
			if hook, ok := m.(module.EndBlocker); ok && m.Name() == name {
				found = append(found, hook)
			}
		}
	}
	return found
}

// wire collects the modules' messages and queries and adds the application's
// own queries.
func (a *App) wire() {
	for _, m := range a.modules {
		for _, route := range m.Routes() {
			a.routes[route.Type] = route
		}
		for _, query := range m.Queries() {
			a.queries[query.Type] = query
		}
	}
	for _, query := range []module.Query{
		module.Answer(queryWindow),
		module.Answer(a.queryInvariants),
		module.Answer(a.queryOutcomes),
	} {
		a.queries[query.Type] = query
	}
}

// invariants returns the laws of all modules, in module order.
func (a *App) invariants() []module.Invariant {
	var all []module.Invariant
	for _, m := range a.modules {
		if checker, ok := m.(module.InvariantChecker); ok {
			all = append(all, checker.Invariants()...)
		}
	}
	return all
}

// CheckInvariants checks every law on a state; broken ones carry their reason.
func (a *App) CheckInvariants(r state.Reader) []*txv1.Invariant {
	var found []*txv1.Invariant
	for _, law := range a.invariants() {
		result := &txv1.Invariant{Name: law.Name}
		if err := law.Check(r); err != nil {
			result.Broken = err.Error()
		}
		found = append(found, result)
	}
	return found
}
