package gateway

import (
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit"
	inprocess "github.com/energyd/energyd/internal/testkit/node"
)

// node is a node in process whose blocks have the time of the tests' clock.
type node struct{ *inprocess.Node }

// began is when the clock of all tests showed the start of the test chain.
var began = time.Now()

// clockOf returns a clock that showed the start of the test chain, and a second
// for its first block, at a time.
func clockOf(began time.Time) func() time.Time {
	return func() time.Time { return testkit.Start.Add(time.Second + time.Since(began)) }
}

// newNode starts a node of a chain with members whose meters the test gateway
// reads.
func newNode(t testing.TB, members int, edits ...func(*app.Genesis)) *node {
	t.Helper()
	n := inprocess.New(t, members, 1_000_000, edits...)
	n.Now = clockOf(began)
	return &node{n}
}

// accepted returns the readings that blocks hold, in their order.
func (n *node) accepted() (found []*meteringv1.ReadingAccepted) {
	n.With(func() {
		for height := int64(1); height <= n.Chain.Height; height++ {
			made := n.Blocks[height]
			if made == nil {
				continue // the genesis has none
			}
			block := testkit.Seen(height, made.Results, made.Events)
			events, err := block.AllEvents()
			if err != nil {
				n.Chain.T.Error(err)
			}
			for _, event := range events {
				if reading, ok := event.(*meteringv1.ReadingAccepted); ok {
					found = append(found, reading)
				}
			}
		}
	})
	return found
}

// state asks the chain for a meter.
func (n *node) state(meter string) *meteringv1.QueryMeterStateResponse {
	answer := new(meteringv1.QueryMeterStateResponse)
	n.With(func() { n.Chain.Query(&meteringv1.QueryMeterStateRequest{Meter: meter}, answer) })
	return answer
}

// sequences returns those of a meter that blocks hold, in their order.
func (n *node) sequences(meter string) (found []uint64) {
	for _, reading := range n.accepted() {
		if reading.Meter == meter {
			found = append(found, reading.Sequence)
		}
	}
	return found
}
