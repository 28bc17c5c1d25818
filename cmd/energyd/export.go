package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
)

func exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Write the state of a stopped node as a genesis file to standard output",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			g, err := exportGenesis(h)
			if err != nil {
				return err
			}
			data, err := g.text()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
}

// exportGenesis returns a genesis that goes on where the stopped node of this
// home stands: at the next height, after the time of its last block.
func exportGenesis(h home) (*genesis, error) {
	g, err := readGenesis(h.genesisFile())
	if err != nil {
		return nil, err
	}
	stores, err := openStores(h)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stores.close() }()
	application, err := openApp(h, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { _ = application.Close() }() // nothing was written
	state, height, err := application.Export()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	meta := stores.blocks.LoadBlockMeta(height)
	if meta == nil {
		return nil, fail(exitError, fmt.Errorf("export: the node has no block at the state's height %d", height), "start the node once and stop it again")
	}
	g.state = state
	g.doc.InitialHeight = height + 1
	g.doc.GenesisTime = meta.Header.Time
	return g, nil
}
