package bench

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// The plan of the figure keeps below the greatest book and every account below
// its connection, cancels only orders that are open, and never orders for a
// gate that is about to close.
func TestPlan(t *testing.T) {
	l := &load{Options: Figure(), gateLead: 5 * time.Second}
	for i := range l.Accounts {
		key, err := l.seeded(nodeName(i))
		if err != nil {
			t.Fatal(err)
		}
		l.accounts = append(l.accounts, &account{key: key, sells: i%2 == 0, ordered: make(map[int64]int64)})
	}
	mostWhInPeriod := int64(householdW * dataInterval.Hours())
	open := make(map[string]int64) // order -> period
	step := time.Second / time.Duration(l.OrdersPerSecond)
	begin := time.UnixMilli(1_700_000_000_000)
	greatest := 0
	for at := begin; at.Before(begin.Add(40 * time.Second)); at = at.Add(step) {
		a, msgs := l.next(at)
		a.sequence++
		for _, msg := range msgs {
			checkMsg(t, l, at, a, msg, open)
		}
		open[string(a.order)] = a.period
		if a.ordered[a.period] > mostWhInPeriod {
			t.Fatalf("account orders %d Wh, its connection bears %d", a.ordered[a.period], mostWhInPeriod)
		}
		if at.UnixMilli()%100 == 0 {
			maps.DeleteFunc(open, func(_ string, period int64) bool { return at.Add(l.gateLead).UnixMilli() >= period })
			greatest = max(greatest, len(open))
		}
	}
	if int64(greatest) > l.MaxOpenOrders || greatest < 4000 {
		t.Errorf("at most %d orders were open, want 4000 to %d", greatest, l.MaxOpenOrders)
	}
}

func checkMsg(t *testing.T, l *load, at time.Time, a *account, msg proto.Message, open map[string]int64) {
	t.Helper()
	period := int64(0)
	switch msg := msg.(type) {
	case *matchingv1.MsgCancel:
		if open[string(msg.Order)] != msg.Period {
			t.Fatalf("cancel of an order that is not open in %d", msg.Period)
		}
		delete(open, string(msg.Order))
		return
	case *matchingv1.MsgPlaceSell:
		period = msg.Period
	case *matchingv1.MsgPlaceBuy:
		period = msg.Period
	}
	if left := time.UnixMilli(period).Add(-l.gateLead).Sub(at); left < gateMargin || left > gateMargin+l.PeriodLength {
		t.Fatalf("order of %v %s before its gate", a.key.Address(), left)
	}
}

func TestQuantiles(t *testing.T) {
	var all []time.Duration
	for i := 100; i > 0; i-- {
		all = append(all, time.Duration(i)*time.Millisecond)
	}
	if got, want := quantiles(all), (Quantiles{P50: 50, P95: 95, P99: 99, Max: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := quantiles(all[:1]), (Quantiles{1, 1, 1, 1}); got != want {
		t.Errorf("of one: got %+v, want %+v", got, want)
	}
	if got := quantiles(nil); got != (Quantiles{}) {
		t.Errorf("of none: got %+v", got)
	}
}

func TestReadProc(t *testing.T) {
	if got, err := megabytes("244140 kB"); err != nil || got != 250 {
		t.Errorf("memory: got %d, %v, want 250", got, err)
	}
	if _, err := megabytes(""); err == nil {
		t.Error("memory: no error for an absent field")
	}
	stat := fmt.Sprintf("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 %d %d 0 0", 150, 50)
	if got, err := cpuTime(stat); err != nil || got != 2*time.Second {
		t.Errorf("CPU time: got %s, %v, want 2s", got, err)
	}
	for _, stat := range []string{"", "7 (x) S 1", "7 (x) S 1 2 3 4 5 6 7 8 9 10 x 50"} {
		if _, err := cpuTime(stat); err == nil {
			t.Errorf("CPU time: no error for %q", stat)
		}
	}
	if got := field("a : 1\nmodel name\t: EPYC 7\n", "model name"); got != "EPYC 7" {
		t.Errorf("field: got %q", got)
	}
}
