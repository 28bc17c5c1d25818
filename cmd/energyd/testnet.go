package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/testnet"
)

func testnetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "testnet", Short: "Networks of several validators on this machine, for trying and testing"}
	cmd.AddCommand(testnetInitCommand(), testnetStartCommand())
	return cmd
}

// manifestFlags adds the flags by which a manifest can be given.
func manifestFlags(cmd *cobra.Command, m *testnet.Manifest) {
	flags := cmd.Flags()
	flags.IntVar(&m.Validators, "validators", m.Validators, "number of nodes")
	flags.StringVar(&m.ChainID, "chain-id", m.ChainID, "name of the chain")
	flags.DurationVar(&m.PeriodLength, "period-length", m.PeriodLength, "length of a trading period")
	flags.DurationVar(&m.TimeoutPropose, "timeout-propose", m.TimeoutPropose, "how long a proposer may stay silent")
	flags.DurationVar(&m.TimeoutCommit, "timeout-commit", m.TimeoutCommit, "pause after each block")
	flags.StringToInt64Var(&m.Params, "param", m.Params, "consensus parameters other than the defaults, name=value,...")
	flags.StringToStringVar(&m.Quotas, "quota", m.Quotas, quotaHelp)
	flags.StringVar(&m.Mechanism, "mechanism", m.Mechanism, mechanismHelp)
	flags.StringVar(&m.Seed, "seed", m.Seed, "make the same keys every time; for tests only")
}

func testnetInitCommand() *cobra.Command {
	manifest := testnet.Simple()
	var dir string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the homes of several validators, one genesis file and their keys",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := manifest.Validate(); err != nil {
				return fail(exitUsage, err, "correct the flag")
			}
			if empty, err := testnet.Empty(dir); err != nil || !empty {
				return fail(exitUsage, fmt.Errorf("--output-dir: expected an empty folder, got %s", dir), "nothing is overwritten: choose another one")
			}
			if err := makeTestnet(dir, manifest, time.Now()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s holds %d nodes of chain %s; keys in %s, for tests only\n",
				dir, manifest.Validators, manifest.ChainID, filepath.Join(dir, testnet.KeysDir))
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "output-dir", "testnet-data", "folder for the network")
	manifestFlags(cmd, &manifest)
	return cmd
}

// makeTestnet makes a network's folder (testnet.Folder).
func makeTestnet(dir string, m testnet.Manifest, now time.Time) error {
	chain := chainFlags{id: m.ChainID, periodLength: m.PeriodLength, threshold: 1}
	g, err := chain.genesis(now)
	if err != nil {
		return err
	}
	if err := setParams(g, m.Params); err != nil {
		return err
	}
	if err := setQuotas(g, m.Quotas); err != nil {
		return err
	}
	if err := setMechanism(g, m.Mechanism); err != nil {
		return err
	}
	if err := checkParams(g); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	keys, err := newTestKeys(dir, m.Seed)
	if err != nil {
		return err
	}
	authority, err := keys.create(testnet.AuthorityKey)
	if err != nil {
		return err
	}
	g.state.Registry.Authority.Keys = [][]byte{authority.Public()}

	folder := testnet.Folder{ChainID: m.ChainID, PeriodLengthMs: m.PeriodLength.Milliseconds()}
	for i := range m.Validators {
		member, err := makeMember(dir, m, i, keys, g)
		if err != nil {
			return err
		}
		folder.Members = append(folder.Members, member)
	}
	if err := g.validate(); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	for i, member := range folder.Members {
		h := home(filepath.Join(dir, member.Name))
		if err := newFile(h.settingsFile(), []byte(memberSettings(m, folder.Members, i).text())); err != nil {
			return err
		}
		if err := g.save(h.genesisFile()); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(folder, "", "  ")
	if err != nil {
		return err
	}
	return newFile(filepath.Join(dir, testnet.FolderFile), append(data, '\n'))
}

// makeMember makes the keys of the i-th node, and its aggregator in the genesis.
func makeMember(dir string, m testnet.Manifest, i int, keys *testKeys, g *genesis) (testnet.Member, error) {
	member := testnet.Member{Name: fmt.Sprintf("node%d", i)}
	h := home(filepath.Join(dir, member.Name))
	seed := ""
	if m.Seed != "" {
		seed = memberSeed(m.Seed, member.Name)
	}
	if err := h.createKeys(seed); err != nil {
		return member, err
	}
	id, err := h.nodeID()
	if err != nil {
		return member, err
	}
	validatorKey, err := h.validatorKey()
	if err != nil {
		return member, err
	}
	key, err := keys.create(testnet.AggregatorKey(i))
	if err != nil {
		return member, err
	}
	member.NodeID, member.Account = string(id), key.Address().String()
	return member, g.add(newAggregator(key.Public(), validatorKey, defaultPower), 0)
}

// memberSettings are the settings of the i-th node. "testnet start" gives other
// addresses where these are taken.
func memberSettings(m testnet.Manifest, members []testnet.Member, i int) *settings {
	s := recommended()
	s.Moniker = members[i].Name
	s.P2P.Laddr = fmt.Sprintf("tcp://127.0.0.1:%d", firstPort+2*i)
	s.RPC.Laddr = fmt.Sprintf("tcp://127.0.0.1:%d", firstPort+2*i+1)
	s.P2P.AllowDuplicateIP = true
	s.Consensus.TimeoutPropose, s.Consensus.TimeoutCommit = m.TimeoutPropose, m.TimeoutCommit
	var peers []string
	for j, other := range members {
		if j != i {
			peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", other.NodeID, firstPort+2*j))
		}
	}
	s.P2P.PersistentPeers = strings.Join(peers, ",")
	return s
}

// setParams sets parameters of the genesis by their names in the .proto file. A
// table of values gets the one value as its only entry.
func setParams(g *genesis, params map[string]int64) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params[name]
		for _, entry := range g.state.Registry.Params {
			m := entry.Params.ProtoReflect()
			field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
			if field == nil {
				return unknownParam(name)
			}
			if field.IsList() {
				m.Clear(field)
				m.Mutable(field).List().Append(protoreflect.ValueOfInt64(value))
				continue
			}
			m.Set(field, protoreflect.ValueOfInt64(value))
		}
	}
	return nil
}

const quotaHelp = "orders without escrow and signatures of matches, by user type: TYPE=TRADES/WH,...; default: no quotas"

// parseQuotas reads the values of --quota by user type.
func parseQuotas(quotas map[string]string) (list []*registryv1.ReliabilityQuota, err error) {
	for _, userType := range slices.Sorted(maps.Keys(quotas)) {
		trades, energy, _ := strings.Cut(quotas[userType], "/")
		quota := &registryv1.ReliabilityQuota{UserType: userType}
		var errs [2]error
		quota.Trades, errs[0] = strconv.ParseInt(trades, 10, 64)
		quota.EnergyWh, errs[1] = strconv.ParseInt(energy, 10, 64)
		if errs[0] != nil || errs[1] != nil {
			return nil, usage("--quota: expected TYPE=TRADES/WH such as household=20/50000, got %s=%s", userType, quotas[userType])
		}
		list = append(list, quota)
	}
	return list, nil
}

// setQuotas sets the reliability quotas of the genesis.
func setQuotas(g *genesis, quotas map[string]string) error {
	list, err := parseQuotas(quotas)
	if err != nil {
		return err
	}
	for _, entry := range g.state.Registry.Params {
		entry.Params.ReliabilityQuotas = list
	}
	return nil
}

const mechanismHelp = "how the market clears: kprototypes (default), cmap, welfare, auction or posted"

// setMechanism sets how the genesis's market clears.
func setMechanism(g *genesis, name string) error {
	if name == "" {
		return nil
	}
	mechanism, err := client.ParseEnum(matchingv1.Mechanism(0).Descriptor(), name)
	if err != nil {
		return usage("--mechanism: %w", err)
	}
	g.state.Matching.Markets = []*matchingv1.MarketEntry{{Market: app.DefaultMarket(matchingv1.Mechanism(mechanism))}}
	return nil
}

// checkParams finds parameters that the modules refuse, before any file is
// made. Until there are keys, the authority has one that stands for them.
func checkParams(g *genesis) error {
	key, err := client.KeyFromSeed(make([]byte, sha256.Size))
	if err != nil {
		return err
	}
	g.state.Registry.Authority.Keys = [][]byte{key.Public()}
	if err := g.state.Validate(); err != nil {
		return usage("--param: %w", err)
	}
	return nil
}

func unknownParam(name string) error {
	return usage("--param: expected the name of a parameter such as deadline_periods, got %q", name)
}

// testKeys is the keystore of a test network.
type testKeys struct {
	store            *client.Keystore
	passphrase, seed string
}

// newTestKeys makes the keystore and the file with its passphrase.
func newTestKeys(dir, seed string) (*testKeys, error) {
	store, err := client.OpenKeystore(filepath.Join(dir, testnet.KeysDir))
	if err != nil {
		return nil, err
	}
	k := &testKeys{store: store, passphrase: strings.ToLower(rand.Text()), seed: seed}
	return k, newFile(filepath.Join(dir, testnet.PassphraseFile), []byte(k.passphrase+"\n"))
}

func (k *testKeys) create(name string) (client.Key, error) {
	if k.seed == "" {
		return k.store.Create(name, k.passphrase, client.ScryptLight)
	}
	seed := sha256.Sum256([]byte(k.seed + "/" + name))
	key, err := client.KeyFromSeed(seed[:])
	if err != nil {
		return client.Key{}, err
	}
	return key, k.store.Import(name, k.passphrase, client.ScryptLight, key)
}
