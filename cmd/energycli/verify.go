package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	"github.com/energyd/energyd/units"
)

func verifyCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Check a bill or a reading, without a node", Args: noArguments, RunE: showHelp,
		Long: "Check a file without a node. The exit code is 0 only if all of it is proved.",
	}
	cmd.AddCommand(verifyBillCommand(o), verifyReadingCommand(o))
	return cmd
}

func verifyBillCommand(o *options) *cobra.Command {
	var trusted string
	cmd := &cobra.Command{
		Use: "bill FILE --trusted-header HEIGHT:HASH|FILE", Short: "Check a bill against a header that you trust", Args: oneArgument("FILE"),
		Long: `Check a bill that energycli bill --proof wrote: its sums, each statement's way to
the root of its period, that root's proof in the chain's state, and the
signatures of the block header which holds that state's hash. It proves the
periods in the bill and says nothing of others: those missing between them are
named.

The header to trust must come from elsewhere than the bill: from energycli query
header on a node of your own, or from several operators. Its height and hash are
enough if it is the bill's own header; one of another height is needed whole,
as the file that query header --out writes.`,
		Example: "  energycli verify bill bill.json --trusted-header 1201:5AD0...",
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readFile(cmd, "FILE", args[0])
			if err != nil {
				return err
			}
			if trusted == "" {
				return usage("--trusted-header: expected HEIGHT:HASH or a file, from a source other than the bill")
			}
			header, err := readTrusted(trusted)
			if err != nil {
				return err
			}
			bill, err := proof.ParseBill(data)
			if err != nil {
				return badFile(args[0], err)
			}
			if err := bill.Verify(header); err != nil {
				return fmt.Errorf("%s: %w: %w", args[0], errNotProved, err)
			}
			return o.printVerified(cmd, bill)
		},
	}
	cmd.Flags().StringVar(&trusted, "trusted-header", "", "header that you trust: HEIGHT:HASH, or a file")
	return cmd
}

// readTrusted reads the header from the flag itself or from the file it names.
func readTrusted(value string) (*proof.Trusted, error) {
	data, err := os.ReadFile(value)
	if err != nil {
		header, parseErr := proof.ParseTrusted(value)
		if parseErr != nil && !strings.Contains(value, ":") {
			return nil, usage("--trusted-header: expected HEIGHT:HASH or a file: %w", err)
		}
		if parseErr != nil {
			return nil, usage("--trusted-header: %w", parseErr)
		}
		return header, nil
	}
	header, err := proof.ParseTrusted(string(data))
	if err != nil {
		return nil, usage("--trusted-header: %s: %w", value, err)
	}
	return header, nil
}

func (o *options) printVerified(cmd *cobra.Command, bill *proof.Bill) error {
	if o.json() {
		return printJSON(cmd.OutOrStdout(), struct {
			Verified bool             `json:"verified"`
			ChainID  string           `json:"chain_id"`
			Account  string           `json:"account"`
			Height   int64            `json:"height"`
			Periods  int              `json:"periods"`
			Gaps     []gap            `json:"gaps"`
			Totals   proof.BillTotals `json:"totals"`
		}{true, bill.ChainID, bill.Account.String(), bill.Height, len(bill.Sections), gapsOf(bill), bill.Totals})
	}
	if o.quiet {
		return nil
	}
	lines := []line{
		{"verified", text.FgGreen.Sprint("yes")},
		{"chain", bill.ChainID},
		{"account", bill.Account.String()},
		{"state of block", fmt.Sprint(bill.Height)},
	}
	if n := len(bill.Sections); n > 0 {
		proved := span(bill.Sections[0].Statement.Period, bill.Sections[n-1].Statement.Period)
		lines = append(lines, line{"proves only", periodCount(int64(n)) + ", " + proved})
	}
	for _, g := range gapsOf(bill) {
		lines = append(lines, line{"not in it", g.String()})
	}
	lines = append(lines, line{"paid", units.FormatCoins(bill.Totals.PaidUcoin)}, line{"received", units.FormatCoins(bill.Totals.ReceivedUcoin)},
		line{"saved", units.FormatCoins(bill.Totals.SavedUcoin)})
	return writeLines(cmd.OutOrStdout(), lines)
}

func verifyReadingCommand(o *options) *cobra.Command {
	var gateway string
	cmd := &cobra.Command{
		Use: "reading FILE", Short: "Check the signature of a meter's reading", Args: oneArgument("FILE"),
		Long: `Check a reading that energycli reading wrote. The file says which key signed it,
but not whose key that is: give the gateway's key, from a source that you trust,
with --gateway-key.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readFile(cmd, "FILE", args[0])
			if err != nil {
				return err
			}
			var expected []byte
			if gateway != "" {
				if expected, err = (reader{keys: o.link(cmd.Context()).ownKey}).bytes(keyBytes, gateway); err != nil {
					return usage("--gateway-key: %w", err)
				}
			}
			reading, err := client.ParseSignedReading(data)
			if err != nil {
				return badFile(args[0], err)
			}
			if err := reading.Verify(); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if gateway != "" && string(expected) != string(reading.GatewayKey) {
				return fmt.Errorf("%s: %w: signed by %x, expected %x", args[0], client.ErrReadingChanged, reading.GatewayKey, expected)
			}
			return o.printReading(cmd, reading, gateway != "")
		},
	}
	cmd.Flags().StringVar(&gateway, "gateway-key", "", "public key that must have signed, in hexadecimal, or the name of an own key")
	return cmd
}

func (o *options) printReading(cmd *cobra.Command, reading *client.SignedReading, known bool) error {
	if o.json() {
		return printJSON(cmd.OutOrStdout(), struct {
			Verified   bool   `json:"verified"`
			ChainID    string `json:"chain_id"`
			GatewayKey string `json:"gateway_key"`
			KeyGiven   bool   `json:"key_given"`
		}{true, reading.ChainID, hex.EncodeToString(reading.GatewayKey), known})
	}
	if o.quiet {
		return nil
	}
	lines := []line{
		{"verified", text.FgGreen.Sprint("yes")}, {"chain", reading.ChainID}, {"signed by", hex.EncodeToString(reading.GatewayKey)},
	}
	if !known {
		lines = append(lines, line{"trust", "only as far as you know that this is the key of the meter's gateway; see --gateway-key"})
	}
	return writeLines(cmd.OutOrStdout(), append(lines, record(reading.Reading.ProtoReflect(), "")...))
}
