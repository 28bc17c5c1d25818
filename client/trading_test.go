package client

import (
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// TestLeavingLines: what lapses in another market after a clearing of the period is
// on the lines until the block ends, or until they are looked at anew: after a
// clearing of another period, or one that failed.
func TestLeavingLines(t *testing.T) {
	const period = 10
	match := &matchingv1.Match{Id: []byte{1}, Period: period, Market: 7, EnergyWh: 5}
	cleared := func(of, market int64) proto.Message {
		return &matchingv1.PeriodCleared{Book: &matchingv1.Book{Period: of, Market: market}}
	}
	lapsed := &matchingv1.MatchLapsed{Match: match, Cause: matchingv1.Cause_CAUSE_LAPSE}
	for name, test := range map[string]struct {
		events []proto.Message
		want   int
	}{
		"at once":              {[]proto.Message{lapsed, cleared(period, 9)}, 0},
		"late":                 {[]proto.Message{cleared(period, 0), lapsed, cleared(period, 9)}, 1},
		"after another period": {[]proto.Message{cleared(period, 0), lapsed, cleared(2*period, 0), cleared(period, 9)}, 0},
		"after a failure":      {[]proto.Message{cleared(period, 0), lapsed, &matchingv1.ClearingFailed{Period: period, Market: 8}, cleared(period, 9)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			trading := NewTrading(period, 9)
			trading.Add(1, []proto.Message{&matchingv1.PreMatched{Match: match}})
			trading.Add(2, test.events)
			trading.Add(3, []proto.Message{cleared(period, 9)})
			if got := len(trading.Clearings[0].Beside); got != test.want {
				t.Errorf("%d flows beside, want %d", got, test.want)
			}
			if got := len(trading.Clearings[1].Beside); got != 0 {
				t.Errorf("%d flows beside in the next block", got)
			}
		})
	}
}
