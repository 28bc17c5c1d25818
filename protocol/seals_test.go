package protocol_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/protocol"
)

// TestSealCommitment: the bytes are consensus data, and every part counts.
func TestSealCommitment(t *testing.T) {
	account := protocol.KeyAddress(bytes.Repeat([]byte{1}, 32))
	reveal := &matchingv1.MsgRevealOrder{
		Buy: &matchingv1.MsgPlaceBuy{Period: 10_000, PriceUcoinPerKwh: 5, EnergyWh: 7}, Salt: bytes.Repeat([]byte{2}, protocol.SaltSize),
	}
	commitment := func(chainID string, account protocol.Address, reveal *matchingv1.MsgRevealOrder) string {
		t.Helper()
		hash, err := protocol.SealCommitment(chainID, account, reveal)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(hash)
	}
	first := commitment("c", account, reveal)
	if want := "20de54f5f8178ee4b496fc6d0d1f252270955f9891e4951673c34a809eff4444"; first != want {
		t.Errorf("got %s, want %s", first, want)
	}
	asSell := &matchingv1.MsgRevealOrder{Sell: &matchingv1.MsgPlaceSell{Period: 10_000, PriceUcoinPerKwh: 5, EnergyWh: 7}, Salt: reveal.Salt}
	salted := &matchingv1.MsgRevealOrder{Buy: reveal.Buy, Salt: bytes.Repeat([]byte{3}, protocol.SaltSize)}
	for i, other := range []string{
		commitment("d", account, reveal),
		commitment("c", protocol.GridAddress, reveal),
		commitment("c", account, asSell),
		commitment("c", account, salted),
	} {
		if other == first {
			t.Errorf("case %d: the same commitment", i)
		}
	}
	hash, _ := hex.DecodeString(first)
	if id := protocol.SealID(hash); id.String() != first[:2*protocol.IDSize] {
		t.Errorf("id %v of %s", id, first)
	}
}
