package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

func TestSetValidator(t *testing.T) {
	w := newWorld(t)
	set := func(name string, power int64) error {
		return w.authority(&registryv1.MsgSetValidator{Account: address(name), ValidatorPower: power})
	}
	w.must(set("agg1", 7))
	w.must(set("agg1", 0))
	changed := New().ValidatorUpdates(w.ctx)
	if len(changed) != 1 || changed[0].ValidatorPower != 0 {
		t.Errorf("validators: got %v, want one removal", changed)
	}
	w.refused(set("agg0", 0), ErrLastValidator)
	w.refused(w.authority(&registryv1.MsgRevoke{Account: address("agg0")}), ErrLastValidator)
	w.must(set("agg1", 3))
	w.must(set("agg0", 0))

	w.refused(set("agg0", -1), ErrInvalidField)
	w.refused(set("agg0", maxPower+1), ErrInvalidField)
	w.refused(set("alice", 1), ErrNotAggregator)
	w.refused(set("nobody", 1), ErrUnknownAccount)
}

// A pending aggregator is no validator that could remain.
func TestPendingAggregatorIsNotTheOther(t *testing.T) {
	w := newWorld(t)
	w.must(w.authority(&registryv1.MsgApply{Application: aggregator("agg2")}))
	w.must(w.authority(&registryv1.MsgSetValidator{Account: address("agg1")}))
	w.refused(w.authority(&registryv1.MsgSetValidator{Account: address("agg0")}), ErrLastValidator)
	w.refused(w.authority(&registryv1.MsgSetValidator{Account: address("agg2"), ValidatorPower: 1}), ErrWrongStatus)
}

func TestJail(t *testing.T) {
	w := newWorld(t)
	jail := func(name string) error { return Jail(w.ctx, protocol.Address(address(name))) }
	w.must(w.authority(&registryv1.MsgApply{Application: aggregator("agg2")}))
	if got := len(Validators(w.ctx.Store)); got != 2 {
		t.Fatalf("%d validators, want 2: a pending one is none", got)
	}
	w.must(jail("agg1"))
	w.must(jail("agg1"))
	if changed := New().ValidatorUpdates(w.ctx); len(changed) != 1 || changed[0].ValidatorPower != 0 {
		t.Errorf("validators: got %v, want one removal", changed)
	}
	w.must(jail("agg0"))
	if got := w.account("agg0").ValidatorPower; got != 10 {
		t.Errorf("the last validator has power %d, want 10", got)
	}
	w.refused(jail("agg2"), ErrWrongStatus)
	w.refused(jail("alice"), ErrNotAggregator)
	w.refused(jail("nobody"), ErrUnknownAccount)
}
