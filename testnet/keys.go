package testnet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/energyd/energyd/client"
)

// Keys unlocks the network's test keys: the authority's, and the aggregators'
// in the order of their nodes.
func (n *Network) Keys() (authority client.Key, aggregators []client.Key, err error) {
	passphrase, err := os.ReadFile(filepath.Join(n.dir, PassphraseFile))
	if err != nil {
		return authority, nil, fmt.Errorf("passphrase of the test keys: %w", err)
	}
	store, err := client.OpenKeystore(filepath.Join(n.dir, KeysDir))
	if err != nil {
		return authority, nil, err
	}
	unlock := func(name string) (client.Key, error) {
		return store.Unlock(name, strings.TrimSpace(string(passphrase)))
	}
	if authority, err = unlock(AuthorityKey); err != nil {
		return authority, nil, err
	}
	for i := range n.folder.Members {
		key, err := unlock(AggregatorKey(i))
		if err != nil {
			return authority, nil, err
		}
		aggregators = append(aggregators, key)
	}
	return authority, aggregators, nil
}
