package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	ics23 "github.com/cosmos/ics23/go"
)

// ErrNoProof is returned when an absence is to be proved in an empty store:
// ICS23 proves absence by a neighbour. The root of 32 zero bytes is the proof.
var ErrNoProof = errors.New("state: an empty store has no proofs: its root is 32 zero bytes")

// Prove returns the ICS23 proof (ics23.SmtSpec) that key has its value under
// v.Root(), or that it has none.
func (v *View) Prove(key []byte) (*ics23.CommitmentProof, error) {
	if len(key) == 0 {
		return nil, errors.New("state: prove an empty key: want at least one byte")
	}
	path := sha256.Sum256(key)
	left, here, right := locate(v.tree, &path)
	if here != nil {
		return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: existence(v.tree, here)}}, nil
	}
	if left == nil && right == nil {
		return nil, ErrNoProof
	}
	p := &ics23.NonExistenceProof{Key: bytes.Clone(key)}
	if left != nil {
		p.Left = existence(v.tree, left)
	}
	if right != nil {
		p.Right = existence(v.tree, right)
	}
	return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: p}}, nil
}

// locate returns the leaf at path, or else the leaves next to it on either
// side, nil where there is none.
func locate(n node, path *hash) (left, here, right *leaf) {
	var leftOf, rightOf node // the nearest subtrees passed on either side
	depth := 0
	in, ok := n.(*inner)
	for ; ok; in, ok = n.(*inner) {
		if bit(path, depth) == 0 {
			n = in.left
			if in.right != nil {
				rightOf = in.right
			}
		} else {
			n = in.right
			if in.left != nil {
				leftOf = in.left
			}
		}
		depth++
	}
	if l, ok := n.(*leaf); ok {
		own := l.path()
		switch bytes.Compare(own[:], path[:]) {
		case 0:
			return nil, l, nil
		case -1:
			return l, nil, edge(rightOf, 0)
		default:
			return edge(leftOf, 1), nil, l
		}
	}
	return edge(leftOf, 1), nil, edge(rightOf, 0)
}

// edge returns the first (side 0) or last (side 1) leaf under n.
func edge(n node, side byte) *leaf {
	for {
		in, ok := n.(*inner)
		if !ok {
			l, _ := n.(*leaf)
			return l
		}
		if n = in.child(side); n == nil {
			n = in.child(1 - side)
		}
	}
}

// existence proves a leaf of the tree, from the leaf up to the root.
func existence(n node, l *leaf) *ics23.ExistenceProof {
	path := l.path()
	var ops []*ics23.InnerOp
	in, ok := n.(*inner)
	for depth := 0; ok; depth++ {
		op := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{1}}
		if bit(&path, depth) == 0 {
			n, op.Suffix = in.left, bytes.Clone(digestOf(in.right)[:])
		} else {
			n, op.Prefix = in.right, append(op.Prefix, digestOf(in.left)[:]...)
		}
		ops = append(ops, op)
		in, ok = n.(*inner)
	}
	slices.Reverse(ops)
	leafOp := &ics23.LeafOp{
		Hash:         ics23.HashOp_SHA256,
		PrehashKey:   ics23.HashOp_SHA256,
		PrehashValue: ics23.HashOp_SHA256,
		Length:       ics23.LengthOp_NO_PREFIX,
		Prefix:       []byte{0},
	}
	return &ics23.ExistenceProof{Key: []byte(l.key), Value: []byte(l.value), Leaf: leafOp, Path: ops}
}
