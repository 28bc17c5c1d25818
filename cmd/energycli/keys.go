package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/protocol"
)

func keysCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Make, show and move keys", Args: noArguments, RunE: showHelp,
		Long: `Keys are stored encrypted, one file each, in the folder keys below --home.
A key's address is the id of the account whose first key it is.`,
	}
	cmd.AddCommand(keysAddCommand(o), keysListCommand(o), keysShowCommand(o), keysImportCommand(o), keysExportCommand(o))
	return cmd
}

func keysAddCommand(o *options) *cobra.Command {
	var light bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a new key", Args: oneArgument("NAME"),
		Example: "  energycli keys add alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := client.NewKey()
			if err != nil {
				return err
			}
			return o.store(cmd, args[0], key, light)
		},
	}
	lightFlag(cmd, &light)
	return cmd
}

func lightFlag(cmd *cobra.Command, light *bool) {
	cmd.Flags().BoolVar(light, "light", false, "a passphrase that is quick to check, and to guess: for gateways and test networks")
}

// store encrypts a key under a new passphrase and shows it.
func (o *options) store(cmd *cobra.Command, name string, key client.Key, light bool) error {
	if err := protocol.CheckName(name); err != nil {
		return usage("NAME: %w", err)
	}
	store, err := o.keystore()
	if err != nil {
		return err
	}
	if _, err := store.Info(name); err == nil {
		return fmt.Errorf("key %s: %w", name, client.ErrKeyExists)
	}
	passphrase, err := o.passphrase(cmd, name, true)
	if err != nil {
		return err
	}
	cost := client.ScryptStandard
	if light {
		cost = client.ScryptLight
	}
	if err := store.Import(name, passphrase, cost, key); err != nil {
		return err
	}
	return o.showKeys(cmd, false, client.KeyInfo{Name: name, Public: key.Public(), Address: key.Address()})
}

func keysListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := o.keystore()
			if err != nil {
				return err
			}
			infos, err := store.List()
			if err != nil {
				return err
			}
			if len(infos) == 0 && !o.json() && !o.quiet {
				fmt.Fprintf(cmd.ErrOrStderr(), "no keys in %s: make one with energycli keys add NAME\n", o.home)
			}
			return o.showKeys(cmd, true, infos...)
		},
	}
}

func keysShowCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a key's address and public key", Args: oneArgument("NAME"),
		Long: "Show a key's address and public key. With --quiet only the address is printed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := o.keystore()
			if err != nil {
				return err
			}
			info, err := store.Info(args[0])
			if err != nil {
				return err
			}
			return o.showKeys(cmd, false, info)
		},
	}
}

type keyJSON struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	PublicKey string `json:"public_key"`
}

// showKeys prints a list of keys, or the only one.
func (o *options) showKeys(cmd *cobra.Command, list bool, infos ...client.KeyInfo) error {
	keys := make([]keyJSON, 0, len(infos))
	for _, info := range infos {
		keys = append(keys, keyJSON{info.Name, info.Address.String(), hex.EncodeToString(info.Public)})
	}
	switch {
	case o.json() && list:
		return printJSON(cmd.OutOrStdout(), keys)
	case o.json():
		return printJSON(cmd.OutOrStdout(), keys[0])
	case o.quiet:
		for _, key := range keys {
			fmt.Fprintln(cmd.OutOrStdout(), key.Address)
		}
		return nil
	case len(keys) == 0:
		return nil
	}
	t := newTable("Name", "Address", "Public key")
	for _, key := range keys {
		t.AppendRow(table.Row{key.Name, key.Address, key.PublicKey})
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), t.Render())
	return err
}

func printJSON(w io.Writer, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", data)
	return err
}

func keysImportCommand(o *options) *cobra.Command {
	var light bool
	var seedFile string
	cmd := &cobra.Command{
		Use: "import NAME", Short: "Store a key from its seed", Args: oneArgument("NAME"),
		Long: `Store a key from its seed: 64 hexadecimal digits on standard input or in a
file. It is never an argument: those can be read by everybody on the machine.`,
		Example: "  energycli keys import alice --seed-file alice.seed",
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readSeed(cmd, seedFile)
			if err != nil {
				return err
			}
			key, err := client.ParseSeed(strings.TrimSpace(string(data)))
			if err != nil {
				return usageError{err}
			}
			return o.store(cmd, args[0], key, light)
		},
	}
	lightFlag(cmd, &light)
	cmd.Flags().StringVar(&seedFile, "seed-file", "", "file with the seed (default: standard input)")
	return cmd
}

func readSeed(cmd *cobra.Command, path string) ([]byte, error) {
	const most = 1024
	if path == "" {
		data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), most))
		if err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
		return data, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, usage("--seed-file: %w", err)
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

func keysExportCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "export NAME --yes", Short: "Print a key's seed, unencrypted", Args: oneArgument("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !o.yes {
				return usage("--yes: expected it, because the seed is printed unencrypted")
			}
			key, err := o.unlock(cmd, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "WARNING: whoever has this seed can spend the account's coins and sign in its name.")
			_, err = fmt.Fprintln(cmd.OutOrStdout(), hex.EncodeToString(key.Seed()))
			return err
		},
	}
}
