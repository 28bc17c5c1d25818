package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestKeyParts(t *testing.T) {
	base := NewKey(7, 1)
	for _, c := range []struct {
		name string
		key  Key
		hex  string
	}{
		{"bytes", base.Bytes([]byte{0xaa, 0}), "0701aa00"},
		{"zero", base.Int64(0), "07018000000000000000"},
		{"minus one", base.Int64(-1), "07017fffffffffffffff"},
		{"unsigned", base.Uint64(258), "07010000000000000102"},
		{"name", base.Name("loss"), "07016c6f7373" + strings.Repeat("00", 28)},
		{"two parts", base.Uint64(1).Bytes([]byte{2}), "0701000000000000000102"},
	} {
		if got := hex.EncodeToString(c.key); got != c.hex {
			t.Errorf("%s: key %s, want %s", c.name, got, c.hex)
		}
	}
	order := []int64{math.MinInt64, -2, -1, 0, 1, 255, 256, math.MaxInt64}
	for i := 1; i < len(order); i++ {
		if bytes.Compare(base.Int64(order[i-1]), base.Int64(order[i])) >= 0 {
			t.Errorf("key of %d does not lie before the key of %d", order[i-1], order[i])
		}
	}
	for _, s := range []string{strings.Repeat("x", NameSize+1), "a\x00"} {
		if recovered(func() { base.Name(s) }) == nil {
			t.Errorf("name %q: no panic", s)
		}
	}
	base.Name(strings.Repeat("x", NameSize))
}

// TestKeyIsExtendedTwice: two keys from one prefix must not share memory.
func TestKeyIsExtendedTwice(t *testing.T) {
	prefix := append(make(Key, 0, 100), 1, 2)
	for name, extend := range map[string]func(byte) Key{
		"Bytes":  func(b byte) Key { return prefix.Bytes([]byte{b}) },
		"Int64":  func(b byte) Key { return prefix.Int64(int64(b)) },
		"Uint64": func(b byte) Key { return prefix.Uint64(uint64(b)) },
		"Name":   func(b byte) Key { return prefix.Name(string(rune(b))) },
	} {
		a := extend('a')
		want := slices.Clone(a)
		extend('b')
		if !bytes.Equal(a, want) {
			t.Errorf("%s: the first key became %x, was %x", name, a, want)
		}
	}
}

var (
	names  = NewMap[wrapperspb.StringValue](1, 1)
	spans  = NewMap[durationpb.Duration](1, 2)
	params = NewItem[wrapperspb.Int64Value](1, 3)
)

func TestMap(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	b := db.Branch()
	at := func(i int64) Key { return names.Key().Int64(i) }
	for i, s := range []string{"a", "", "c", "d"} {
		names.Set(b, at(int64(i)), wrapperspb.String(s))
	}
	spans.Set(b, spans.Key().Int64(0), &durationpb.Duration{Seconds: 1})
	names.Delete(b, at(3))
	commit(t, db, b)
	v := view(t, db)
	for _, r := range []Reader{b, db.Branch(), v} {
		if got, ok := names.Get(r, at(0)); !ok || got.Value != "a" {
			t.Errorf("pair 0: got %v %v, want a", got, ok)
		}
		if got, ok := names.Get(r, at(1)); !ok || got == nil || !proto.Equal(got, &wrapperspb.StringValue{}) {
			t.Errorf("empty message: got %v %v, want an empty one", got, ok)
		}
		if got, ok := names.Get(r, at(3)); ok || got != nil {
			t.Errorf("deleted pair: got %v %v, want nothing", got, ok)
		}
		if !names.Has(r, at(1)) || names.Has(r, at(3)) {
			t.Error("Has: want the empty message there and the deleted one not")
		}
		var got []string
		for k, s := range names.All(r, names.Key()) {
			got = append(got, hex.EncodeToString(k[9:])+s.Value)
		}
		for k, s := range names.From(r, names.Key(), at(2)) {
			got = append(got, hex.EncodeToString(k[9:])+s.Value)
			break
		}
		if want := []string{"00a", "01", "02c", "02c"}; !slices.Equal(got, want) {
			t.Errorf("iteration: got %q, want %q", got, want)
		}
	}
}

func TestItem(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	b := db.Branch()
	if got, ok := params.Get(b); ok {
		t.Errorf("unset item: got %v", got)
	}
	params.Set(b, wrapperspb.Int64(5))
	if got, ok := params.Get(b); !ok || got.Value != 5 {
		t.Errorf("item: got %v %v, want 5", got, ok)
	}
	params.Delete(b)
	if got, ok := params.Get(b); ok {
		t.Errorf("deleted item: got %v", got)
	}
}

// TestGoldenValues pins what is stored: it enters the root.
func TestGoldenValues(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	b := db.Branch()
	for _, c := range []struct {
		value *durationpb.Duration
		hex   string
	}{
		{&durationpb.Duration{}, "00"},
		{&durationpb.Duration{Seconds: 1}, "0801"},
		{&durationpb.Duration{Seconds: -1, Nanos: 300}, "08ffffffffffffffffff0110ac02"},
	} {
		k := spans.Key()
		spans.Set(b, k, c.value)
		if got := hex.EncodeToString(b.Get(k)); got != c.hex {
			t.Errorf("%v is stored as %s, want %s", c.value, got, c.hex)
		}
	}
}

func TestMapFaults(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	b := db.Branch()
	k := names.Key().Int64(1)
	b.Set(k, []byte{0x0a, 5, 'x'}) // a string of five bytes that ends after one
	if f, ok := recovered(func() { names.Get(b, k) }).(Fault); !ok || !errors.Is(f, proto.Error) {
		t.Errorf("undecodable value: panics with %v, want a Fault of proto.Error", f)
	}
	for name, f := range map[string]func(){
		"key of another table": func() { names.Get(b, spans.Key()) },
		"no key":               func() { names.Has(b, nil) },
		"prefix too short":     func() { names.All(b, Key{1}) },
		"bad UTF-8":            func() { names.Set(b, k, wrapperspb.String("\xff")) },
	} {
		if r := recovered(f); r == nil {
			t.Errorf("%s: no panic", name)
		} else if _, fault := r.(Fault); fault {
			t.Errorf("%s: panics with a Fault, which it is not", name)
		}
	}
}
