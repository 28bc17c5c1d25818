package grid

import (
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
)

func TestSetTariff(t *testing.T) {
	c := newChain(t)
	if _, ok := TariffAt(c.Store, "home", 1<<60); ok {
		t.Error("a tariff before any was set")
	}
	// Orders for p are open from p - 300 s - 24 h on: in the period of now,
	// those up to 97 periods later are.
	first := int64(thisOne + 97*periodMs)
	if got := func() int64 { c.must(tariff("home", 500_000, 80_000)); return lastTariff(c).FromPeriod }(); got != first {
		t.Fatalf("expected the first unopened period %d, got %d", first, got)
	}
	c.TimeMs += 10 * periodMs
	c.must(tariff("home", 600_000, 0))
	c.must(tariff("home", 700_000, 700_000)) // replaces
	c.must(tariff("house", 1, 0))
	for _, test := range []struct {
		period, retail int64
		ok             bool
	}{
		{first - periodMs, 0, false},
		{first, 500_000, true},
		{first + 9*periodMs, 500_000, true},
		{first + 10*periodMs, 700_000, true},
		{first + 1000*periodMs, 700_000, true},
	} {
		got, ok := TariffAt(c.Store, "home", test.period)
		if ok != test.ok || got.GetRetailUcoinPerKwh() != test.retail {
			t.Errorf("period %d: expected %d, got %v", test.period, test.retail, got)
		}
	}
	if _, ok := TariffAt(c.Store, "Home!", first); ok {
		t.Error("a tariff of an impossible class")
	}
	for name, msg := range map[string]*gridv1.MsgSetTariff{
		"class":            tariff("", 1, 0),
		"feed-in > retail": tariff("home", 1, 2),
		"negative feed-in": tariff("home", 1, -1),
		"negative retail":  tariff("home", -1, -1),
		"retail":           tariff("home", MaxPriceUcoinPerKWh+1, 0),
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refuse(msg, ErrField)
		})
	}
}

func tariff(class string, retail, feedIn int64) *gridv1.MsgSetTariff {
	return &gridv1.MsgSetTariff{TariffClass: class, RetailUcoinPerKwh: retail, FeedInUcoinPerKwh: feedIn}
}

func lastTariff(c *chain) *gridv1.TariffSet {
	c.t.Helper()
	event, ok := c.events[len(c.events)-1].(*gridv1.TariffSet)
	if !ok {
		c.t.Fatalf("expected TariffSet, got %T", c.events[len(c.events)-1])
	}
	return event
}
