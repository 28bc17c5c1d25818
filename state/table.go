package state

import (
	"bytes"
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"
)

// emptyMessage is stored for a message whose encoding is empty, because the
// store and ICS23 know no empty values. No message encodes to it: zero is not a
// valid field tag.
var emptyMessage = []byte{0}

// Map is a table of protobuf values; V is a pointer to a generated message. Its
// messages must have no maps and no floats, whose encodings are not canonical.
type Map[V proto.Message] struct {
	prefix Key
	empty  func() V
}

// NewMap names a table of messages M. The module byte and the table byte are
// consensus data.
func NewMap[M any, V interface {
	*M
	proto.Message
}](module, table byte) Map[V] {
	return Map[V]{prefix: NewKey(module, table), empty: func() V { return new(M) }}
}

// Key returns the table's prefix, to be extended to a key or a longer prefix.
func (m Map[V]) Key() Key { return m.prefix }

// Get returns the value of k and whether there is one. The value is the
// caller's to change.
func (m Map[V]) Get(r Reader, k Key) (V, bool) {
	m.check(k)
	b := r.Get(k)
	if b == nil {
		var none V
		return none, false
	}
	return m.decode(k, b), true
}

// Has says whether k has a value, without decoding it.
func (m Map[V]) Has(r Reader, k Key) bool {
	m.check(k)
	return r.Get(k) != nil
}

// Set stores a copy of v under k.
func (m Map[V]) Set(s Store, k Key, v V) {
	m.check(k)
	s.Set(k, encode(k, v))
}

// Delete removes k.
func (m Map[V]) Delete(s Store, k Key) {
	m.check(k)
	s.Delete(k)
}

// All yields the pairs whose key has prefix, ascending (see Reader.Range).
func (m Map[V]) All(r Reader, prefix Key) iter.Seq2[Key, V] {
	return m.From(r, prefix, nil)
}

// From yields the pairs whose key has prefix, ascending, starting at the first
// key >= from (nil: the start).
func (m Map[V]) From(r Reader, prefix, from Key) iter.Seq2[Key, V] {
	m.check(prefix)
	return func(yield func(Key, V) bool) {
		for k, b := range r.Range(prefix, from) {
			if !yield(k, m.decode(k, b)) {
				return
			}
		}
	}
}

// check panics when a key was built for another table: reading it would decode
// one message as another without an error.
func (m Map[V]) check(k Key) {
	if !bytes.HasPrefix(k, m.prefix) {
		panic(fmt.Sprintf("state: key %x does not belong to table %x", []byte(k), []byte(m.prefix)))
	}
}

// Item is a table with one value and no key parts, such as a module's
// parameters.
type Item[V proto.Message] struct{ m Map[V] }

// NewItem names an item by its module byte and table byte.
func NewItem[M any, V interface {
	*M
	proto.Message
}](module, table byte) Item[V] {
	return Item[V]{m: NewMap[M, V](module, table)}
}

// Get returns the value and whether there is one.
func (i Item[V]) Get(r Reader) (V, bool) { return i.m.Get(r, i.m.prefix) }

// Set stores a copy of v.
func (i Item[V]) Set(s Store, v V) { i.m.Set(s, i.m.prefix, v) }

// Delete removes the value.
func (i Item[V]) Delete(s Store) { i.m.Delete(s, i.m.prefix) }

// codec is what generated messages have that are stored: the same encoding as that
// of package proto, without its reflection (docs/adr/001-state.md). Well-known
// types have none.
type codec interface {
	MarshalVTStrict() ([]byte, error)
	UnmarshalVT([]byte) error
}

func marshal(v proto.Message) ([]byte, error) {
	if own, ok := v.(codec); ok {
		return own.MarshalVTStrict()
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(v)
}

func unmarshal(b []byte, v proto.Message) error {
	if own, ok := v.(codec); ok {
		return own.UnmarshalVT(b)
	}
	return proto.Unmarshal(b, v)
}

func encode(k Key, v proto.Message) []byte {
	b, err := marshal(v)
	if err != nil { // a bug of the caller
		panic(fmt.Sprintf("state: encode the value of key %x: %v", []byte(k), err))
	}
	if len(b) == 0 {
		return emptyMessage
	}
	return b
}

func (m Map[V]) decode(k Key, b []byte) V {
	v := m.empty()
	if bytes.Equal(b, emptyMessage) {
		return v
	}
	if err := unmarshal(b, v); err != nil {
		panic(Fault{fmt.Errorf("decode the value of key %x as %T: %w", []byte(k), v, err)})
	}
	return v
}
