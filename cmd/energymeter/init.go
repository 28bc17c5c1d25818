package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/protocol"
)

// sample is the configuration that init writes; the comments are its manual.
const sample = `# Gateway of an energy market. energymeter doctor checks this file;
# kill -HUP makes a running gateway read it again.
chain_id: %s
nodes:            # RPC addresses; the next is asked when one fails
%s
key: gateway      # name of the key in the folder keys
#passphrase_file: passphrase
#listen: 127.0.0.1:9464   # /metrics and /healthz
poll: 10s         # how often meters are read
#interval: 15m    # how often a reading is signed; default: at the end of the chain's periods
#batch: 150       # readings in one envelope at most
#spool_mib: 256   # what the readings that wait may take
meters: []
#meters:
#  - name: meter-1           # as it is bound on chain
#    source: modbus
#    url: tcp://192.168.1.20:502    # or rtu+tcp://HOST:PORT, rtu:///dev/ttyUSB0?baud=9600
#    unit: 1
#    model: eastron-sdm630   # energymeter probe names it; sunspec for SunSpec devices
#    rating_w: 30000         # more energy than this allows is not signed
#    stale_after: 1h         # registers that stand still for so long under load are not signed
#  - name: meter-2
#    source: mqtt
#    url: tcp://127.0.0.1:1883
#    topic: meters/2
#    import: energy.import   # where the JSON has it
#    export: energy.export
#    energy_unit: kWh        # or Wh
#    max_age: 1m
#  - name: meter-3
#    source: csv             # columns time_ms, import_wh, export_wh
#    file: meter-3.csv
`

func initCommand() *cobra.Command {
	h := &home{}
	var chainID string
	var nodes []string
	cmd := &cobra.Command{
		Use: "init --chain-id CHAIN --node ADDRESS", Short: "Make a gateway's home: key and configuration", Args: noArguments,
		Long: `Init makes the folder of a gateway with a new key and a configuration to fill
in. It prints the key: an aggregator applies with it for an account with the role
gateway, and the meters are bound to that account.`,
		Example: "  energymeter init --chain-id region-1 --node tcp://10.0.0.1:26657 --passphrase-file pass",
		RunE: func(cmd *cobra.Command, _ []string) error {
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
			key, err := h.make(cmd, fmt.Sprintf(sample, chainID, "  - "+strings.Join(nodes, "\n  - ")))
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
	cmd.Flags().StringSliceVar(&nodes, "node", nil, "RPC address of a node; several, comma-separated")
	return cmd
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
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return client.Key{}, usage("--home: %w", err)
	}
	store, err := h.keystore()
	if err != nil {
		return client.Key{}, err
	}
	key, err := store.Create("gateway", passphrase, client.ScryptLight)
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
