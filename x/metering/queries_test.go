package metering

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
)

// moduleQuery asks the module as the application does.
type moduleQuery struct{ *chain }

func (q moduleQuery) answer(request proto.Message) (proto.Message, error) {
	for _, query := range New().Queries() {
		if query.Type == string(request.ProtoReflect().Descriptor().FullName()) {
			return query.Answer(module.QueryCtx{Height: q.Height, TimeMs: q.TimeMs, Store: q.Store}, request)
		}
	}
	q.t.Fatalf("no query %T", request)
	return nil, nil
}

func (q moduleQuery) ask(request proto.Message) proto.Message {
	q.t.Helper()
	answer, err := q.answer(request)
	if err != nil {
		q.t.Fatal(err)
	}
	return answer
}

func (q moduleQuery) refuse(request proto.Message, want error) {
	q.t.Helper()
	if answer, err := q.answer(request); !errors.Is(err, want) {
		q.t.Errorf("%v: expected %v, got %v, %v", request, want, answer, err)
	}
}

func TestQueries(t *testing.T) {
	c := newChain(t)
	q := moduleQuery{c}
	empty := q.ask(&meteringv1.QueryMeterStateRequest{Meter: "a1"}).(*meteringv1.QueryMeterStateResponse)
	if empty.State.Meter != "a1" || empty.State.FixedUntil != 0 || len(empty.Readings) != 0 {
		t.Errorf("before any reading: got %v", empty)
	}
	c.send(reading(1, 0, 5, 6), reading(2, minute, 7, 8))
	c.TimeMs = start + 2*minute
	if err := c.run(nil, swap(2*minute, 9, 9, 0, 0)); err != nil {
		t.Fatal(err)
	}
	got := q.ask(&meteringv1.QueryMeterStateRequest{Meter: "a1"}).(*meteringv1.QueryMeterStateResponse)
	if got.State.FixedUntil != start || len(got.Readings) != 2 || got.Readings[1].ExportWh != 8 || len(got.Readings[0].Signature) != 64 {
		t.Errorf("expected both readings as signed, got %v", got)
	}
	address := addressOf(alice)
	q.refuse(&meteringv1.QueryMeterStateRequest{Meter: "x"}, ErrUnknownMeter)
	q.refuse(&meteringv1.QueryEnergyRequest{Account: address[:], Period: start}, ErrUnknownEnergy)
	q.refuse(&meteringv1.QueryEnergyRequest{Account: []byte("alice"), Period: start}, ErrField)
}
