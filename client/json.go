package client

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/protocol"
)

// JSON of records for people and files: field names as in the .proto files,
// accounts in bech32, other bytes in hexadecimal, integers as numbers, enum
// values by name without their type's prefix. Every set field is written and
// the order is the schema's, so equal messages give equal bytes.

// EncodeJSON writes a message.
func EncodeJSON(m proto.Message) ([]byte, error) {
	var out bytes.Buffer
	if err := encodeMessage(&out, m.ProtoReflect()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func encodeMessage(out *bytes.Buffer, m protoreflect.Message) error {
	out.WriteByte('{')
	fields := m.Descriptor().Fields()
	first := true
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.HasPresence() && !m.Has(field) {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		fmt.Fprintf(out, "%q:", field.Name())
		if err := encodeField(out, field, m.Get(field)); err != nil {
			return fmt.Errorf("%s: %w", field.Name(), err)
		}
	}
	out.WriteByte('}')
	return nil
}

func encodeField(out *bytes.Buffer, field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	if !field.IsList() {
		return encodeValue(out, field, value)
	}
	out.WriteByte('[')
	for i := range value.List().Len() {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := encodeValue(out, field, value.List().Get(i)); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func encodeValue(out *bytes.Buffer, field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	var plain any
	switch field.Kind() {
	case protoreflect.MessageKind:
		return encodeMessage(out, value.Message())
	case protoreflect.BytesKind:
		plain = FormatBytes(value.Bytes())
	case protoreflect.EnumKind:
		plain = FormatEnum(field.Enum(), value.Enum())
	default:
		plain = value.Interface()
	}
	text, err := json.Marshal(plain)
	out.Write(text)
	return err
}

// FormatBytes writes 20 bytes as an address and all else in hexadecimal: only
// accounts are 20 bytes long.
func FormatBytes(data []byte) string {
	if address, err := protocol.AddressFrom(data); err == nil {
		return address.String()
	}
	return hex.EncodeToString(data)
}

// ParseBytes reads what FormatBytes wrote.
func ParseBytes(text string) ([]byte, error) {
	if strings.HasPrefix(text, protocol.AddressPrefix+"1") {
		address, err := protocol.ParseAddress(text)
		return address[:], err
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("expected an address or hexadecimal digits, got %q", text)
	}
	return data, nil
}

// FormatEnum writes an enum value without its type's prefix, in lower case.
func FormatEnum(enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) string {
	value := enum.Values().ByNumber(number)
	if value == nil {
		return fmt.Sprintf("%d", number)
	}
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), enumPrefix(enum)))
}

// ParseEnum reads what FormatEnum wrote.
func ParseEnum(enum protoreflect.EnumDescriptor, text string) (protoreflect.EnumNumber, error) {
	value := enum.Values().ByName(protoreflect.Name(enumPrefix(enum) + strings.ToUpper(text)))
	if value == nil {
		var names []string
		for i := range enum.Values().Len() {
			names = append(names, FormatEnum(enum, enum.Values().Get(i).Number()))
		}
		return 0, fmt.Errorf("expected one of %s, got %q", strings.Join(names, ", "), text)
	}
	return value.Number(), nil
}

// enumPrefix is what the values' names begin with: the name of the zero value
// up to UNSPECIFIED.
func enumPrefix(enum protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
}
