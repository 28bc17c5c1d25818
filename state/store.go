// Package state is the authenticated key-value store of the chain.
//
// Every replica must come to the same root for the same set of pairs, prove
// any pair (or its absence) to somebody who knows only that root, and be whole
// at a committed height after a crash at any moment. The package exists so that
// the rest of the application can forget about all three: modules read and
// write typed tables (Map, Item) through a Reader or a Store, transactions run
// on branches that are written or discarded, and DB turns one branch per block
// into a root and one synced batch.
//
// The pairs are stored in pebble, which keeps them in order and safe; over them
// stands a canonical compact sparse Merkle tree in memory (tree.go), rebuilt at
// start and compared with the stored root. Its proofs are ICS23 under the upstream SmtSpec (proof.go).
package state

import "iter"

// Reader reads pairs. What it returns belongs to the store and must not be
// changed. A read that the database cannot serve panics with Fault.
type Reader interface {
	// Get returns the value of key, nil when the key is absent.
	Get(key []byte) []byte
	// Range yields the pairs whose key has prefix, ascending, starting at the
	// first key >= from (nil: the start). The iteration sees the store as it
	// was when it began; writes during it are allowed and not seen.
	Range(prefix, from []byte) iter.Seq2[[]byte, []byte]
}

// MaxKeySize is the greatest length of a key, in bytes.
const MaxKeySize = 255

// Store is a Reader that can be written. An empty key or value, or a key beyond
// MaxKeySize, panics: keys come from NewKey and values from Map, which make
// neither.
type Store interface {
	Reader
	// Set keeps the value, which must not change any more, and copies the key.
	Set(key, value []byte)
	Delete(key []byte) // deleting an absent key changes nothing
	// Atomic runs fn and returns its error; unless that is nil, or if fn panics,
	// what fn wrote is taken back. Calls may be nested.
	Atomic(fn func() error) error
}

// Fault is what a read panics with when the database fails or a stored value
// does not decode. It says that this machine is broken, not the transaction
// that happened to run into it: the application must stop, not turn it into a
// result code that other validators would not see.
type Fault struct{ Err error }

// Error implements error, so that a recovered Fault can be wrapped and logged.
func (f Fault) Error() string { return "state: database fault: " + f.Err.Error() }

// Unwrap returns the cause.
func (f Fault) Unwrap() error { return f.Err }
