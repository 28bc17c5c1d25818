package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/cometbft/cometbft/crypto/merkle"

	"github.com/energyd/energyd/protocol"
)

// TestStatementTree compares the tree of statements with the engine's own tree
// of RFC 6962. It is here because package protocol must not know the engine.
func TestStatementTree(t *testing.T) {
	for size := range 41 {
		var data, leaves [][]byte
		for i := range size {
			data = append(data, fmt.Append(nil, "statement", i))
			leaf := sha256.Sum256(append([]byte{0}, data[i]...))
			leaves = append(leaves, leaf[:])
		}
		root, proofs := merkle.ProofsFromByteSlices(data)
		if got := protocol.TreeRoot(leaves); !bytes.Equal(got, root) {
			t.Fatalf("%d leaves: root %x, want %x", size, got, root)
		}
		for i, proof := range proofs {
			path := protocol.TreePath(leaves, i)
			if len(path) != len(proof.Aunts) {
				t.Fatalf("leaf %d of %d: a path of %d, want %d", i, size, len(path), len(proof.Aunts))
			}
			for j := range path {
				if !bytes.Equal(path[j], proof.Aunts[j]) {
					t.Fatalf("leaf %d of %d: step %d is %x, want %x", i, size, j, path[j], proof.Aunts[j])
				}
			}
			if got := protocol.PathRoot(leaves[i], int64(i), int64(size), proof.Aunts); !bytes.Equal(got, root) {
				t.Fatalf("leaf %d of %d: the engine's path leads to %x", i, size, got)
			}
		}
	}
}
