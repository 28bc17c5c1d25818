package modbus

import "testing"

// TestSettle: what an answer proves, unit 1 answering in order.
func TestSettle(t *testing.T) {
	q := func(counts ...uint16) (out []question) {
		for _, c := range counts {
			out = append(out, question{unit: 1, function: byte(Input), count: c})
		}
		return out
	}
	values := func(n int) []byte { return append([]byte{1, 4, byte(2 * n)}, make([]byte, 2*n)...) }
	exception := []byte{1, 0x84, 2}
	for _, tc := range []struct {
		pending []question
		body    []byte
		left    int // -1: fits none
	}{
		{q(4), values(4), 0},
		{q(4), values(3), -1},
		{q(4, 1), values(4), 1},
		{q(4, 1), values(1), 0},
		{q(4, 4), values(4), 1},    // the older one's, for all we know
		{q(1, 4, 1), values(1), 2}, // an old catch-up's, not the new one's
		{q(1, 4, 2), values(2), 0},
		{q(4, 1), exception, 1},
		{q(4), exception, 0},
		{q(4), []byte{2, 4, 8}, -1},
	} {
		pending := append([]question(nil), tc.pending...)
		err := settle(&pending, tc.body)
		if tc.left < 0 && err == nil || tc.left >= 0 && (err != nil || len(pending) != tc.left) {
			t.Errorf("%v and % x: %d left, %v; want %d", tc.pending, tc.body, len(pending), err, tc.left)
		}
	}
	if got := unlike(q(3)[0], q(1, 2, 4)); got.count != 5 {
		t.Errorf("asks for %d registers after 1, 2, 4 and before 3, want 5", got.count)
	}
}
