package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/protocol"
)

// sample is the configuration that init writes and the package installs; its
// comments are the manual.
//
//go:embed energymeter.yaml
var sample string

// configuration returns the sample for a chain and its nodes.
func configuration(chainID string, nodes []string) string {
	return strings.NewReplacer("region-1", chainID, "  - tcp://127.0.0.1:26657", "  - "+strings.Join(nodes, "\n  - ")).Replace(sample)
}

func initCommand() *cobra.Command {
	h := &home{}
	var chainID string
	var nodes []string
	var keyOnly bool
	cmd := &cobra.Command{
		Use: "init --chain-id CHAIN --node ADDRESS", Short: "Make a gateway's home: key and configuration", Args: noArguments,
		Long: `Init makes the folder of a gateway with a new key and a configuration to fill
in. It prints the key: an aggregator applies with it for an account with the role
gateway, and the meters are bound to that account. With --key-only there is a
configuration already, such as the one that a package installed.`,
		Example: `  energymeter init --chain-id region-1 --node tcp://10.0.0.1:26657 --passphrase-file pass
  energymeter init --key-only --home /var/lib/energymeter`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keyOnly {
				return h.initKey(cmd, chainID, nodes)
			}
			if err := protocol.CheckName(chainID); err != nil {
				return usage("--chain-id: %w", err)
			}
			if len(nodes) == 0 {
				return usage("--node: expected at least one address")
			}
			for _, node := range nodes {
				if err := client.CheckAddress(node); err != nil {
					return usage("--node: %w", err)
				}
			}
			key, err := h.make(cmd, configuration(chainID, nodes))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "public key     %x\naccount        %s\nconfiguration  %s\n", key.Public(), key.Address(), h.configFile())
			return nil
		},
	}
	h.register(cmd)
	h.registerKey(cmd)
	cmd.Flags().StringVar(&chainID, "chain-id", "", "chain that readings are signed for")
	cmd.Flags().BoolVar(&keyOnly, "key-only", false, "make the key, no configuration")
	cmd.Flags().StringSliceVar(&nodes, "node", nil, "RPC address of a node; several, comma-separated")
	return cmd
}

// initKey makes the key without a configuration.
func (h *home) initKey(cmd *cobra.Command, chainID string, nodes []string) error {
	if chainID != "" || len(nodes) > 0 {
		return usage("--key-only: expected no --chain-id and no --node: the configuration names them")
	}
	passphrase, err := h.passphrase(cmd, "", true)
	if err != nil {
		return err
	}
	key, err := h.makeKey(passphrase)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "public key  %x\naccount     %s\n", key.Public(), key.Address())
	return nil
}

// makeKey makes the home with a new key.
func (h *home) makeKey(passphrase string) (client.Key, error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return client.Key{}, usage("--home: %w", err)
	}
	store, err := h.keystore()
	if err != nil {
		return client.Key{}, err
	}
	return store.Create("gateway", passphrase, client.ScryptLight)
}

// make writes key and configuration; neither is ever overwritten.
func (h *home) make(cmd *cobra.Command, config string) (client.Key, error) {
	if _, err := os.Stat(h.configFile()); err == nil {
		return client.Key{}, usage("--home: %s exists: expected a new folder", h.configFile())
	}
	passphrase, err := h.passphrase(cmd, "", true)
	if err != nil {
		return client.Key{}, err
	}
	key, err := h.makeKey(passphrase)
	if err != nil {
		return client.Key{}, err
	}
	file, err := os.OpenFile(h.configFile(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return client.Key{}, err
	}
	_, err = file.WriteString(config)
	return key, errors.Join(err, file.Sync(), file.Close())
}
