package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/app"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/strictjson"
)

// genesis is a genesis file: the engine's part and the application's.
type genesis struct {
	doc   *types.GenesisDoc
	state *app.Genesis
}

// genesisText is the layout of the file. CometBFT's own reader says nothing
// about where a mistake is, so the file is read with this first.
type genesisText struct {
	GenesisTime     string                     `json:"genesis_time"`
	ChainID         string                     `json:"chain_id"`
	InitialHeight   string                     `json:"initial_height"`
	ConsensusParams json.RawMessage            `json:"consensus_params"`
	Validators      json.RawMessage            `json:"validators,omitempty"`
	AppHash         string                     `json:"app_hash"`
	AppState        map[string]json.RawMessage `json:"app_state"`
}

// readGenesis reads and checks the form of a genesis file; what it says is
// checked by validate.
func readGenesis(file string) (*genesis, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitUsage, err, "make a home with energyd init, or copy the chain's genesis file there")
	}
	if err != nil {
		return nil, err
	}
	g, err := parseGenesis(data)
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("%s: %w", file, err), "correct the file; every node of a chain needs the same one")
	}
	return g, nil
}

func parseGenesis(data []byte) (*genesis, error) {
	text := new(genesisText)
	if err := strictjson.Decode(data, text); err != nil {
		return nil, err
	}
	g := &genesis{doc: new(types.GenesisDoc), state: new(app.Genesis)}
	if err := cmtjson.Unmarshal(data, g.doc); err != nil {
		return nil, err
	}
	if err := g.doc.ValidateAndComplete(); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(g.doc.AppState, g.state); err != nil {
		return nil, placed(data, text, err)
	}
	return g, nil
}

// moduleError matches what a module says about its part of app_state: the
// module's name and the place within that part.
var moduleError = regexp.MustCompile(`^app_state\.([a-z]+): .*?\(line (\d+):(\d+)\): (.*)$`)

// placed turns a place within a module's part into one in the file.
func placed(data []byte, text *genesisText, err error) error {
	// protojson puts a no-break space after "proto:" at random.
	found := moduleError.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\u00a0", " "))
	if found == nil {
		return err
	}
	start := strictjson.At(data, text, "app_state."+found[1], "", "")
	line, errLine := strconv.Atoi(found[2])
	column, errColumn := strconv.Atoi(found[3])
	if errLine != nil || errColumn != nil {
		return err
	}
	if line == 1 {
		column += start.Column - 1
	}
	return fmt.Errorf("line %d column %d: field app_state.%s: %s", start.Line+line-1, column, found[1], found[4])
}

// validate builds the state that the file describes and checks what a chain
// needs to start.
func (g *genesis) validate() error {
	if chain := g.state.Registry.GetChain(); chain.GetChainId() != g.doc.ChainID {
		return fmt.Errorf("field app_state.registry.chain.chain_id: expected %q as in chain_id, got %q", g.doc.ChainID, chain.GetChainId())
	}
	if g.doc.ConsensusParams.Block.MaxBytes != -1 {
		return fmt.Errorf("field consensus_params.block.max_bytes: expected -1, got %d", g.doc.ConsensusParams.Block.MaxBytes)
	}
	if got := g.doc.ConsensusParams.Version.App; got != app.Version {
		return fmt.Errorf("field consensus_params.version.app: expected %d, got %d", app.Version, got)
	}
	if len(g.doc.Validators) > 0 {
		return errors.New("field validators: expected none, they follow from the aggregators in app_state.registry.accounts")
	}
	if err := g.state.Validate(); err != nil {
		return err
	}
	for _, account := range g.state.Registry.Accounts {
		if account.ValidatorPower > 0 && account.Status == registryv1.Status_STATUS_ACTIVE {
			return nil
		}
	}
	return errors.New("field app_state.registry.accounts: expected at least one active aggregator with voting power")
}

// text writes the file.
func (g *genesis) text() ([]byte, error) {
	state, err := g.state.MarshalJSON()
	if err != nil {
		return nil, err
	}
	doc := *g.doc
	doc.AppState = state
	data, err := cmtjson.Marshal(&doc)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// save replaces the file in one step.
func (g *genesis) save(file string) error {
	data, err := g.text()
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".genesis-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // nothing to remove once renamed
	_, err = temporary.Write(data)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}

func genesisCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "genesis", Short: "Edit and check the genesis file of a chain that has not started"}
	cmd.AddCommand(addAccountCommand(), addAggregatorCommand(), validateCommand())
	return cmd
}

func validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a genesis file, that of --home by default",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			file := h.genesisFile()
			if len(args) == 1 {
				file = args[0]
			}
			g, err := readGenesis(file)
			if err != nil {
				return err
			}
			if err := g.validate(); err != nil {
				return fail(exitUsage, fmt.Errorf("%s: %w", file, err), "correct the file; every node of a chain needs the same one")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: chain %s, %d accounts, %d meters\n",
				file, g.doc.ChainID, len(g.state.Registry.Accounts), len(g.state.Registry.Meters))
			return err
		},
	}
}
