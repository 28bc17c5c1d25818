package main

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// The commands are made from what these packages register.
	_ "github.com/energyd/energyd/gen/energy/bank/v1"
	_ "github.com/energyd/energyd/gen/energy/credit/v1"
	_ "github.com/energyd/energyd/gen/energy/dispatch/v1"
	_ "github.com/energyd/energyd/gen/energy/grid/v1"
	_ "github.com/energyd/energyd/gen/energy/matching/v1"
	_ "github.com/energyd/energyd/gen/energy/metering/v1"
	_ "github.com/energyd/energyd/gen/energy/origin/v1"
	_ "github.com/energyd/energyd/gen/energy/registry/v1"
	_ "github.com/energyd/energyd/gen/energy/reputation/v1"
	_ "github.com/energyd/energyd/gen/energy/settlement/v1"
	_ "github.com/energyd/energyd/gen/energy/tx/v1"
)

// entry is a message or query of the chain that has a command of its own.
type entry struct {
	// module is "bank", command "place-sell".
	module, command string
	desc            protoreflect.MessageDescriptor
}

// schema returns the types of all modules whose names have the prefix and
// suffix, by module and command. The envelope's own package is no module.
func schema(prefix, suffix string) []entry {
	var found []entry
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		parts := strings.Split(string(file.Package()), ".")
		if len(parts) != 3 || parts[0] != "energy" || parts[1] == "tx" {
			return true
		}
		for i := range file.Messages().Len() {
			desc := file.Messages().Get(i)
			name, isOne := strings.CutPrefix(string(desc.Name()), prefix)
			name, ends := strings.CutSuffix(name, suffix)
			if isOne && ends && name != "" {
				found = append(found, entry{parts[1], kebab(name), desc})
			}
		}
		return true
	})
	slices.SortFunc(found, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.module, b.module), cmp.Compare(a.command, b.command))
	})
	return found
}

// messages are what transactions carry, queries what nodes answer.
func messages() []entry { return schema("Msg", "") }
func queries() []entry  { return schema("Query", "Request") }

// kebab writes PlaceSell as place-sell.
func kebab(name string) string { return strings.Join(words(name), "-") }

// words splits a type's name: SellPlaced is "sell", "placed".
func words(name string) []string {
	var out []string
	for _, r := range name {
		if unicode.IsUpper(r) || len(out) == 0 {
			out = append(out, "")
		}
		out[len(out)-1] += string(unicode.ToLower(r))
	}
	return out
}

// newMessage returns an empty message of a registered type, nil if there is
// none of that name.
func newMessage(name protoreflect.FullName) proto.Message {
	found, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return nil
	}
	return found.New().Interface()
}
