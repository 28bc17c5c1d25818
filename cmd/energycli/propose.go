package main

import (
	"encoding/hex"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

func proposeCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "propose", Short: "Propose a message in the authority's name", Args: noArguments, RunE: showHelp,
		Long: `Propose a message in the authority's name, with an authority key: it counts as
the first approval. The message is executed with the last approval needed,
which is at once if one suffices.`,
		Example: "  energycli propose registry approve --from authority --account energy1...",
	}
	send := func(cmd *cobra.Command, l *link, m proto.Message) error {
		packed, err := client.Pack(m)
		if err != nil {
			return err
		}
		return o.send(cmd, l, &registryv1.MsgPropose{Msgs: packed})
	}
	var proposable []entry
	for _, e := range messages() {
		if name := string(e.desc.Name()); name != "MsgPropose" && name != "MsgApproveProposal" {
			proposable = append(proposable, e)
		}
	}
	addModules(cmd, proposable, func(e entry) *cobra.Command { return messageCommand(o, e, "propose", send) })
	return cmd
}

func approveCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "approve PROPOSAL", Short: "Approve a proposal with an authority key", Args: oneArgument("PROPOSAL"),
		Long: `Approve a proposal with an authority key. What it would do is shown by
energycli query registry proposals.`,
		Example: "  energycli approve 0123456789abcdef0123456789abcdef --from authority2",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := hex.DecodeString(args[0])
			if err != nil || len(id) != protocol.IDSize {
				return usage("PROPOSAL: expected %d hexadecimal digits, got %q", 2*protocol.IDSize, args[0])
			}
			return o.send(cmd, o.link(cmd.Context()), &registryv1.MsgApproveProposal{Proposal: id})
		},
	}
}
