package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/cometbft/cometbft/types"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/app"
)

// chainFlags say what kind of chain a genesis file begins.
type chainFlags struct {
	id           string
	periodLength time.Duration
	authority    []string
	threshold    int64
}

func initCommand() *cobra.Command {
	s := recommended()
	var chain chainFlags
	var output string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the home of a node, with keys, settings and a genesis file to fill",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			g, err := chain.genesis(time.Now())
			if err != nil {
				return err
			}
			if err := s.validate(); err != nil {
				return fail(exitUsage, err, "correct the flag")
			}
			if err := h.createKeys(""); err != nil {
				return err
			}
			if err := newFile(h.settingsFile(), []byte(s.text())); err != nil {
				return err
			}
			if err := g.save(h.genesisFile()); err != nil {
				return err
			}
			return printHome(cmd, h, output, chain.id)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.Moniker, "moniker", s.Moniker, "name of the node, for people")
	flags.DurationVar(&s.Consensus.TimeoutCommit, "timeout-commit", s.Consensus.TimeoutCommit, "pause after each block")
	flags.StringArrayVar(&chain.authority, "authority-key", nil, "public key of the authority, 64 hexadecimal digits; may be repeated")
	flags.Int64Var(&chain.threshold, "authority-threshold", 1, "how many authority keys must agree")
	chain.addFlags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func (c *chainFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.id, "chain-id", "energy-1", "name of the chain, the same on all its nodes")
	cmd.Flags().DurationVar(&c.periodLength, "period-length", 15*time.Minute, "length of a trading period")
}

// chainName is what a chain may be called: it stands in commands, file names
// and signed bytes. 50 is CometBFT's limit.
var chainName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,50}$`)

// genesis returns a genesis file without accounts.
func (c *chainFlags) genesis(now time.Time) (*genesis, error) {
	if c.periodLength < time.Second || c.periodLength%time.Millisecond != 0 {
		return nil, usage("--period-length: expected at least 1s, in whole milliseconds, got %s", c.periodLength)
	}
	if !chainName.MatchString(c.id) {
		return nil, usage("--chain-id: expected 1 to 50 letters, digits and - _ ., got %q", c.id)
	}
	g := &genesis{
		doc:   &types.GenesisDoc{GenesisTime: now.UTC().Truncate(time.Millisecond), ChainID: c.id, ConsensusParams: consensusParams()},
		state: app.DefaultGenesis(c.id, c.periodLength.Milliseconds()),
	}
	g.state.Registry.Authority.Threshold = c.threshold
	for _, text := range c.authority {
		key, err := hexBytes("--authority-key", text)
		if err != nil {
			return nil, err
		}
		g.state.Registry.Authority.Keys = append(g.state.Registry.Authority.Keys, key)
	}
	if err := g.doc.ValidateAndComplete(); err != nil {
		return nil, usage("--chain-id: %w", err)
	}
	return g, nil
}

func printHome(cmd *cobra.Command, h home, output, chainID string) error {
	id, err := h.nodeID()
	if err != nil {
		return err
	}
	key, err := h.validatorKey()
	if err != nil {
		return err
	}
	made := struct {
		Home         string `json:"home"`
		ChainID      string `json:"chain_id"`
		NodeID       string `json:"node_id"`
		ValidatorKey string `json:"validator_key"`
	}{string(h), chainID, string(id), fmt.Sprintf("%x", key)}
	return print(cmd, output, made, []field{
		{"home", made.Home},
		{"chain", made.ChainID},
		{"node id", made.NodeID},
		{"validator key", made.ValidatorKey},
		{"next", "energyd genesis add-aggregator --key KEY, or copy the chain's genesis.json; then energyd start"},
	})
}
