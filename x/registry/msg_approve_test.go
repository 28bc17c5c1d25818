package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
)

func TestApproveRefusals(t *testing.T) {
	w := newWorld(t)
	w.refused(w.authority(&registryv1.MsgApprove{Account: []byte{1}}), ErrInvalidField)
	w.refused(w.authority(&registryv1.MsgApprove{Account: address("bob")}), ErrUnknownAccount)
	w.refused(w.authority(&registryv1.MsgApprove{Account: address("alice")}), ErrWrongStatus)
}

// Two applications name the same second key: the first approval takes it.
func TestApproveChecksKeysAgain(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"bob", "carol"} {
		account := prosumer(name)
		account.Keys = append(account.Keys, key("shared"))
		w.must(w.by("agg0", &registryv1.MsgApply{Application: account}))
	}
	w.must(w.authority(&registryv1.MsgApprove{Account: address("bob")}))
	w.refused(w.authority(&registryv1.MsgApprove{Account: address("carol")}), ErrKeyTaken)
}

func TestApproveChecksConsensusKeyAgain(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"agg2", "agg3"} {
		account := aggregator(name)
		account.ValidatorKey = key("shared")
		w.must(w.authority(&registryv1.MsgApply{Application: account}))
	}
	w.must(w.authority(&registryv1.MsgApprove{Account: address("agg2")}))
	w.refused(w.authority(&registryv1.MsgApprove{Account: address("agg3")}), ErrValidatorKeyTaken)
}

func TestApproveGatewayBeforeItsMeters(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: gateway("gw1")}))
	meter := solarMeter("m1")
	meter.Gateway = address("gw1")
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{meter}}))
	w.refused(w.authority(&registryv1.MsgApprove{Account: address("bob")}), ErrUnknownGateway)
	w.must(w.authority(&registryv1.MsgApprove{Account: address("gw1")}))
	w.must(w.authority(&registryv1.MsgApprove{Account: address("bob")}))
}

func TestApproveChecksHomeAgain(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob")}))
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("agg0")}))
	w.refused(w.authority(&registryv1.MsgApprove{Account: address("bob")}), ErrUnknownAggregator)
}
