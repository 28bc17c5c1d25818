package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/meter/gateway"
	"github.com/energyd/energyd/meter/spool"
)

func spoolCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "spool", Short: "Readings that wait for a block, and those that the chain refuses", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(spoolStatusCommand(), spoolRetryCommand())
	return cmd
}

// refusedJSON is a refused reading as programs read it.
type refusedJSON struct {
	AtMs    int64           `json:"at_ms"`
	Code    string          `json:"code"`
	Reason  string          `json:"reason"`
	Reading json.RawMessage `json:"reading"`
}

func spoolStatusCommand() *cobra.Command {
	h := &home{}
	var asJSON, refused bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say what the spool holds; the gateway may run", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, entries, err := spool.Inspect(gateway.SpoolDir(h.dir))
			if err != nil {
				return usage("--home: %w", err)
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printStatus(cmd, status, entries, refused)
			}
			oldest := ""
			if status.OldestMs > 0 {
				oldest = ", the oldest of " + time.UnixMilli(status.OldestMs).UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(out, "waiting   %d readings%s\nrefused   %d\nmeters    %d\nsize      %d bytes in %d segments\ndamaged   %d bytes\n",
				status.Pending, oldest, status.Refused, status.Meters, status.Bytes, status.Segments, status.DamagedBytes)
			for _, r := range entries {
				if refused {
					fmt.Fprintf(out, "%s  %s  sequence %d: %s\n", time.UnixMilli(r.Reading.TimeMs).UTC().Format(time.RFC3339), r.Reading.Meter, r.Reading.Sequence, r.Reason)
				}
			}
			return nil
		},
	}
	h.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&refused, "refused", false, "list the refused readings, too")
	return cmd
}

func printStatus(cmd *cobra.Command, status spool.Status, entries []spool.Refused, refused bool) error {
	answer := struct {
		spool.Status
		Readings []refusedJSON `json:"refused_readings,omitempty"`
	}{Status: status}
	for _, r := range entries {
		if !refused {
			break
		}
		reading, err := client.EncodeJSON(r.Reading)
		if err != nil {
			return err
		}
		answer.Readings = append(answer.Readings, refusedJSON{r.AtMs, r.Code, r.Reason, reading})
	}
	data, err := json.MarshalIndent(answer, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", data)
	}
	return err
}

func spoolRetryCommand() *cobra.Command {
	h := &home{}
	var code, meter string
	cmd := &cobra.Command{
		Use: "retry", Short: "Send refused readings again, after what was wrong is mended", Args: noArguments,
		Long: `Retry puts refused readings behind those that wait, for instance after the
authority recorded the swap of a meter. The gateway must not run.`,
		Example: "  energymeter spool retry --code metering/register_back --meter m-1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := gateway.ReadConfig(h.configFile())
			if err != nil {
				return err
			}
			s, err := spool.Open(gateway.SpoolDir(h.dir), spool.Options{MaxBytes: config.SpoolBytes})
			if err != nil {
				return err
			}
			n, err := s.Retry(func(r spool.Refused) bool {
				return (code == "" || r.Code == code) && (meter == "" || r.Reading.Meter == meter)
			})
			if err = errors.Join(err, s.Close()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d readings wait again\n", n)
			return nil
		},
	}
	h.register(cmd)
	cmd.Flags().StringVar(&code, "code", "", "only those refused with this code")
	cmd.Flags().StringVar(&meter, "meter", "", "only those of this meter")
	return cmd
}
