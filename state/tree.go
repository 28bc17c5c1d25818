package state

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sort"
	"sync"
	"unsafe"
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
// changes since.
//
// A leaf carries its whole pair. That costs the memory of the values, which are
// small, and pays for it: reads and proofs never touch the disk, and an update
// meets the old value, which the undo record needs, on its way.

const hashSize = sha256.Size

type hash = [hashSize]byte

// node is *leaf, *inner, or nil for an empty subtree.
type node interface{ digest() *hash }

type leaf struct {
	sum hash
	// key is one string for all the values that a key ever had, and for the
	// order of the keys.
	key, value string
}

type inner struct {
	sum         hash
	left, right node
}

// bytesOf is a string as the bytes that it is, not copied: readers get the
// store's own bytes and may not change them (Reader).
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (l *leaf) path() hash { return sha256.Sum256(bytesOf(l.key)) }

func (n *inner) child(side byte) node {
	if side == 0 {
		return n.left
	}
	return n.right
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

// update says what shall stand at a path: a leaf, or nil for nothing. Applying
// it fills in the leaf that stood there before.
type update struct {
	path      hash
	leaf, old *leaf
}

// newUpdate makes the update that a pair causes; a nil value is a deletion. It
// keeps the value, which must not change any more.
func newUpdate(key string, value []byte) update {
	u := update{path: sha256.Sum256(bytesOf(key))}
	if value == nil {
		return u
	}
	var pre [1 + 2*hashSize]byte // the leading zero is the leaf's prefix
	copy(pre[1:], u.path[:])
	sum := sha256.Sum256(value)
	copy(pre[1+hashSize:], sum[:])
	u.leaf = &leaf{sum: sha256.Sum256(pre[:]), key: key, value: unsafe.String(unsafe.SliceData(value), len(value))}
	return u
}

// idle says whether the update, once applied, turned out to change nothing.
func (u *update) idle() bool {
	if u.leaf == nil || u.old == nil {
		return u.leaf == u.old
	}
	return u.leaf.sum == u.old.sum
}

// applyUpdates returns the tree that n becomes, hashing every inner node at
// most once however many updates lie under it. The updates name each path once;
// it sorts them in place and fills in what they replace.
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
		left, right := applyBoth(n, depth+1, ups[:at], ups[at:])
		if left == n.left && right == n.right {
			return n
		}
		return join(left, right)
	case *leaf:
		at, found := 0, len(ups) == 1 && ups[0].leaf != nil && ups[0].leaf.key == n.key
		if !found { // seldom: most changes are to keys that are there
			path := n.path()
			at, found = slices.BinarySearchFunc(ups, path, func(u update, p hash) int {
				return bytes.Compare(u.path[:], p[:])
			})
			if !found {
				return build(depth, slices.Insert(slices.Clone(ups), at, update{path: path, leaf: n}))
			}
		}
		if ups[at].old = n; len(ups) == 1 && ups[at].idle() {
			return n // and nothing above is hashed again
		}
		if ups[at].leaf != nil {
			ups[at].leaf.key = n.key
		}
		return build(depth, ups)
	default:
		return build(depth, ups)
	}
}

// apartFrom is how many updates are worth a goroutine.
const apartFrom = 512

// applyBoth works on both sides of n, at the same time where there is much to do:
// they share nothing, and what comes out depends on neither's pace.
func applyBoth(n *inner, depth int, lefts, rights []update) (left, right node) {
	if min(len(lefts), len(rights)) < apartFrom {
		return apply(n.left, depth, lefts), apply(n.right, depth, rights)
	}
	var wait sync.WaitGroup
	wait.Go(func() { left = apply(n.left, depth, lefts) })
	right = apply(n.right, depth, rights)
	wait.Wait()
	return left, right
}

// build makes the subtree of exactly the leaves in ups.
func build(depth int, ups []update) node {
	switch {
	case len(ups) == 0 || len(ups) == 1 && ups[0].leaf == nil:
		return nil
	case len(ups) == 1:
		return ups[0].leaf
	}
	at := split(ups, depth)
	return join(build(depth+1, ups[:at]), build(depth+1, ups[at:]))
}

// find returns the leaf of key, nil when there is none.
func find(n node, key []byte) *leaf {
	path := sha256.Sum256(key)
	for depth := 0; ; depth++ {
		switch at := n.(type) {
		case *inner:
			n = at.child(bit(&path, depth))
		case *leaf:
			if at.key == string(key) {
				return at
			}
			return nil
		default:
			return nil
		}
	}
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
