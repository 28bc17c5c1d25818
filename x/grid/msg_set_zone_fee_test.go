package grid

import (
	"fmt"
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
)

func zoneFee(from, to string, fee int64) *gridv1.MsgSetZoneFee {
	return &gridv1.MsgSetZoneFee{FromZone: from, ToZone: to, FeeUcoinPerKwh: fee}
}

func TestSetZoneFee(t *testing.T) {
	c := newChain(t)
	first := int64(thisOne + 97*periodMs) // as in TestSetTariff
	c.must(zoneFee("north", "south", 5))
	c.TimeMs += 10 * periodMs
	c.must(zoneFee("north", "south", 8))
	c.must(zoneFee("north", "south", 9)) // replaces
	c.must(zoneFee("south", "", 0))
	for _, test := range []struct {
		from, to     string
		period, want int64
	}{
		{"north", "south", first - periodMs, 0},
		{"north", "south", first, 5},
		{"north", "south", first + 9*periodMs, 5},
		{"north", "south", first + 10*periodMs, 9},
		{"south", "north", first, 0}, // not the way back
		{"north", "north", first, 0},
		{"", "", -1 << 63, 0},
	} {
		got, err := queryZoneFee(module.QueryCtx{Store: c.Store, TimeMs: c.TimeMs}, &gridv1.QueryZoneFeeRequest{FromZone: test.from, ToZone: test.to, Period: test.period})
		if err != nil || got.Fee.FeeUcoinPerKwh != test.want {
			t.Errorf("%q to %q in %d: got %v, %v, want %d", test.from, test.to, test.period, got, err, test.want)
		}
	}
	for name, msg := range map[string]*gridv1.MsgSetZoneFee{
		"from":     zoneFee("North", "", 1),
		"to":       zoneFee("", "a b", 1),
		"negative": zoneFee("", "", -1),
		"too much": zoneFee("", "", MaxPriceUcoinPerKWh+1),
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.refuse(msg, ErrField)
		})
	}
	if _, err := queryZoneFee(module.QueryCtx{Store: c.Store}, &gridv1.QueryZoneFeeRequest{FromZone: "North"}); err == nil {
		t.Error("a query for an impossible zone was answered")
	}
}

// TestMaxZones: fees know 64 zones, the empty one among them.
func TestMaxZones(t *testing.T) {
	c := newChain(t)
	for i := range MaxZones - 1 {
		c.must(zoneFee("", fmt.Sprintf("z%d", i), 1))
	}
	c.refuse(zoneFee("", "one-more", 1), ErrTooManyZones)
	c.must(zoneFee("z1", "z2", 1))
	branch := state.NewBranch(c.Store)
	zones.Delete(branch, zones.Key().Name("z3"))
	if checkZones(branch) == nil {
		t.Error("a missing zone passed")
	}
	branch.Discard()
	zones.Set(branch, zones.Key().Name("surplus"), &gridv1.Zone{Zone: "surplus"})
	if checkZones(branch) == nil {
		t.Error("a surplus zone passed")
	}
}

// TestFeesOf: places get the fees of their zones, in their direction and period.
func TestFeesOf(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{Nodes: []*gridv1.Node{
		{Node: "a", Zone: "north"}, {Node: "b", Zone: "south"}, {Node: "c"}, {Node: "d", Zone: "unheard-of"},
	}})
	ways := PathsOf(c.Store, 0)
	first := int64(thisOne + 97*periodMs)
	if fees := FeesOf(c.Store, ways, first); fees != nil || fees.Between(0, 1) != 0 {
		t.Errorf("got %v without fees", fees)
	}
	c.must(zoneFee("north", "south", 5))
	c.must(zoneFee("", "north", 7))
	c.must(zoneFee("south", "south", 11))
	names := []string{"a", "b", "c", "d"}
	want := map[string]int64{"ab": 5, "ca": 7, "bb": 11}
	for _, period := range []int64{first - periodMs, first} {
		fees := FeesOf(c.Store, ways, period)
		for _, from := range names {
			for _, to := range names {
				i, _ := ways.Place(from)
				j, _ := ways.Place(to)
				expected := want[from+to]
				if period < first {
					expected = 0
				}
				if got := fees.Between(i, j); got != expected {
					t.Errorf("%s to %s: got %d, want %d", from, to, got, expected)
				}
			}
		}
	}
}
