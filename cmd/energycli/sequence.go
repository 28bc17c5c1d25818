package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/energyd/energyd/protocol"
)

// Sequences that were given out are remembered in --home, so that a transaction
// sent with --wait=false and the next one do not get the same: the chain knows
// only those in blocks. The file is a help, no authority: without it, or with
// one of another time, the chain's number is used.

// aheadMost is how far a sequence may be ahead of the chain's highest.
const aheadMost = 1000

func (o *options) sequencesPath() string { return filepath.Join(o.home, "sequences.json") }

func sequenceKey(chainID string, key protocol.Address) string { return chainID + "/" + key.String() }

func (o *options) sequences() map[string]uint64 {
	known := make(map[string]uint64)
	if data, err := os.ReadFile(o.sequencesPath()); err == nil {
		// What cannot be read is as good as nothing.
		_ = json.Unmarshal(data, &known)
	}
	return known
}

// unused returns a sequence that was not given out yet; next is the chain's.
func (o *options) unused(chainID string, key protocol.Address, next uint64) uint64 {
	if last := o.sequences()[sequenceKey(chainID, key)]; last >= next && last-next < aheadMost {
		return last + 1
	}
	return next
}

// use remembers that a sequence was given out.
func (o *options) use(chainID string, key protocol.Address, sequence uint64) {
	known := o.sequences()
	known[sequenceKey(chainID, key)] = sequence
	data, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return
	}
	// A home that cannot be written to must not keep anybody from sending.
	temporary := o.sequencesPath() + ".new"
	if os.WriteFile(temporary, append(data, '\n'), 0o600) == nil {
		_ = os.Rename(temporary, o.sequencesPath())
	}
}
