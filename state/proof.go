package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
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
		p, err := v.existence(here)
		return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: p}}, err
	}
	if left == nil && right == nil {
		return nil, ErrNoProof
	}
	p := &ics23.NonExistenceProof{Key: key}
	var err error
	if left != nil {
		if p.Left, err = v.existence(left); err != nil {
			return nil, err
		}
	}
	if right != nil {
		if p.Right, err = v.existence(right); err != nil {
			return nil, err
		}
	}
	return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: p}}, nil
}

// locate returns the leaf at path, or else the leaves next to it on either
// side, nil where there is none.
func locate(n node, path *hash) (left, here, right *leaf) {
	var leftOf, rightOf node // the nearest subtrees passed on either side
	for depth := 0; ; depth++ {
		switch at := n.(type) {
		case *inner:
			if bit(path, depth) == 0 {
				n = at.left
				if at.right != nil {
					rightOf = at.right
				}
			} else {
				n = at.right
				if at.left != nil {
					leftOf = at.left
				}
			}
			continue
		case *leaf:
			own := sha256.Sum256([]byte(at.key))
			switch bytes.Compare(own[:], path[:]) {
			case 0:
				return nil, at, nil
			case -1:
				return at, nil, edge(rightOf, 0)
			default:
				return edge(leftOf, 1), nil, at
			}
		}
		return edge(leftOf, 1), nil, edge(rightOf, 0)
	}
}

// edge returns the first (side 0) or last (side 1) leaf under n.
func edge(n node, side byte) *leaf {
	for {
		in, ok := n.(*inner)
		if !ok {
			l, _ := n.(*leaf)
			return l
		}
		near, far := in.left, in.right
		if side == 1 {
			near, far = far, near
		}
		if n = near; n == nil {
			n = far
		}
	}
}

// existence proves a leaf of the view's tree, from the leaf up to the root.
func (v *View) existence(l *leaf) (*ics23.ExistenceProof, error) {
	key := []byte(l.key)
	value := v.Get(key)
	if value == nil {
		return nil, fmt.Errorf("state: prove key %x: it is in the tree of height %d but not in the database", key, v.height)
	}
	path := sha256.Sum256(key)
	var ops []*ics23.InnerOp
	n := v.tree
	for depth := 0; ; depth++ {
		in, ok := n.(*inner)
		if !ok {
			break
		}
		op := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{1}}
		if bit(&path, depth) == 0 {
			n, op.Suffix = in.left, bytes.Clone(digestOf(in.right)[:])
		} else {
			n, op.Prefix = in.right, append(op.Prefix, digestOf(in.left)[:]...)
		}
		ops = append(ops, op)
	}
	slices.Reverse(ops)
	leafOp := &ics23.LeafOp{
		Hash:         ics23.HashOp_SHA256,
		PrehashKey:   ics23.HashOp_SHA256,
		PrehashValue: ics23.HashOp_SHA256,
		Length:       ics23.LengthOp_NO_PREFIX,
		Prefix:       []byte{0},
	}
	return &ics23.ExistenceProof{Key: key, Value: value, Leaf: leafOp, Path: ops}, nil
}
