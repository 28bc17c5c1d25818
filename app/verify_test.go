package app

import "testing"

// The cache of checked transactions is bounded in bytes as well as in number:
// a key that sends large transactions must not fill the memory.
func TestCheckedCacheIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name          string
		size, n, left int
	}{
		{"many small", 100, checkedCacheSize + 10, checkedCacheSize},
		{"few large", 1 << 20, 50, checkedCacheBytes >> 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCheckedCache()
			hash := func(i int) [32]byte { return [32]byte{byte(i), byte(i >> 8)} }
			for i := range tc.n {
				c.put(&checkedTx{hash: hash(i), size: tc.size})
				c.put(&checkedTx{hash: hash(i), size: tc.size}) // again: no change
			}
			if len(c.txs) != tc.left || len(c.order) != tc.left || c.bytes != tc.left*tc.size {
				t.Errorf("%d in the map, %d in order, %d bytes; want %d of %d bytes", len(c.txs), len(c.order), c.bytes, tc.left, tc.size)
			}
			if c.get(hash(tc.n-1)) == nil || c.get(hash(0)) != nil {
				t.Error("the oldest should have gone, the newest not")
			}
		})
	}
}

// What a block has executed is let go, and may come again.
func TestCheckedCacheForgets(t *testing.T) {
	c := newCheckedCache()
	first, second := &checkedTx{hash: [32]byte{1}, size: 10}, &checkedTx{hash: [32]byte{2}, size: 20}
	c.put(first)
	c.put(second)
	c.forget([]judgedTx{{checkedTx: first}, {err: ErrMalformed}})
	if c.get(first.hash) != nil || c.get(second.hash) != second || c.bytes != second.size {
		t.Errorf("first %v, second %v, %d bytes; want the second alone, %d bytes", c.get(first.hash), c.get(second.hash), c.bytes, second.size)
	}
	for range checkedCacheSize + 10 {
		c.put(first)
		c.forget([]judgedTx{{checkedTx: first}})
	}
	if len(c.order) > checkedCacheSize || len(c.txs) > 1 {
		t.Errorf("%d in order, %d in the map after as many were executed", len(c.order), len(c.txs))
	}
}
