package main

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/protocol"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func noEnvironment(string) (string, bool) { return "", false }

// command returns a command of a fresh command line.
func command(t *testing.T, path ...string) *cobra.Command {
	t.Helper()
	cmd, rest, err := newRoot(noEnvironment).Find(path)
	if err != nil || len(rest) > 0 {
		t.Fatalf("no command %v: %v", path, err)
	}
	return cmd
}

func TestSchemaIsWhole(t *testing.T) {
	var got []string
	for _, e := range messages() {
		got = append(got, e.module+" "+e.command)
	}
	want := []string{
		"bank recharge", "bank transfer", "bank withdraw",
		"credit fund-bank", "credit repay-loan", "credit set-bank", "credit state-demand", "credit withdraw-capital", "grid set-tariff", "grid set-topology", "grid set-zone-fee",
		"matching cancel", "matching cancel-standing-order", "matching confirm", "matching place-buy", "matching place-sell", "matching reveal-order",
		"matching seal-order", "matching set-market", "matching set-standing-order", "metering correct-readings", "metering submit-readings", "metering swap-meter",
		"origin retire-certificate", "origin transfer-certificate",
		"registry apply", "registry approve", "registry approve-proposal", "registry bind-meter", "registry freeze", "registry propose", "registry reject",
		"registry revoke", "registry set-authority", "registry set-endpoints", "registry set-gateway", "registry set-params", "registry set-roles", "registry set-validator", "registry thaw",
		"reputation countersign", "reputation reauthorise",
		"settlement accept-contract", "settlement cancel-contract", "settlement propose-contract",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if n := len(queries()); n < 20 {
		t.Errorf("only %d queries", n)
	}
}

// sample returns text for a flag and what it stands for.
func sample(l leaf) (text, bad string, value protoreflect.Value) {
	_, unit := client.People(l.field)
	switch l.field.Kind() {
	case protoreflect.StringKind:
		return "text", "", protoreflect.ValueOfString("text")
	case protoreflect.BoolKind:
		return "true", "maybe", protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return client.FormatEnum(l.field.Enum(), 1), "nonsense", protoreflect.ValueOfEnum(1)
	case protoreflect.Uint64Kind:
		return "7", "-7", protoreflect.ValueOfUint64(7)
	case protoreflect.BytesKind:
		data := make([]byte, kindOf(l.field).size)
		data[0] = 7
		return hex.EncodeToString(data), "abcd", protoreflect.ValueOfBytes(data)
	}
	switch unit {
	case "":
		return "7", "7.5", protoreflect.ValueOfInt64(7)
	case "time":
		return "2026-01-31T12:00:00Z", "noon", protoreflect.ValueOfInt64(1_769_860_800_000)
	case "month":
		return "2026-02", "february", protoreflect.ValueOfInt64(1_769_904_000_000)
	case "duration":
		return "15m", "15", protoreflect.ValueOfInt64(900_000)
	case "kWh", "m", "kW":
		return "1.5", "1.2345", protoreflect.ValueOfInt64(1500)
	case "%":
		return "1.5", "1.23456", protoreflect.ValueOfInt64(15_000)
	}
	return "1.5", "1.2345678", protoreflect.ValueOfInt64(1_500_000)
}

// TestEveryFlag sets each flag of each message and query, and looks for the
// value in the message; a bad value must be an error of usage that names it.
func TestEveryFlag(t *testing.T) {
	for _, e := range append(messages(), queries()...) {
		t.Run(e.module+" "+e.command, func(t *testing.T) {
			for _, l := range e.leaves() {
				text, bad, value := sample(l)
				flags := pflag.NewFlagSet("", pflag.ContinueOnError)
				registerLeaves(flags, e.leaves())
				if err := flags.Parse([]string{"--" + l.flag + "=" + text}); err != nil {
					t.Fatal(err)
				}
				m := newMessage(e.desc.FullName())
				if given, err := (reader{}).apply(flags, e.leaves(), m); err != nil || given != 1 {
					t.Fatalf("--%s %s: %d given, %v", l.flag, text, given, err)
				}
				if got := valueAt(m, l); !got.Equal(value) {
					t.Errorf("--%s %s: got %v, want %v", l.flag, text, got, value)
				}
				if bad == "" || l.field.Kind() == protoreflect.BoolKind { // pflag refuses a bad bool
					continue
				}
				if err := flags.Set(l.flag, bad); err != nil {
					t.Fatal(err)
				}
				_, err := (reader{}).apply(flags, e.leaves(), m)
				if !is[usageError](err) || !strings.HasPrefix(err.Error(), "--"+l.flag+": ") {
					t.Errorf("--%s %s: %v, want an error of usage", l.flag, bad, err)
				}
			}
		})
	}
}

// valueAt returns the value that a flag set, the only one of a list.
func valueAt(m proto.Message, l leaf) protoreflect.Value {
	at := m.ProtoReflect()
	for _, field := range l.path[:len(l.path)-1] {
		at = at.Get(field).Message()
	}
	if l.field.IsList() {
		return at.Get(l.field).List().Get(0)
	}
	return at.Get(l.field)
}

// TestCommandsAreSound: every command says what it does, no flag of a message
// or query hides one that all commands share, and no two have one name.
func TestCommandsAreSound(t *testing.T) {
	root := newRoot(noEnvironment)
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s: no help", cmd.CommandPath())
		}
		if cmd.Args == nil && cmd != root {
			t.Errorf("%s: takes any arguments", cmd.CommandPath())
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
			shared := root.PersistentFlags().Lookup(flag.Name) != nil
			if bill := cmd.CommandPath() == "energycli bill" && flag.Name == "from"; shared && !bill {
				t.Errorf("%s: --%s hides the flag of all commands", cmd.CommandPath(), flag.Name)
			}
		})
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(root)
	for _, e := range append(messages(), queries()...) {
		var names []string
		for _, l := range e.leaves() {
			names = append(names, l.flag)
		}
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s %s: two flags of one name in %v", e.module, e.command, names)
		}
	}
}

func TestPeopleNamesTellUnitsApart(t *testing.T) {
	flags := command(t, "propose", "registry", "set-params").Flags()
	for _, name := range []string{"params.violation-energy", "params.violation-share", "params.fee", "params.gate-lead"} {
		if flags.Lookup(name) == nil {
			t.Errorf("no flag --%s", name)
		}
	}
}

// TestHelp compares a command's help with the one that was read and found good.
func TestHelp(t *testing.T) {
	cmd := command(t, "tx", "matching", "place-buy")
	got := cmd.Short + "\n\n" + cmd.Example + "\n\n" + cmd.LocalFlags().FlagUsages()
	if *rewrite {
		if err := os.WriteFile("testdata/place-buy.help.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/place-buy.help.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBytesByName(t *testing.T) {
	info := client.KeyInfo{Name: "alice", Public: make([]byte, protocol.KeySize), Address: protocol.KeyAddress([]byte("alice"))}
	r := reader{keys: func(name string) (client.KeyInfo, error) {
		if name != "alice" {
			return client.KeyInfo{}, client.ErrNoKey
		}
		return info, nil
	}}
	for _, tc := range []struct {
		kind kind
		text string
		want []byte
	}{
		{accountBytes, "alice", info.Address.Bytes()},
		{keyBytes, "alice", info.Public},
		{accountBytes, info.Address.String(), info.Address.Bytes()},
		{accountBytes, "grid", protocol.GridAddress.Bytes()},
		{accountBytes, "fees", protocol.FeeAddress.Bytes()},
		{idBytes, strings.Repeat("0a", 16), []byte(strings.Repeat("\n", 16))},
	} {
		if got, err := r.bytes(tc.kind, tc.text); err != nil || string(got) != string(tc.want) {
			t.Errorf("%s %s: %x, %v, want %x", tc.kind.name, tc.text, got, err, tc.want)
		}
	}
	for _, tc := range []struct {
		kind kind
		text string
	}{
		{accountBytes, "bob"},
		{accountBytes, ""},
		{accountBytes, "energy1alice"},
		{accountBytes, strings.Repeat("0a", 16)},
		{keyBytes, "grid"},
		{keyBytes, info.Address.String()},
		{idBytes, "alice"},
		{idBytes, info.Address.String()},
	} {
		if got, err := r.bytes(tc.kind, tc.text); err == nil || errors.Is(err, client.ErrNoKey) {
			t.Errorf("%s %q: %x, %v, want a refusal of the text", tc.kind.name, tc.text, got, err)
		}
	}
}
