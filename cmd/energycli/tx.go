package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/internal/strictjson"
)

func txCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tx", Short: "Sign a message and send it", Args: noArguments, RunE: showHelp,
		Long: `Sign a message with the key of --from and send it. Energies are in kWh, money
in coins, prices in coins per kWh, ratios in per cent. Messages marked with
(authority) are refused from members: see energycli propose.`,
		Example: "  energycli tx bank transfer --from alice --to energy1... --amount 2.5",
	}
	send := func(cmd *cobra.Command, l *link, m proto.Message) error { return o.send(cmd, l, m) }
	addModules(cmd, messages(), func(e entry) *cobra.Command { return messageCommand(o, e, "tx", send) })
	for _, module := range cmd.Commands() {
		if module.Name() == "metering" {
			module.AddCommand(submitReadingCommand(o), correctReadingCommand(o))
		}
	}
	cmd.AddCommand(replaceCommand(o), sealCommand(o))
	return cmd
}

// addModules adds a command for each module and, below it, what build makes of
// each of its entries.
func addModules(parent *cobra.Command, entries []entry, build func(entry) *cobra.Command) {
	modules := make(map[string]*cobra.Command)
	for _, e := range entries {
		module, ok := modules[e.module]
		if !ok {
			module = &cobra.Command{Use: e.module, Short: moduleHelp[e.module], Args: noArguments, RunE: showHelp}
			modules[e.module] = module
			parent.AddCommand(module)
		}
		module.AddCommand(build(e))
	}
}

// messageCommand makes the command of a message; done gets the message that
// was read from flags.
func messageCommand(o *options, e entry, verb string, done func(*cobra.Command, *link, proto.Message) error) *cobra.Command {
	var file string
	all := e.leaves()
	cmd := &cobra.Command{
		Use: e.command, Short: messageHelp[string(e.desc.Name())], Args: noArguments,
		Example: messageExamples[verb+" "+string(e.desc.Name())],
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			m, err := readMessage(cmd, l.reader(), e.desc, all, file)
			if err != nil {
				return err
			}
			return done(cmd, l, m)
		},
	}
	cmd.Flags().SortFlags = false
	registerLeaves(cmd.Flags(), all)
	jsonFlag(cmd, &file)
	return cmd
}

func jsonFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "json", "", "file with the whole message as JSON, - for standard input; flags override it")
}

// readMessage reads a message from --json and from the flags of its fields.
func readMessage(cmd *cobra.Command, r reader, desc protoreflect.MessageDescriptor, all []leaf, file string) (proto.Message, error) {
	m := newMessage(desc.FullName())
	if m == nil {
		return nil, fmt.Errorf("message %s is not registered", desc.FullName())
	}
	var fields map[string]json.RawMessage
	if file != "" {
		data, err := readFile(cmd, "--json", file)
		if err != nil {
			return nil, err
		}
		if err := client.DecodeJSON(data, m); err != nil {
			return nil, usage("%s: %w", file, err)
		}
		if fields, err = fieldsOf(data); err != nil {
			return nil, usage("%s: %w", file, err)
		}
	}
	given, err := r.apply(cmd.Flags(), all, m)
	if err != nil {
		return nil, err
	}
	if given == 0 && file == "" && desc.Fields().Len() > 0 {
		return nil, usage("expected --json FILE or flags, such as --%s", firstFlag(all))
	}
	return m, stated(all, func(l leaf) bool {
		_, inFile := fields[string(l.field.Name())]
		return inFile || cmd.Flags().Changed(l.flag)
	})
}

func firstFlag(all []leaf) string {
	if len(all) == 0 {
		return "json"
	}
	return all[0].flag
}

// readFile reads a file that a flag or argument names, - being standard input.
func readFile(cmd *cobra.Command, what, name string) ([]byte, error) {
	if name == "-" {
		data, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("%s: standard input: %w", what, err)
		}
		return data, nil
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if err != nil {
		return nil, usage("%s: %w", what, err)
	}
	return data, nil
}

// writeFile writes what a command made to the file of --out, or prints it.
func writeFile(cmd *cobra.Command, path string, data []byte) error {
	data = append(data, '\n')
	if path == "" || path == "-" {
		_, err := cmd.OutOrStdout().Write(data)
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// badFile makes the errors in a file that a user named ones of usage, but for
// those that say that its contents were changed.
func badFile(name string, err error) error {
	if is[*strictjson.Error](err) && exitCode(err) == exitUsage {
		return usage("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
