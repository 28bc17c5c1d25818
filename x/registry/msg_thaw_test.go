package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
)

func TestThaw(t *testing.T) {
	w := newWorld(t)
	w.must(w.authority(&registryv1.MsgFreeze{Account: address("alice"), Reason: "no readings"}))
	w.must(w.authority(&registryv1.MsgThaw{Account: address("alice")}))
	changes := emitted[*registryv1.StatusChanged](w)
	if len(changes) != 2 || changes[0].Reason != "no readings" || changes[1].Status != registryv1.Status_STATUS_ACTIVE {
		t.Errorf("events: got %v", changes)
	}
	w.refused(w.authority(&registryv1.MsgThaw{Account: []byte{}}), ErrInvalidField)
	w.refused(w.authority(&registryv1.MsgThaw{Account: address("nobody")}), ErrUnknownAccount)
}
