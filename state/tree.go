package state

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sort"
)

// The tree is a canonical compact sparse Merkle tree over sha256 of the keys:
//
//	path of a key   sha256(key), most significant bit first: 0 left, 1 right
//	leaf            sha256(0x00 | sha256(key) | sha256(value)), at the shortest
//	                prefix of its path that no other key shares
//	inner node      sha256(0x01 | left | right)
//	empty subtree   32 zero bytes
//
// so that the root depends on the set of pairs and on nothing else. Nodes are
// never changed once built: an update copies the paths it touches and shares
// the rest, which is what makes a root of the past as cheap to keep as the
// changes since. A leaf keeps the key itself, not its path: proofs of absence
// name their neighbours by key, and the path is one hash away.

const hashSize = sha256.Size

type hash = [hashSize]byte

// node is *leaf, *inner, or nil for an empty subtree.
type node interface{ digest() *hash }

type leaf struct {
	sum hash
	key string
}

type inner struct {
	sum         hash
	left, right node
}

func (l *leaf) digest() *hash  { return &l.sum }
func (n *inner) digest() *hash { return &n.sum }

var emptyHash hash

// digestOf is digest for a node that may be nil.
func digestOf(n node) *hash {
	if n == nil {
		return &emptyHash
	}
	return n.digest()
}

// update says what shall stand at a path: a leaf, or nil for nothing.
type update struct {
	path hash
	leaf *leaf
}

// newUpdate makes the update that a pair causes; a nil value is a deletion.
func newUpdate(key, value []byte) update {
	u := update{path: sha256.Sum256(key)}
	if value == nil {
		return u
	}
	var pre [1 + 2*hashSize]byte // the leading zero is the leaf's prefix
	copy(pre[1:], u.path[:])
	sum := sha256.Sum256(value)
	copy(pre[1+hashSize:], sum[:])
	u.leaf = &leaf{sum: sha256.Sum256(pre[:]), key: string(key)}
	return u
}

// applyUpdates returns the tree that n becomes, hashing every inner node at
// most once however many updates lie under it. The updates name each path once;
// it sorts them in place.
func applyUpdates(n node, ups []update) node {
	slices.SortFunc(ups, func(a, b update) int { return bytes.Compare(a.path[:], b.path[:]) })
	return apply(n, 0, ups)
}

// apply works on the subtree n at depth, under which all of ups (sorted) lie.
func apply(n node, depth int, ups []update) node {
	if len(ups) == 0 {
		return n
	}
	switch n := n.(type) {
	case *inner:
		at := split(ups, depth)
		left, right := apply(n.left, depth+1, ups[:at]), apply(n.right, depth+1, ups[at:])
		if left == n.left && right == n.right {
			return n
		}
		return join(left, right)
	case *leaf:
		return build(depth, n, withLeaf(ups, n))
	default:
		return build(depth, nil, ups)
	}
}

// build makes the subtree of exactly the leaves in ups. It uses old for a leaf
// that is equal to it, so that an update which changes nothing costs nothing
// further up.
func build(depth int, old *leaf, ups []update) node {
	if len(ups) == 0 {
		return nil
	}
	if len(ups) == 1 {
		switch l := ups[0].leaf; {
		case l == nil:
			return nil
		case old != nil && l.sum == old.sum:
			return old
		default:
			return l
		}
	}
	at := split(ups, depth)
	return join(build(depth+1, old, ups[:at]), build(depth+1, old, ups[at:]))
}

// withLeaf returns ups with l added, unless they say what becomes of it.
func withLeaf(ups []update, l *leaf) []update {
	path := sha256.Sum256([]byte(l.key))
	at, found := slices.BinarySearchFunc(ups, path, func(u update, p hash) int {
		return bytes.Compare(u.path[:], p[:])
	})
	if found {
		return ups
	}
	return slices.Concat(ups[:at], []update{{path, l}}, ups[at:])
}

// join returns the node over two subtrees. A lone leaf moves up: that is what
// keeps it at its shortest unique prefix after a deletion.
func join(left, right node) node {
	if left == nil {
		if _, lone := right.(*leaf); lone || right == nil {
			return right
		}
	} else if _, lone := left.(*leaf); lone && right == nil {
		return left
	}
	n := &inner{left: left, right: right}
	n.sum = hashInner(digestOf(left), digestOf(right))
	return n
}

func hashInner(left, right *hash) hash {
	var pre [1 + 2*hashSize]byte
	pre[0] = 1
	copy(pre[1:], left[:])
	copy(pre[1+hashSize:], right[:])
	return sha256.Sum256(pre[:])
}

// split returns the index of the first update that belongs to the right.
func split(ups []update, depth int) int {
	return sort.Search(len(ups), func(i int) bool { return bit(&ups[i].path, depth) == 1 })
}

func bit(path *hash, depth int) byte { return path[depth/8] >> (7 - depth%8) & 1 }
