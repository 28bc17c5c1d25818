package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/testnet"
)

// checkFolder refuses to go on with the network in a folder if it is another
// than was asked for by flags or by the manifest file, if there is one.
func checkFolder(flags *pflag.FlagSet, dir, file string, m testnet.Manifest) error {
	folder, err := testnet.ReadFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(exitUsage, fmt.Errorf("--dir: %s holds something that is not a test network", dir), "choose another one")
	}
	if err != nil {
		return fail(exitUsage, err, "correct the file, or choose another --dir")
	}
	h := home(filepath.Join(dir, folder.Members[0].Name))
	s, err := readSettings(h.settingsFile())
	if err != nil {
		return err
	}
	params, err := otherParam(h, m.Params)
	if err != nil {
		return err
	}
	for _, thing := range []struct {
		flag  string
		same  bool
		holds any
	}{
		{"validators", m.Validators == len(folder.Members), len(folder.Members)},
		{"chain-id", m.ChainID == folder.ChainID, folder.ChainID},
		{"period-length", m.PeriodLength.Milliseconds() == folder.PeriodLengthMs, time.Duration(folder.PeriodLengthMs) * time.Millisecond},
		{"timeout-propose", m.TimeoutPropose == s.Consensus.TimeoutPropose, s.Consensus.TimeoutPropose},
		{"timeout-commit", m.TimeoutCommit == s.Consensus.TimeoutCommit, s.Consensus.TimeoutCommit},
		{"param", params == "", params},
		{"seed", m.Seed == "" || seedNodeID(m.Seed, folder) == folder.Members[0].NodeID, "keys of another seed"},
	} {
		given := flags.Changed(thing.flag)
		if thing.same || !given && file == "" {
			continue
		}
		name := "--" + thing.flag
		if !given {
			name = file + ": field " + strings.ReplaceAll(thing.flag, "-", "_")
		}
		return fail(exitUsage, fmt.Errorf("%s: the folder holds a network with %v", name, thing.holds),
			"leave it out to go on with that network, or choose another --dir than %s", dir)
	}
	return nil
}

// otherParam returns the first parameter of a node's genesis that is not as in
// params, as name=value.
func otherParam(h home, params map[string]int64) (string, error) {
	if len(params) == 0 {
		return "", nil
	}
	g, err := readGenesis(h.genesisFile())
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		for _, entry := range g.state.Registry.Params {
			m := entry.Params.ProtoReflect()
			field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
			if field == nil {
				return "", unknownParam(name)
			}
			if value := m.Get(field).Int(); value != params[name] {
				return fmt.Sprintf("%s=%d", name, value), nil
			}
		}
	}
	return "", nil
}

// seedNodeID is the id that the first node of a folder has if its keys were
// made from seed.
func seedNodeID(seed string, folder *testnet.Folder) string {
	nodeKey, _ := seedKeys(memberSeed(seed, folder.Members[0].Name))
	return string((&p2p.NodeKey{PrivKey: nodeKey}).ID())
}

// seedKeys are the keys of a node that createKeys makes from a seed.
func seedKeys(seed string) (node, validator ed25519.PrivKey) {
	return ed25519.GenPrivKeyFromSecret([]byte(seed + "/node")), ed25519.GenPrivKeyFromSecret([]byte(seed + "/validator"))
}

// memberSeed is the seed of one node of a network.
func memberSeed(seed, name string) string { return seed + "/" + name }
