package client

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
)

func TestDecodeEvents(t *testing.T) {
	event := func(name, text string) Event {
		return Event{Type: name, Attributes: []Attribute{{Key: "json", Value: text}}}
	}
	got, err := DecodeEvents([]Event{
		event("tx", "x"),
		event("energy.bank.v1.Recharged", `{"account":"AQI=","amount_ucoin":"5","reference":"r","later":1}`),
		{Type: "energy.bank.v1.Recharged"},
		event("energy.later.v1.Unheard", `{}`),
	})
	want := &bankv1.Recharged{Account: []byte{1, 2}, AmountUcoin: 5, Reference: "r"}
	if err != nil || len(got) != 1 || !proto.Equal(got[0], want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := DecodeEvents([]Event{event("energy.bank.v1.Recharged", `{"amount_ucoin":true}`)}); err == nil {
		t.Errorf("a broken event was read as %v", got)
	}
}
