package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/energyd/energyd/internal/strictjson"
)

// Folder is what network.json in a network's folder says, written by
// "energyd testnet init". Beside it lie the homes of the nodes, and in keys a
// keystore with the keys authority, aggregator0, aggregator1 and so on, whose
// passphrase is in the file passphrase.
type Folder struct {
	ChainID        string   `json:"chain_id"`
	PeriodLengthMs int64    `json:"period_length_ms"`
	Members        []Member `json:"nodes"`
}

// Member is one node of a Folder.
type Member struct {
	// Name is that of the node and of its folder: node0, node1 and so on.
	Name   string `json:"name"`
	NodeID string `json:"node_id"`
	// Account is the address of the aggregator whose node it is.
	Account string `json:"account"`
}

// Names in a network's folder.
const (
	FolderFile     = "network.json"
	KeysDir        = "keys"
	PassphraseFile = "passphrase"
	AuthorityKey   = "authority"

	// lockFile is locked by who runs the network.
	lockFile = "lock"
)

// AggregatorKey is the name of the i-th aggregator's key.
func AggregatorKey(i int) string { return fmt.Sprintf("aggregator%d", i) }

// ReadFolder reads what network a folder holds; the error is fs.ErrNotExist
// when it holds none.
func ReadFolder(dir string) (*Folder, error) {
	file := filepath.Join(dir, FolderFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	folder := new(Folder)
	if err := strictjson.Decode(data, folder); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(folder.Members) == 0 {
		return nil, fmt.Errorf("%s: field nodes: expected at least one", file)
	}
	return folder, nil
}

// Empty says whether dir does not exist or has nothing in it.
func Empty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}
