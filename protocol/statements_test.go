package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// TestTreeRootVectors are the leaves and roots with which implementations of
// RFC 6962 are commonly tested.
func TestTreeRootVectors(t *testing.T) {
	var leaves [][]byte
	for i, data := range []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"} {
		leaf := sha256.Sum256(append([]byte{0}, unhex(t, data)...))
		leaves = append(leaves, leaf[:])
		want := []string{
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
			"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
			"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
			"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
			"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
			"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
		}[i]
		if got := hex.EncodeToString(TreeRoot(leaves)); got != want {
			t.Errorf("%d leaves: root %s, want %s", i+1, got, want)
		}
	}
	if got := hex.EncodeToString(TreeRoot(nil)); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("no leaves: root %s", got)
	}
}

func testLeaves(n int) [][]byte {
	leaves := make([][]byte, n)
	for i := range leaves {
		hash := sha256.Sum256(fmt.Append(nil, "leaf", i))
		leaves[i] = hash[:]
	}
	return leaves
}

func TestPathsLeadToTheRoot(t *testing.T) {
	for size := 1; size <= 40; size++ {
		leaves := testLeaves(size)
		root := TreeRoot(leaves)
		for index := range leaves {
			path := TreePath(leaves, index)
			if got := PathRoot(leaves[index], int64(index), int64(size), path); !bytes.Equal(got, root) {
				t.Fatalf("leaf %d of %d: path leads to %x, want %x", index, size, got, root)
			}
			for other := range int64(size) {
				if other != int64(index) && bytes.Equal(PathRoot(leaves[index], other, int64(size), path), root) {
					t.Fatalf("leaf %d of %d passes as leaf %d", index, size, other)
				}
			}
		}
	}
}

func TestPathRootRefuses(t *testing.T) {
	leaves := testLeaves(5)
	path := TreePath(leaves, 1)
	for _, tc := range []struct {
		name        string
		index, size int64
		path        [][]byte
	}{
		{"negative index", -1, 5, path},
		{"index beyond the tree", 5, 5, path},
		{"empty tree", 0, 0, nil},
		{"path too short", 1, 5, path[:2]},
		{"path too long", 1, 5, append(path[:3:3], leaves[0])},
		{"path of a tree of one", 0, 1, path[:1]},
		{"no path", 1, 5, nil},
	} {
		if got := PathRoot(leaves[1], tc.index, tc.size, tc.path); got != nil {
			t.Errorf("%s: root %x, want none", tc.name, got)
		}
	}
	if got := PathRoot(leaves[1], 1, 1<<62, make([][]byte, 62)); got == nil {
		t.Error("a path of 62 hashes in a tree of 2^62 leaves was refused")
	}
}

func TestStatementsRootKey(t *testing.T) {
	for period, want := range map[int64]string{
		1_700_000_000_000: "08058000018bcfe56800",
		-1:                "08057fffffffffffffff",
	} {
		if got := hex.EncodeToString(StatementsRootKey(period)); got != want {
			t.Errorf("key of %d: %s, want %s", period, got, want)
		}
	}
}

func TestStatementLeaf(t *testing.T) {
	// Period 5 (field 2) and import 300 Wh (field 6), encoded by hand.
	want := sha256.Sum256(append([]byte{0}, unhex(t, "100530ac02")...))
	got, err := StatementLeaf(&settlementv1.Statement{Period: 5, ImportWh: 300})
	if err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("leaf %x, %v, want %x", got, err, want)
	}
}
