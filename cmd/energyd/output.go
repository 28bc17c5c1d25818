package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// field is one line of text output.
type field struct{ name, value string }

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "text", "text or json")
}

// print writes value as JSON or its fields, those with a value, as text.
func print(cmd *cobra.Command, output string, value any, fields []field) error {
	switch output {
	case "json":
		data, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", data)
		return err
	case "text":
		width := 0
		for _, f := range fields {
			width = max(width, len(f.name))
		}
		for _, f := range fields {
			if f.value == "" {
				continue
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-*s  %s\n", width, f.name, f.value); err != nil {
				return err
			}
		}
		return nil
	}
	return usage("--output: expected text or json, got %q", output)
}
