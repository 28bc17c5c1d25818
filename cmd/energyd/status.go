package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
)

// nodeStatus is what a running node says about itself.
type nodeStatus struct {
	Node         string    `json:"node"`
	Moniker      string    `json:"moniker"`
	ChainID      string    `json:"chain_id"`
	NodeID       string    `json:"node_id"`
	Height       int64     `json:"height"`
	Time         time.Time `json:"time"`
	AppHash      string    `json:"app_hash"`
	CatchingUp   bool      `json:"catching_up"`
	Peers        []string  `json:"peers"`
	ValidatorKey string    `json:"validator_key"`
	VotingPower  int64     `json:"voting_power"`
}

func statusCommand() *cobra.Command {
	var address, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Ask a running node how far it is",
		Long: "Ask a running node how far it is. Exit code 5: it does not answer, or is still catching up.\n" +
			"The app hash is the root of the state before the block at this height.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := client.CheckAddress(address); err != nil {
				return usage("--node: %w", err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
			defer cancel()
			status, err := askStatus(ctx, address)
			if err != nil {
				return fail(exitUnreachable, fmt.Errorf("%s: %w", address, err), "is the node running? name its RPC with --node")
			}
			if err := printStatus(cmd, output, status); err != nil {
				return err
			}
			if status.CatchingUp {
				return fail(exitUnreachable, fmt.Errorf("%s is catching up at height %d", address, status.Height), "wait; its peers have later blocks")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "node", "http://127.0.0.1:26657", "the node's RPC address")
	outputFlag(cmd, &output)
	return cmd
}

func askStatus(ctx context.Context, address string) (*nodeStatus, error) {
	rpc, err := rpchttp.New(address, "/websocket")
	if err != nil {
		return nil, err
	}
	status, err := rpc.Status(ctx)
	if err != nil {
		return nil, err
	}
	net, err := rpc.NetInfo(ctx)
	if err != nil {
		return nil, err
	}
	found := &nodeStatus{
		Node:         address,
		Moniker:      status.NodeInfo.Moniker,
		ChainID:      status.NodeInfo.Network,
		NodeID:       string(status.NodeInfo.DefaultNodeID),
		Height:       status.SyncInfo.LatestBlockHeight,
		Time:         status.SyncInfo.LatestBlockTime,
		AppHash:      status.SyncInfo.LatestAppHash.String(),
		CatchingUp:   status.SyncInfo.CatchingUp,
		Peers:        []string{},
		ValidatorKey: fmt.Sprintf("%x", status.ValidatorInfo.PubKey.Bytes()),
		VotingPower:  status.ValidatorInfo.VotingPower,
	}
	for _, peer := range net.Peers {
		found.Peers = append(found.Peers, fmt.Sprintf("%s %s", peer.NodeInfo.Moniker, peer.RemoteIP))
	}
	return found, nil
}

func printStatus(cmd *cobra.Command, output string, s *nodeStatus) error {
	fields := []field{
		{"node", fmt.Sprintf("%s (%s)", s.Moniker, s.NodeID)},
		{"chain", s.ChainID},
		{"height", strconv.FormatInt(s.Height, 10)},
		{"block time", s.Time.Format(time.RFC3339Nano)},
		{"app hash", s.AppHash},
		{"catching up", map[bool]string{true: "yes", false: "no"}[s.CatchingUp]},
		{"voting power", strconv.FormatInt(s.VotingPower, 10)},
		{"validator key", s.ValidatorKey},
		{"peers", strconv.Itoa(len(s.Peers))},
	}
	for _, peer := range s.Peers {
		fields = append(fields, field{"", peer})
	}
	return print(cmd, output, s, fields)
}
