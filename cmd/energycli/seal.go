package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/protocol"
)

// sealCommand commits to an order that nobody can read before its gate, and
// keeps what reveals it in a file.
func sealCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "seal", Short: "Seal an order, to be revealed after its gate", Args: noArguments, RunE: showHelp,
		Long: `Seal an order: until its gate the chain knows only a hash of it. The market holds
a bond. The order with its salt is written to the file of --out, readable by you
alone; nothing else can reveal it, so losing the file is losing the bond. Once
the gate has passed, reveal it before the market's time for that ends:

  energycli tx matching reveal-order --from alice --json order.json

An order that is not revealed in time, or that the chain would refuse (against
your connection rating, or without the coins for it), loses its bond. Before the
gate a sealed order can be cancelled by its id, which query orders lists.`,
	}
	cmd.AddCommand(sealSideCommand(o, "sell", new(matchingv1.MsgPlaceSell)), sealSideCommand(o, "buy", new(matchingv1.MsgPlaceBuy)))
	return cmd
}

func sealSideCommand(o *options, name string, order proto.Message) *cobra.Command {
	var out string
	e := entry{module: "matching", command: name, desc: order.ProtoReflect().Descriptor()}
	cmd := messageCommand(o, e, "seal", func(cmd *cobra.Command, l *link, m proto.Message) error {
		if out == "" {
			return usage("--out: expected a file for what reveals the order, got nothing")
		}
		if err := sealable(m); err != nil {
			return err
		}
		seal, err := l.seal(m, out)
		if err != nil {
			return err
		}
		return o.send(cmd, l, seal)
	})
	cmd.Short = fmt.Sprintf("Seal a %s order for a period", name)
	cmd.Flags().StringVar(&out, "out", "", "new file for the order and its salt, which reveal it")
	return cmd
}

// seal writes what reveals an order to a new file and returns what commits the
// account of --from to it.
func (l *link) seal(order proto.Message, out string) (*matchingv1.MsgSealOrder, error) {
	account, err := l.account()
	if err != nil {
		return nil, err
	}
	address, err := protocol.AddressFrom(account)
	if err != nil {
		return nil, fmt.Errorf("--from: expected a key of an account: %w", err)
	}
	reveal := &matchingv1.MsgRevealOrder{Salt: make([]byte, protocol.SaltSize)}
	if _, err := rand.Read(reveal.Salt); err != nil {
		return nil, err
	}
	seal := new(matchingv1.MsgSealOrder)
	switch order := order.(type) {
	case *matchingv1.MsgPlaceSell:
		reveal.Sell, seal.Period = order, order.Period
	case *matchingv1.MsgPlaceBuy:
		reveal.Buy, seal.Period = order, order.Period
	}
	if seal.Commitment, err = protocol.SealCommitment(l.chainID, address, reveal); err != nil {
		return nil, err
	}
	return seal, writeSecret(out, reveal)
}

// writeSecret writes a message to a new file that only its owner can read, and
// has it on the disk before it returns.
func writeSecret(path string, m proto.Message) error {
	data, err := client.EncodeJSON(m)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage("--out: expected a new file, %s is there", path)
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	_, err = file.Write(append(data, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}
