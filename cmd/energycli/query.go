package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

func queryCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "query", Aliases: []string{"q"}, Short: "Ask a node for the chain's state", Args: noArguments, RunE: showHelp,
		Long: `Ask a node for the chain's state. Arguments can be given by flags or, in their
order, by position: energycli query bank balance alice.`,
	}
	addModules(cmd, queries(), func(e entry) *cobra.Command { return stateCommand(o, e) })
	for _, e := range queries() {
		if e.module == "origin" && e.command == "certificates" {
			cmd.AddCommand(stateCommand(o, e)) // the short way to it
		}
		if e.module == "dispatch" && e.command == "dispatch" {
			shortDispatch(o, cmd, e)
		}
	}
	cmd.AddCommand(windowCommand(o), invariantsCommand(o), headerCommand(o), transactionCommand(o), blockCommand(o), explainCommand(o))
	return cmd
}

// stateCommand makes the command of a query.
func stateCommand(o *options, e entry) *cobra.Command {
	all := e.leaves()
	cmd := &cobra.Command{
		Use: e.command + positions(all), Short: queryHelp[strings.TrimSuffix(string(e.desc.Name()), "Request")],
		Args: func(cmd *cobra.Command, args []string) error {
			if most := len(positional(all)); len(args) > most {
				return usage("%s: expected at most %d arguments, got %d", cmd.CommandPath(), most, len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l := o.link(cmd.Context())
			request, err := readRequest(cmd, l.reader(), e.desc, all, args)
			if err != nil {
				return err
			}
			if limit := e.desc.Fields().ByName("limit"); limit != nil {
				request.ProtoReflect().Set(limit, protoreflect.ValueOfInt64(o.limit))
			}
			response := newMessage(responseOf(e.desc))
			if response == nil {
				return fmt.Errorf("message %s is not registered", responseOf(e.desc))
			}
			return o.ask(cmd, l, request, response)
		},
	}
	cmd.Flags().SortFlags = false
	registerLeaves(cmd.Flags(), all)
	return cmd
}

func responseOf(request protoreflect.MessageDescriptor) protoreflect.FullName {
	return protoreflect.FullName(strings.TrimSuffix(string(request.FullName()), "Request") + "Response")
}

// positional returns the fields that arguments can stand for: all but the one
// that pages through lists.
func positional(all []leaf) []leaf {
	var found []leaf
	for _, l := range all {
		if l.field.Name() != "after" {
			found = append(found, l)
		}
	}
	return found
}

func positions(all []leaf) string {
	var text string
	for _, l := range positional(all) {
		text += " [" + strings.ToUpper(l.flag) + "]"
	}
	return text
}

// readRequest reads a query's fields from arguments and flags.
func readRequest(cmd *cobra.Command, r reader, desc protoreflect.MessageDescriptor, all []leaf, args []string) (proto.Message, error) {
	m := newMessage(desc.FullName())
	if m == nil {
		return nil, fmt.Errorf("message %s is not registered", desc.FullName())
	}
	for i, arg := range args {
		l := positional(all)[i]
		if cmd.Flags().Changed(l.flag) {
			return nil, usage("--%s: expected it once, got an argument as well", l.flag)
		}
		if err := r.set(l, arg, m); err != nil {
			return nil, err
		}
	}
	if _, err := r.apply(cmd.Flags(), all, m); err != nil {
		return nil, err
	}
	byPosition := positional(all)[:len(args)]
	return m, stated(all, func(l leaf) bool {
		return cmd.Flags().Changed(l.flag) || slices.ContainsFunc(byPosition, func(other leaf) bool { return other.flag == l.flag })
	})
}

// ask sends a query and prints the answer.
func (o *options) ask(cmd *cobra.Command, l *link, request, response proto.Message) error {
	if err := l.connect(); err != nil {
		return err
	}
	if _, err := l.Query(l.ctx, request, response, o.height); err != nil {
		return err
	}
	if compared, ok := response.(*dispatchv1.QueryDispatchResponse); ok && !o.json() {
		return writeDispatch(cmd.OutOrStdout(), compared)
	}
	if !o.json() {
		return writeRecord(cmd.OutOrStdout(), response.ProtoReflect())
	}
	return printMessage(cmd, response)
}

// printMessage prints a message as programs read it.
func printMessage(cmd *cobra.Command, m proto.Message) error {
	data, err := client.EncodeJSON(m)
	if err != nil {
		return err
	}
	var loose bytes.Buffer
	if err := json.Indent(&loose, data, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), loose.String())
	return err
}
