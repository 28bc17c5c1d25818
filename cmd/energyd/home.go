package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
)

// home is the folder of one node.
type home string

func (h home) settingsFile() string { return filepath.Join(string(h), "config", "config.toml") }
func (h home) genesisFile() string  { return filepath.Join(string(h), "config", "genesis.json") }
func (h home) nodeKeyFile() string  { return filepath.Join(string(h), "config", "node_key.json") }
func (h home) validatorFile() string {
	return filepath.Join(string(h), "config", "priv_validator_key.json")
}
func (h home) dataDir() string    { return filepath.Join(string(h), "data") }
func (h home) signedFile() string { return filepath.Join(h.dataDir(), "priv_validator_state.json") }

// stateDir is where the application keeps its state; CometBFT's own stores lie
// beside it in data.
func (h home) stateDir() string { return filepath.Join(h.dataDir(), "state") }

// createKeys makes the folders and the two keys; it overwrites nothing. seed,
// if not empty, makes the keys the same every time; such keys are for tests.
func (h home) createKeys(seed string) error {
	for _, dir := range []string{string(h), filepath.Dir(h.settingsFile()), h.dataDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, file := range []string{h.settingsFile(), h.genesisFile(), h.nodeKeyFile(), h.validatorFile(), h.signedFile()} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return fail(exitUsage, fmt.Errorf("%s exists already", file), "nothing is overwritten: choose another --home or move the old one away")
		}
	}
	nodeKey, validatorKey := ed25519.GenPrivKey(), ed25519.GenPrivKey()
	if seed != "" {
		nodeKey, validatorKey = seedKeys(seed)
	}
	if err := (&p2p.NodeKey{PrivKey: nodeKey}).SaveAs(h.nodeKeyFile()); err != nil {
		return err
	}
	privval.NewFilePV(validatorKey, h.validatorFile(), h.signedFile()).Save()
	return nil
}

// nodeID returns the id by which peers name this node.
func (h home) nodeID() (p2p.ID, error) {
	key, err := p2p.LoadNodeKey(h.nodeKeyFile())
	if err != nil {
		return "", err
	}
	return key.ID(), nil
}

// validatorKey returns the public consensus key, 32 bytes.
func (h home) validatorKey() ([]byte, error) {
	data, err := os.ReadFile(h.validatorFile())
	if err != nil {
		return nil, err
	}
	var key privval.FilePVKey
	if err := cmtjson.Unmarshal(data, &key); err != nil {
		return nil, fmt.Errorf("%s: %w", h.validatorFile(), err)
	}
	if _, ok := key.PubKey.(ed25519.PubKey); !ok || key.PrivKey == nil {
		return nil, fmt.Errorf("%s: expected an Ed25519 key pair", h.validatorFile())
	}
	return key.PubKey.Bytes(), nil
}

// checkSigned reads what the validator signed last: CometBFT ends the process
// when it finds the file broken, so it is read here first.
func (h home) checkSigned() error {
	data, err := os.ReadFile(h.signedFile())
	if err != nil {
		return err
	}
	if err := cmtjson.Unmarshal(data, new(privval.FilePVLastSignState)); err != nil {
		return fmt.Errorf("%s: %w", h.signedFile(), err)
	}
	return nil
}

// checkModes refuses keys that others than the owner may read or replace
// (reliability.md 4).
func (h home) checkModes() error {
	for _, secret := range []struct {
		name string
		mode fs.FileMode
	}{
		{filepath.Dir(h.nodeKeyFile()), 0o700},
		{h.dataDir(), 0o700},
		{h.nodeKeyFile(), 0o600},
		{h.validatorFile(), 0o600},
		{h.signedFile(), 0o600},
	} {
		info, err := os.Stat(secret.name)
		if errors.Is(err, fs.ErrNotExist) {
			return fail(exitUsage, err, "make a home with energyd init, or name the right one with --home")
		}
		if err != nil {
			return fail(exitPermission, err, "run energyd as the owner of its home")
		}
		if got := info.Mode().Perm(); got&^secret.mode != 0 {
			return fail(exitPermission, fmt.Errorf("%s: mode %04o, expected at most %04o", secret.name, got, secret.mode),
				"chmod %04o %s; if others could read a key, replace it", secret.mode, secret.name)
		}
	}
	return nil
}
