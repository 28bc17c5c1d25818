package app

import (
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// windowBits is how far below the highest sequence an unused one is still
// accepted, and how far above it the next may be: senders may have many
// envelopes under way and lose some.
const windowBits = 1024

// windowOf returns a key's replay window; a key that never sent has none used.
func windowOf(r state.Reader, key protocol.Address) *txv1.Window {
	window, ok := windows.Get(r, windows.Key().Bytes(key[:]))
	if !ok {
		return &txv1.Window{Bitmap: make([]byte, windowBits/8)}
	}
	return window
}

// useSequence marks sequence as used in the window, or says why it may not be
// used and changes nothing. Bit i of the bitmap stands for highest - i; sequence
// 0 is never used.
func useSequence(window *txv1.Window, sequence uint64) error {
	if sequence > window.Highest && sequence-window.Highest > windowBits {
		return ErrSequenceTooFar.With("sequence: expected at most %d, got %d", window.Highest+windowBits, sequence)
	}
	if sequence == 0 || (sequence <= window.Highest && window.Highest-sequence >= windowBits) {
		return ErrReplayed.With("sequence: %d lies before the key's window, expected above %d", sequence, window.Highest)
	}
	if sequence > window.Highest {
		window.Bitmap = shift(window.Bitmap, sequence-window.Highest)
		window.Highest = sequence
	}
	back := window.Highest - sequence
	if window.Bitmap[back/8]&(1<<(back%8)) != 0 {
		return ErrReplayed.With("sequence: %d was used before", sequence)
	}
	window.Bitmap[back/8] |= 1 << (back % 8)
	return nil
}

// shift moves every bit up by n places; what leaves the window is forgotten.
func shift(bitmap []byte, n uint64) []byte {
	moved := make([]byte, len(bitmap))
	bytes, bits := int(n/8), n%8
	for i := len(moved) - 1; i >= bytes; i-- {
		moved[i] = bitmap[i-bytes] << bits
		if bits > 0 && i > bytes {
			moved[i] |= bitmap[i-bytes-1] >> (8 - bits)
		}
	}
	return moved
}
