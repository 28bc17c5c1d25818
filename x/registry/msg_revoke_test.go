package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
)

// Keys, meters and consensus keys of a revoked account never come back.
func TestRevokedNeverComesBack(t *testing.T) {
	w := newWorld(t)
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("alice"), Reason: "moved"}))
	owner, ok := OwnerOf(w.ctx.Store, key("alice"))
	if !ok || !owner.Removed {
		t.Errorf("key: got %v, want a tombstone", owner)
	}
	w.refused(w.by("agg0", &registryv1.MsgApply{Application: prosumer("alice")}), ErrAccountExists)
	second := prosumer("bob")
	second.Keys = append(second.Keys, key("alice"))
	w.refused(w.by("agg0", &registryv1.MsgApply{Application: second}), ErrKeyTaken)
	w.refused(w.by("agg0", &registryv1.MsgApply{
		Application: prosumer("bob"), Meters: []*registryv1.Meter{solarMeter("m0")},
	}), ErrMeterTaken)

	w.must(w.authority(&registryv1.MsgRevoke{Account: address("agg1")}))
	if changed := New().ValidatorUpdates(w.ctx); len(changed) != 1 || changed[0].ValidatorPower != 0 {
		t.Errorf("validators: got %v, want one removal", changed)
	}
	again := aggregator("agg2")
	again.ValidatorKey = key("consensus of agg1")
	w.refused(w.authority(&registryv1.MsgApply{Application: again}), ErrValidatorKeyTaken)
	w.refused(w.authority(&registryv1.MsgRevoke{}), ErrInvalidField)
}
