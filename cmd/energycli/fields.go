package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/protocol"
)

// leaf is a field of a message, or of a message in it, that has a flag.
type leaf struct {
	flag  string
	path  []protoreflect.FieldDescriptor // from the message down
	field protoreflect.FieldDescriptor   // the last of path
}

// leaves returns the fields of a message or query that have flags. --limit is
// shared by all commands; other names that all commands share go to those: the
// grid's node is --grid-node.
func (e entry) leaves() []leaf {
	var found []leaf
	shared := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(options).register(shared)
	for _, l := range leaves(e.desc) {
		if l.flag == "limit" {
			continue
		}
		if shared.Lookup(l.flag) != nil {
			l.flag = e.module + "-" + l.flag
		}
		found = append(found, l)
	}
	return found
}

// leaves returns the fields of a message that flags can set: all but lists of
// messages, which only --json can.
func leaves(desc protoreflect.MessageDescriptor) []leaf { return leavesBelow(desc, "", nil) }

func leavesBelow(desc protoreflect.MessageDescriptor, prefix string, path []protoreflect.FieldDescriptor) []leaf {
	var found []leaf
	for i, name := range peopleNames(desc) {
		field := desc.Fields().Get(i)
		flag := prefix + strings.ReplaceAll(name, "_", "-")
		below := append(path[:len(path):len(path)], field)
		switch {
		case field.Kind() != protoreflect.MessageKind:
			found = append(found, leaf{flag, below, field})
		case !field.IsList():
			found = append(found, leavesBelow(field.Message(), flag+".", below)...)
		}
	}
	return found
}

// unitNames tell apart quantities of one name, violation_wh and violation_ppm.
var unitNames = map[string]string{
	"kWh": "_energy", "coin": "_amount", "coin/kWh": "_rate", "%": "_share", "m": "_length", "kW": "_power", "time": "_time", "month": "_month", "duration": "_duration",
}

// peopleNames returns the fields' names without their units, unless two would
// have the same name.
func peopleNames(desc protoreflect.MessageDescriptor) []string {
	var names, units []string
	times := make(map[string]int)
	for i := range desc.Fields().Len() {
		name, unit := client.People(desc.Fields().Get(i))
		names, units = append(names, name), append(units, unit)
		times[name]++
	}
	for i, name := range names {
		if times[name] > 1 {
			names[i] += unitNames[units[i]]
		}
	}
	return names
}

// registerLeaves makes the flags; those that exist already are shared.
func registerLeaves(flags *pflag.FlagSet, all []leaf) {
	for _, l := range all {
		if flags.Lookup(l.flag) != nil {
			continue
		}
		if l.field.Kind() == protoreflect.BoolKind {
			flags.Bool(l.flag, false, l.help())
		} else {
			flags.String(l.flag, "", l.help())
		}
	}
}

// kind is what the bytes of a field mean.
type kind struct {
	name string
	size int
}

var (
	accountBytes   = kind{"account", protocol.AddressSize}
	keyBytes       = kind{"key", protocol.KeySize}
	idBytes        = kind{"id", protocol.IDSize}
	hashBytes      = kind{"hash", 32}
	saltBytes      = kind{"salt", protocol.SaltSize}
	signatureBytes = kind{"signature", protocol.SignatureSize}
)

// kindOf tells by its name what a field of bytes means.
func kindOf(field protoreflect.FieldDescriptor) kind {
	name := string(field.Name())
	switch {
	case name == "key" || name == "keys" || strings.HasSuffix(name, "_key"):
		return keyBytes
	case name == "id" || name == "order" || name == "match" || name == "proposal" || name == "contract":
		return idBytes
	case name == "identity" || name == "commitment" || name == "tie_break_hash":
		return hashBytes
	case name == "salt":
		return saltBytes
	case name == "signature":
		return signatureBytes
	}
	return accountBytes
}

// help derives a flag's help from the field.
func (l leaf) help() string {
	name, unit := client.People(l.field)
	text := strings.ReplaceAll(name, "_", " ")
	in := " in "
	if given := fieldHelp[string(l.field.Parent().Name())+"."+string(l.field.Name())]; given != "" {
		text, in = given, ", in "
	}
	if unit != "" {
		switch unit {
		case "time":
			text += `: a time like 2026-01-31T12:00:00Z or Unix milliseconds`
			if isPeriod(l.field) {
				text += `; "next" is the next period that takes orders, "current" the one being delivered`
			}
		case "month":
			text += `: a UTC month like 2026-11`
		case "duration":
			text += `: a duration like 15m`
		default:
			text += in + unit
		}
	}
	switch l.field.Kind() {
	case protoreflect.EnumKind:
		text += ": " + strings.Join(enumNames(l.field.Enum()), ", ")
	case protoreflect.BytesKind:
		switch k := kindOf(l.field); k {
		case accountBytes:
			text += ": an address, the name of an own key, grid, fees or guarantee"
		case keyBytes:
			text += ": a public key in hexadecimal, or the name of an own key"
		case hashBytes:
			text += ": a SHA-256 in hexadecimal"
		default:
			text += fmt.Sprintf(": %d hexadecimal digits", 2*k.size)
		}
	}
	if l.field.IsList() {
		text += "; several comma-separated"
	}
	return text
}

func enumNames(enum protoreflect.EnumDescriptor) []string {
	var names []string
	for i := range enum.Values().Len() {
		if value := enum.Values().Get(i); value.Number() != 0 {
			names = append(names, client.FormatEnum(enum, value.Number()))
		}
	}
	return names
}

// isPeriod says whether a field names a period.
func isPeriod(field protoreflect.FieldDescriptor) bool {
	return field.Name() == "period" || field.Name() == "from_period"
}

// reader turns what people write into values of fields.
type reader struct {
	// keys finds own keys by name; nil finds none.
	keys func(name string) (client.KeyInfo, error)
	// period finds the period that a word stands for; nil knows no words.
	period func(word string) (int64, error)
}

// apply sets the fields whose flags were given, and says how many they were.
func (r reader) apply(flags *pflag.FlagSet, all []leaf, m proto.Message) (int, error) {
	given := 0
	for _, l := range all {
		flag := flags.Lookup(l.flag)
		if flag == nil || !flag.Changed {
			continue
		}
		given++
		if err := r.set(l, flag.Value.String(), m); err != nil {
			return given, err
		}
	}
	return given, nil
}

// set sets one field from text.
func (r reader) set(l leaf, text string, m proto.Message) error {
	target := m.ProtoReflect()
	for _, field := range l.path[:len(l.path)-1] {
		target = target.Mutable(field).Message()
	}
	if !l.field.IsList() {
		value, err := r.value(l.field, text)
		if err != nil {
			return l.wrong(err)
		}
		target.Set(l.field, value)
		return nil
	}
	target.Clear(l.field)
	list := target.Mutable(l.field).List()
	for item := range strings.SplitSeq(text, ",") {
		value, err := r.value(l.field, strings.TrimSpace(item))
		if err != nil {
			return l.wrong(err)
		}
		list.Append(value)
	}
	return nil
}

// wrong names the flag. A failure of the node on the way stays what it is.
func (l leaf) wrong(err error) error {
	if code := exitCode(err); code == exitError || code == exitUsage {
		return usage("--%s: %w", l.flag, err)
	}
	return fmt.Errorf("--%s: %w", l.flag, err)
}

func (r reader) value(field protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	switch {
	case field.Kind() == protoreflect.BytesKind:
		data, err := r.bytes(kindOf(field), text)
		return protoreflect.ValueOfBytes(data), err
	case isPeriod(field) && r.period != nil && (text == "next" || text == "current"):
		period, err := r.period(text)
		return protoreflect.ValueOfInt64(period), err
	}
	return client.ParsePeople(field, text)
}

// bytes reads an address, a key, an id, or the name of an own key or of an
// account without keys.
func (r reader) bytes(k kind, text string) ([]byte, error) {
	data, err := client.ParseBytes(text)
	if err == nil && len(data) == k.size {
		return data, nil
	}
	if (k == accountBytes || k == keyBytes) && protocol.CheckName(text) == nil {
		if info, err := r.ownKey(text); err == nil {
			if k == keyBytes {
				return info.Public, nil
			}
			return info.Address.Bytes(), nil
		}
		if system := map[string]protocol.Address{"grid": protocol.GridAddress, "fees": protocol.FeeAddress, "guarantee": protocol.GuaranteeAddress}; k == accountBytes && system[text] != (protocol.Address{}) {
			address := system[text]
			return address.Bytes(), nil
		}
	}
	if k == accountBytes {
		expected := fmt.Errorf("expected an address energy1... or the name of an own key, got %q", text)
		if strings.HasPrefix(text, protocol.AddressPrefix+"1") && err != nil {
			return nil, fmt.Errorf("%w: %w", expected, err)
		}
		return nil, expected
	}
	if k == keyBytes {
		return nil, fmt.Errorf("expected a public key of %d hexadecimal digits or the name of an own key, got %q", 2*k.size, text)
	}
	return nil, fmt.Errorf("expected %d hexadecimal digits, got %q", 2*k.size, text)
}

func (r reader) ownKey(name string) (client.KeyInfo, error) {
	if r.keys == nil {
		return client.KeyInfo{}, client.ErrNoKey
	}
	return r.keys(name)
}
