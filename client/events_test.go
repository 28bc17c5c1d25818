package client

import (
	"encoding/base64"
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
)

func TestDecodeEvents(t *testing.T) {
	event := func(name, value string) Event {
		return Event{Type: name, Attributes: []Attribute{{Key: "proto", Value: value}}}
	}
	want := &bankv1.Recharged{Account: []byte{1, 2}, AmountUcoin: 5, Reference: "r"}
	encoded, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const name = "energy.bank.v1.Recharged"
	good := base64.StdEncoding.EncodeToString(encoded)
	got, err := DecodeEvents([]Event{event("tx", "x"), event(name, good), event("energy.later.v1.Unheard", "")})
	if err != nil || len(got) != 1 || !proto.Equal(got[0], want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for what, broken := range map[string]Event{
		"no attribute":    {Type: name},
		"not base64":      event(name, "{}"),
		"not a Recharged": event(name, base64.StdEncoding.EncodeToString([]byte{0x0a, 0xff})),
	} {
		if got, err := DecodeEvents([]Event{broken}); err == nil {
			t.Errorf("%s: read as %v", what, got)
		}
	}
}
