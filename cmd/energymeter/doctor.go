package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/meter/gateway"
)

var errUnwell = errors.New("not everything is well")

func doctorCommand() *cobra.Command {
	h := &home{}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check configuration, key, spool, meters, devices, nodes and clock", Args: noArguments,
		Long: `Doctor reads each meter and device once, asks each node, and looks whether the
gateway's account, its meters and its devices on chain are as they must be. It
needs no passphrase, writes to no device and changes nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := gateway.ReadConfig(h.configFile())
			if err != nil {
				return err
			}
			store, err := h.keystore()
			if err != nil {
				return err
			}
			key, err := store.Info(config.Key)
			if err != nil {
				return err
			}
			checks, err := gateway.Diagnose(cmd.Context(), withOpeners(gateway.Options{Home: h.dir, ConfigFile: h.configFile(), Now: time.Now}), key.Address)
			if err != nil {
				return err
			}
			return printChecks(cmd, checks, asJSON)
		},
	}
	h.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printChecks(cmd *cobra.Command, checks []gateway.Check, asJSON bool) error {
	well := true
	for _, c := range checks {
		well = well && c.OK
	}
	if asJSON {
		data, err := json.MarshalIndent(checks, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", data)
	}
	for _, c := range checks {
		mark := "ok"
		if !c.OK {
			mark = "NO"
		}
		if !asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s: %s\n", mark, c.What, c.Found)
		}
	}
	if !well {
		return errUnwell
	}
	return nil
}
