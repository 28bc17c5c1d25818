package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/app"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// defaultPower is the voting power of an aggregator unless another is given.
const defaultPower = 10

// newAggregator returns an active aggregator whose node votes with power.
func newAggregator(key, validatorKey []byte, power int64) *registryv1.Account {
	account := newAccount(key)
	account.Roles = []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR}
	account.UserType = "aggregator"
	// An aggregator is its own home.
	account.HomeAggregator = account.Account
	account.ValidatorKey, account.ValidatorPower = validatorKey, power
	return account
}

// newAccount returns an active account with one key. Without papers of its own
// the account's identity is the hash of that key.
func newAccount(key []byte) *registryv1.Account {
	identity := sha256.Sum256(key)
	return &registryv1.Account{
		Account:           protocol.KeyAddress(key).Bytes(),
		Identity:          identity[:],
		Status:            registryv1.Status_STATUS_ACTIVE,
		Keys:              [][]byte{key},
		InitialReputation: 100,
	}
}

// add puts an account and its coins into the genesis, in the order of
// addresses in which a chain would export it.
func (g *genesis) add(account *registryv1.Account, ucoin int64) error {
	address := protocol.Address(account.Account)
	registry, bank := g.state.Registry, g.state.Bank
	for _, known := range registry.Accounts {
		if string(known.Account) == string(account.Account) {
			return usage("--key: account %s is in the genesis file already", address)
		}
	}
	registry.Accounts = append(registry.Accounts, account)
	slices.SortFunc(registry.Accounts, func(a, b *registryv1.Account) int {
		return strings.Compare(string(a.Account), string(b.Account))
	})
	if ucoin == 0 {
		return nil
	}
	if bank.Supply == nil {
		bank.Supply = &bankv1.Supply{}
	}
	minted, err := units.Add(bank.Supply.MintedUcoin, ucoin)
	if err != nil {
		return usage("--balance: the sum of all balances: %w", err)
	}
	bank.Supply.MintedUcoin = minted
	bank.Balances = append(bank.Balances, &bankv1.Balance{Account: account.Account, FreeUcoin: ucoin})
	slices.SortFunc(bank.Balances, func(a, b *bankv1.Balance) int {
		return strings.Compare(string(a.Account), string(b.Account))
	})
	return nil
}

// accountFlags are the flags of add-account.
type accountFlags struct {
	key, identity, userType, homeAggregator, gridNode, tariffClass, balance string
	roles                                                                   []string
	ratingW, reputation, market                                             int64
}

func addAccountCommand() *cobra.Command {
	var f accountFlags
	cmd := &cobra.Command{
		Use:   "add-account",
		Short: "Add an active account to the genesis file",
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := f.account()
			if err != nil {
				return err
			}
			ucoin, err := units.ParseScaled(f.balance, 6)
			if err != nil || ucoin < 0 {
				return usage("--balance: expected coins such as 100 or 0.5, got %q", f.balance)
			}
			return editGenesis(cmd, account, ucoin)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "public key, 64 hexadecimal digits; its address is the account's id")
	flags.StringSliceVar(&f.roles, "role", []string{"prosumer"}, "prosumer, gateway, regulator or auditor; may be repeated")
	flags.StringVar(&f.identity, "identity", "", "SHA-256 of the identity papers, 64 hexadecimal digits; default: of the key")
	flags.StringVar(&f.userType, "user-type", "household", "kind of participant")
	flags.StringVar(&f.homeAggregator, "home-aggregator", "", "address of the aggregator, energy1...")
	flags.StringVar(&f.gridNode, "grid-node", "", "grid node at which it is connected")
	flags.Int64Var(&f.ratingW, "rating-w", 0, "connection rating in W")
	flags.Int64Var(&f.market, "market", 0, "number of the market it trades in, 0 to 255")
	flags.StringVar(&f.tariffClass, "tariff-class", app.DefaultTariffClass, "tariff class of the upper grid")
	flags.Int64Var(&f.reputation, "reputation", 60, "initial credit value, 0 to 100")
	flags.StringVar(&f.balance, "balance", "0", "coins it starts with")
	mustGive(cmd, "key")
	return cmd
}

func (f *accountFlags) account() (*registryv1.Account, error) {
	key, err := hexBytes("--key", f.key)
	if err != nil {
		return nil, err
	}
	account := newAccount(key)
	account.UserType, account.GridNode, account.TariffClass = f.userType, f.gridNode, f.tariffClass
	account.ConnectionRatingW, account.InitialReputation, account.Market = f.ratingW, f.reputation, f.market
	if f.identity != "" {
		if account.Identity, err = hexBytes("--identity", f.identity); err != nil {
			return nil, err
		}
	}
	if f.homeAggregator != "" {
		address, err := protocol.ParseAddress(f.homeAggregator)
		if err != nil {
			return nil, usage("--home-aggregator: %w", err)
		}
		account.HomeAggregator = address.Bytes()
	}
	for _, name := range f.roles {
		role, ok := map[string]registryv1.Role{
			"prosumer":  registryv1.Role_ROLE_PROSUMER,
			"gateway":   registryv1.Role_ROLE_GATEWAY,
			"regulator": registryv1.Role_ROLE_REGULATOR,
			"auditor":   registryv1.Role_ROLE_AUDITOR,
		}[name]
		if !ok {
			return nil, usage("--role: expected prosumer, gateway, regulator or auditor, got %q", name)
		}
		account.Roles = append(account.Roles, role)
	}
	slices.Sort(account.Roles)
	return account, nil
}

func addAggregatorCommand() *cobra.Command {
	var key, validatorKey string
	var power int64
	cmd := &cobra.Command{
		Use:   "add-aggregator",
		Short: "Add an aggregator, whose node validates, to the genesis file",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			account, err := hexBytes("--key", key)
			if err != nil {
				return err
			}
			var validator []byte
			if validatorKey == "" {
				validator, err = h.validatorKey()
			} else {
				validator, err = hexBytes("--validator-key", validatorKey)
			}
			if err != nil {
				return err
			}
			return editGenesis(cmd, newAggregator(account, validator, power), 0)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "public key of the aggregator's account, 64 hexadecimal digits")
	flags.StringVar(&validatorKey, "validator-key", "", "public consensus key of its node, 64 hexadecimal digits; default: that of --home")
	flags.Int64Var(&power, "power", defaultPower, "voting power")
	mustGive(cmd, "key")
	return cmd
}

// mustGive makes a flag required. It fails only for a flag that does not exist.
func mustGive(cmd *cobra.Command, flag string) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed(flag) {
			return fail(exitUsage, fmt.Errorf("--%s: expected a value, got none", flag), "see %s --help", cmd.CommandPath())
		}
		return run(cmd, args)
	}
}

// editGenesis adds an account to the genesis file of --home. The result must
// be a state that the modules accept; that it has validators may come later.
func editGenesis(cmd *cobra.Command, account *registryv1.Account, ucoin int64) error {
	h, err := homeFlag(cmd)
	if err != nil {
		return err
	}
	g, err := readGenesis(h.genesisFile())
	if err != nil {
		return err
	}
	if err := g.add(account, ucoin); err != nil {
		return err
	}
	if err := g.state.Validate(); err != nil {
		return fail(exitUsage, err, "%s is unchanged", h.genesisFile())
	}
	if err := g.save(h.genesisFile()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "added %s\n", protocol.Address(account.Account))
	return err
}

// hexBytes reads 32 bytes.
func hexBytes(flag, text string) ([]byte, error) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != protocol.KeySize {
		return nil, usage("%s: expected 64 hexadecimal digits, got %q", flag, text)
	}
	return data, nil
}
