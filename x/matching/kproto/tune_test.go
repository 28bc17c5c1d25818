package kproto

import (
	"testing"
	"time"
)

func TestParam(t *testing.T) {
	for _, n := range []int{10000, 100000} {
		buys, sells, plane := thesisPlane(1, n)
		reps := 12
		if n > 10000 { reps = 2 }
		var least [3]time.Duration
		for range reps {
			for k := range 3 {
				p := thesisParams
				p.RespectLimits = k != 1
				var l Losses = plane
				if k == 2 { l = LossFunc(plane.Between) }
				start := time.Now()
				clearWith(p, buys, sells, l, 0)
				if d := time.Since(start); least[k] == 0 || d < least[k] { least[k] = d }
			}
		}
		t.Log(n, least)
	}
}
