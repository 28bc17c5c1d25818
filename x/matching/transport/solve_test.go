package transport

import (
	"testing"
)

func TestQuick(t *testing.T) {
	for seed := range uint64(50) {
		p := randomProblem(30+int(seed%5), 30+int(seed%7), seed)
		if seed%2 == 0 {
			for k := range p.Worth {
				if (k*7919+int(seed))%3 == 0 {
					p.Worth[k] = Forbidden
				}
			}
		}
		if seed%3 == 0 {
			p.Volume = AnyVolume
			for k := range p.Worth {
				if p.Worth[k] != Forbidden {
					p.Worth[k] -= 700000
				}
			}
		}
		s, err := Solve(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(p, s.Flows, s.Certificate); err != nil {
			t.Fatal(seed, err)
		}
	}
}
