package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
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
