package state

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// NameSize is the fixed width of a name inside a key, in bytes.
const NameSize = 32

// Key is a key of the flat key space: module byte, table byte, then parts of
// fixed width, so that no key of a table is a prefix of another and the order
// of the bytes is the order of the parts. Every method returns a fresh slice: a
// key may be extended more than once.
type Key []byte

// NewKey starts a key of a module's table.
func NewKey(module, table byte) Key { return Key{module, table} }

// Bytes appends parts as they are. Each must have the width that the table always
// uses for it (20 bytes for an address, 16 for any other id).
func (k Key) Bytes(parts ...[]byte) Key {
	size := len(k)
	for _, part := range parts {
		size += len(part)
	}
	out := append(make(Key, 0, size), k...)
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

// Int64 appends v in 8 bytes, big-endian with the sign bit flipped, so that the
// order of keys is the order of numbers, negative ones first.
func (k Key) Int64(v int64) Key { return k.Uint64(uint64(v) ^ 1<<63) }

// Uint64 appends v in 8 bytes, big-endian.
func (k Key) Uint64(v uint64) Key {
	return binary.BigEndian.AppendUint64(append(make(Key, 0, len(k)+8), k...), v)
}

// Name appends s padded with zero bytes to NameSize. It panics when s is longer
// or contains a zero byte, which would make two names one: callers validate.
func (k Key) Name(s string) Key {
	if len(s) > NameSize || strings.IndexByte(s, 0) >= 0 {
		panic(fmt.Sprintf("state: name %q in a key: want at most %d bytes, none of them zero", s, NameSize))
	}
	out := make(Key, len(k)+NameSize)
	copy(out, k)
	copy(out[len(k):], s)
	return out
}
