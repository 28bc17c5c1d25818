package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
)

func TestRejectLeavesNoTrace(t *testing.T) {
	w := newWorld(t)
	before := w.export()
	application := &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{solarMeter("m1")}}
	w.must(w.by("agg0", application))
	w.must(w.authority(&registryv1.MsgReject{Account: address("bob")}))
	if after := w.export(); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
	w.must(w.by("agg0", application))

	w.refused(w.authority(&registryv1.MsgReject{Account: address("alice")}), ErrWrongStatus)
	w.refused(w.authority(&registryv1.MsgReject{Account: address("carol")}), ErrUnknownAccount)
	w.refused(w.authority(&registryv1.MsgReject{}), ErrInvalidField)
}
