// Package ranges holds what rule maprange catches and what it lets pass.
package ranges

import (
	"bytes"
	"maps"
	"slices"
	"sort"
)

type (
	book   map[string]int64
	id     [16]byte
	holder struct{ keys []string }
)

func plain(m map[string]int64) (sum int64) {
	for _, v := range m { // want `maprange: range over a map`
		sum += v
	}
	for range m { // want `maprange: range over a map`
		break
	}
	return sum
}

func namedType(b book) {
	for k := range b { // want `maprange: range over a map`
		_ = k
	}
}

func typeParam[M ~map[K]V, K comparable, V any](m M) {
	for k := range m { // want `maprange: range over a map`
		_ = k
	}
}

func sortedAtOnce(m map[string]int64, n map[int]bool, b map[id]bool, which int) {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)

	var ints []int
	for k, _ := range n {
		ints = append(ints, k)
	}
	sort.Sort(sort.IntSlice(ints))

	switch which {
	case 1:
		ids := make([]id, 0, len(b))
		for k := range b {
			ids = append(ids, k)
		}
		slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	}
}

func neverSorted(m map[string]int64) []string {
	var keys []string
	for k := range m { // want `maprange: range over a map`
		keys = append(keys, k)
	}
	return keys
}

func sortedTooLate(m map[string]int64) string {
	var keys []string
	for k := range m { // want `maprange: range over a map`
		keys = append(keys, k)
	}
	first := keys[0]
	slices.Sort(keys)
	return first
}

func otherSorted(m map[string]int64, other []string) {
	var keys []string
	for k := range m { // want `maprange: range over a map`
		keys = append(keys, k)
	}
	slices.Sort(other)
}

func doesMore(m map[string]int64) (sum int64) {
	var keys []string
	for k := range m { // want `maprange: range over a map`
		keys = append(keys, k)
		sum = sum*3 + m[k]
	}
	slices.Sort(keys)
	return sum
}

func collectsValues(m map[string]int64) {
	var values []int64
	for _, v := range m { // want `maprange: range over a map`
		values = append(values, v)
	}
	slices.Sort(values)
}

func collectsDerived(m map[string]int64, h holder) {
	var keys []string
	for k := range m { // want `maprange: range over a map`
		keys = append(keys, k+"!")
	}
	slices.Sort(keys)
	for k := range m { // want `maprange: range over a map`
		h.keys = append(h.keys, k)
	}
	slices.Sort(h.keys)
}

func ownAppend(m map[string]int64) {
	append := func(s []string, k string) []string { return []string{k} }
	var keys []string
	for k := range m { // want `maprange: range over a map`
		keys = append(keys, k)
	}
	slices.Sort(keys)
}

func iterators(m map[string]int64, b map[id]bool) {
	_ = slices.Sorted(maps.Keys(m))
	_ = slices.Sorted(maps.Values(m))
	_ = slices.Sorted(maps.Keys[map[string]int64](m))
	_ = slices.SortedFunc(maps.Keys(b), func(a, b id) int { return bytes.Compare(a[:], b[:]) })

	_ = slices.Collect(maps.Keys(m))                                                             // want `maprange: maps.Keys yields in random order`
	_ = slices.SortedFunc(maps.Values(m), func(a, b int64) int { return int(a%10) - int(b%10) }) // want `maprange: maps.Values yields in random order`
	for k, v := range maps.All(m) {                                                              // want `maprange: maps.All yields in random order`
		_, _ = k, v
	}
	keys := maps.Keys[map[string]int64] // want `maprange: maps.Keys yields in random order`
	_ = keys
}

func notMaps(s []int64, t string, n int, seq func(func(int) bool)) {
	for range s {
	}
	for range t {
	}
	for range n {
	}
	for range seq {
	}
	_ = maps.Clone(map[string]int64{})
}
