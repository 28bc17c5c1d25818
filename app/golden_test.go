package app_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/energyd/energyd/app" // registers every message and code
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares text with a file under testdata, or writes it. A difference
// is a STATE-BREAKING change: it needs an ADR and a line in CHANGELOG.md.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile("testdata/"+file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	compareGolden(t, file, got)
}

func compareGolden(t testing.TB, file, got string) {
	t.Helper()
	path := "testdata/" + file
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s line %d changed:\n got %q\nwant %q\n(-rewrite if that is meant)", file, i+1, at(gotLines, i), at(wantLines, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

// The codes of refusals are consensus data: they enter the results hash.
func TestGoldenCodes(t *testing.T) {
	var out strings.Builder
	for _, e := range module.Declared() {
		if e.Codespace == "test" {
			continue
		}
		fmt.Fprintf(&out, "%s %d %s\n", e.Codespace, e.Code, e.Name)
	}
	golden(t, "codes.txt", out.String())
	seen := make(map[string]bool)
	for _, e := range module.Declared() {
		for _, key := range []string{fmt.Sprint(e.Codespace, e.Code), fmt.Sprint(e.Codespace, e.Name)} {
			if seen[key] {
				t.Errorf("%s/%d %s is declared twice", e.Codespace, e.Code, e.Name)
			}
			seen[key] = true
		}
	}
}

// The encoding of every message and record, with every field set.
func TestGoldenBytes(t *testing.T) {
	golden(t, "bytes.txt", goldenBytes(t, func(proto.Message) {}))
}

// goldenBytes lists the messages' encodings; change may seed a bug.
func goldenBytes(t *testing.T, change func(proto.Message)) string {
	t.Helper()
	var lines []string
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		name := string(kind.Descriptor().FullName())
		if strings.HasPrefix(name, "energy.") {
			message := kind.New()
			fill(message, 3)
			change(message.Interface())
			data, err := protocol.Marshal(message.Interface())
			if err != nil {
				t.Fatal(err)
			}
			hash := protocol.TxHash(data)
			lines = append(lines, name+" "+hex.EncodeToString(hash[:8]))
		}
		return true
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// fill sets every field to a value that follows from its number.
func fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		number := int64(field.Number())
		set := func(v protoreflect.Value) {
			if field.IsList() {
				m.Mutable(field).List().Append(v)
			} else {
				m.Set(field, v)
			}
		}
		switch field.Kind() {
		case protoreflect.BoolKind:
			set(protoreflect.ValueOfBool(true))
		case protoreflect.Int64Kind:
			set(protoreflect.ValueOfInt64(-number))
		case protoreflect.Uint64Kind:
			set(protoreflect.ValueOfUint64(uint64(number)))
		case protoreflect.StringKind:
			set(protoreflect.ValueOfString(string(field.Name())))
		case protoreflect.BytesKind:
			set(protoreflect.ValueOfBytes([]byte{byte(number), 1, 2}))
		case protoreflect.EnumKind:
			set(protoreflect.ValueOfEnum(1))
		case protoreflect.MessageKind:
			if depth == 0 {
				continue
			}
			if field.IsList() {
				value := m.Mutable(field).List().NewElement()
				fill(value.Message(), depth-1)
				set(value)
			} else {
				fill(m.Mutable(field).Message(), depth-1)
			}
		}
	}
}

// The roots of a scripted chain, block by block.
func TestGoldenRoots(t *testing.T) {
	golden(t, "roots.txt", scriptedRoots(t, 3_000))
}

// scriptedRoots runs a script in which a seller offers energyWh and returns the
// root after each block.
func scriptedRoots(t *testing.T, energyWh int64) string {
	t.Helper()
	c, seller, buyer, other := market(t)
	var out strings.Builder
	step := func(after time.Duration, txs ...[]byte) {
		c.Must(after, txs...)
		fmt.Fprintf(&out, "%d %x\n", c.Height, c.Root())
	}
	start := nextPeriod(c)
	step(time.Second, c.Tx(seller.Key, sell(start.UnixMilli(), seller, 400_000, energyWh)))
	step(time.Second, c.Tx(buyer.Key, buy(start.UnixMilli(), 500_000, 2_000, true)), c.Tx(other.Key, buy(start.UnixMilli(), 450_000, 2_000, true)))
	for c.Time.Before(start) {
		step(time.Second)
	}
	step(time.Second, c.Readings(c.Reading(seller, start.UnixMilli(), 0, 0), c.Reading(buyer, start.UnixMilli(), 0, 0), c.Reading(other, start.UnixMilli(), 0, 0)))
	end := start.Add(testkit.Period).UnixMilli()
	step(testkit.Period, c.Readings(c.Reading(seller, end, 0, 2_900), c.Reading(buyer, end, 2_100, 0), c.Reading(other, end, 800, 0)))
	step(time.Second)
	return out.String()
}
