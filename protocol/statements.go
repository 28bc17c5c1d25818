package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// First bytes of the state keys of each module, in the order of SPEC, later
// modules after them. They are here because proofs name keys.
const (
	ModuleApp byte = 1 + iota
	ModuleRegistry
	ModuleBank
	ModuleGrid
	ModuleReputation
	ModuleMetering
	ModuleMatching
	ModuleSettlement
	ModuleCredit
	ModuleOrigin
	ModuleDispatch
)

// TableStatementsRoots is settlement's table of roots by period.
const TableStatementsRoots byte = 5

// StatementsRootKey is the state key under which the latest root of a period's
// statements stands for ever.
func StatementsRootKey(period int64) []byte {
	key := make([]byte, 0, 10)
	key = append(key, ModuleSettlement, TableStatementsRoots)
	return binary.BigEndian.AppendUint64(key, uint64(period)^(1<<63))
}

// StatementLeaf hashes a statement as a leaf of its period's tree.
func StatementLeaf(statement *settlementv1.Statement) ([]byte, error) {
	data, err := Marshal(statement)
	if err != nil {
		return nil, err
	}
	return LeafOf(data), nil
}

// LeafOf hashes an encoded statement as a leaf.
func LeafOf(data []byte) []byte {
	hash := sha256.Sum256(append([]byte{0}, data...))
	return hash[:]
}

// TreeRoot returns the RFC 6962 root over leaf hashes; that of no leaves is
// SHA-256 of nothing.
func TreeRoot(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		hash := sha256.Sum256(nil)
		return hash[:]
	case 1:
		return leaves[0]
	}
	split := splitPoint(len(leaves))
	return innerHash(TreeRoot(leaves[:split]), TreeRoot(leaves[split:]))
}

// TreePath returns the hashes that lead from the leaf at index to the root,
// the leaf's sibling first.
func TreePath(leaves [][]byte, index int) [][]byte {
	if len(leaves) <= 1 {
		return nil
	}
	split := splitPoint(len(leaves))
	if index < split {
		return append(TreePath(leaves[:split], index), TreeRoot(leaves[split:]))
	}
	return append(TreePath(leaves[split:], index-split), TreeRoot(leaves[:split]))
}

// PathRoot returns the root to which path leads from leaf, nil if the path
// does not fit a tree of that size.
func PathRoot(leaf []byte, index, size int64, path [][]byte) []byte {
	if index < 0 || index >= size {
		return nil
	}
	if size == 1 {
		if len(path) != 0 {
			return nil
		}
		return leaf
	}
	if len(path) == 0 {
		return nil
	}
	last := len(path) - 1
	split := int64(splitPoint(int(size)))
	if index < split {
		left := PathRoot(leaf, index, split, path[:last])
		if left == nil {
			return nil
		}
		return innerHash(left, path[last])
	}
	right := PathRoot(leaf, index-split, size-split, path[:last])
	if right == nil {
		return nil
	}
	return innerHash(path[last], right)
}

// splitPoint is the greatest power of two below n > 1.
func splitPoint(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func innerHash(left, right []byte) []byte {
	hash := sha256.Sum256(append(append([]byte{1}, left...), right...))
	return hash[:]
}
