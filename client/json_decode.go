package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/internal/strictjson"
)

// DecodeJSON reads what EncodeJSON wrote into m; fields may be left out. Every
// mistake (an unknown or doubled field, a value of another kind) is a
// *strictjson.Error that names line, column and field.
func DecodeJSON(data []byte, m proto.Message) error {
	// With the syntax checked, the walk below meets none but our own errors.
	var whole json.RawMessage
	if err := strictjson.Decode(data, &whole); err != nil {
		return err
	}
	r := &jsonReader{data: data, tokens: json.NewDecoder(bytes.NewReader(data))}
	r.tokens.UseNumber()
	return r.message(m.ProtoReflect())
}

// jsonReader walks the tokens of data and knows where it is.
type jsonReader struct {
	data   []byte
	tokens *json.Decoder
	path   []string // ".name" or "[index]" for each level
}

// next returns the next token and the offset at which it starts.
func (r *jsonReader) next() (json.Token, int, error) {
	offset := int(r.tokens.InputOffset())
	for offset < len(r.data) && strings.IndexByte(" \t\r\n:,", r.data[offset]) >= 0 {
		offset++
	}
	token, err := r.tokens.Token()
	return token, offset, err
}

func (r *jsonReader) fail(offset int, expected string, got json.Token) error {
	before := string(r.data[:offset])
	start := strings.LastIndexByte(before, '\n') + 1
	return &strictjson.Error{
		Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[start:]) + 1,
		Field: strings.TrimPrefix(strings.Join(r.path, ""), "."), Expected: expected, Got: describeToken(got),
	}
}

func describeToken(token json.Token) string {
	switch typed := token.(type) {
	case nil:
		return "null"
	case string:
		return strictjson.Quote(typed)
	case json.Delim:
		return map[json.Delim]string{'{': "an object", '[': "an array"}[typed]
	}
	return fmt.Sprint(token)
}

// message reads an object into m.
func (r *jsonReader) message(m protoreflect.Message) error {
	token, offset, err := r.next()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return r.fail(offset, "an object", token)
	}
	seen := make(map[string]bool)
	for r.tokens.More() {
		key, offset, err := r.next()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return r.fail(offset, "a field of "+string(m.Descriptor().Name())+" ("+fieldNames(m.Descriptor())+")", key)
		}
		r.path = append(r.path, "."+name)
		if seen[name] {
			return r.fail(offset, "each field once", key)
		}
		seen[name] = true
		if err := r.field(field, m); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
	}
	_, _, err = r.next()
	return err
}

func fieldNames(m protoreflect.MessageDescriptor) string {
	var names []string
	for i := range m.Fields().Len() {
		names = append(names, string(m.Fields().Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// field reads a field's value or list of values.
func (r *jsonReader) field(field protoreflect.FieldDescriptor, m protoreflect.Message) error {
	if !field.IsList() {
		value, err := r.value(field, func() protoreflect.Value { return m.NewField(field) })
		if err == nil {
			m.Set(field, value)
		}
		return err
	}
	token, offset, err := r.next()
	if err != nil {
		return err
	}
	if token != json.Delim('[') {
		return r.fail(offset, "an array", token)
	}
	list := m.Mutable(field).List()
	for i := 0; r.tokens.More(); i++ {
		r.path = append(r.path, fmt.Sprintf("[%d]", i))
		value, err := r.value(field, list.NewElement)
		if err != nil {
			return err
		}
		list.Append(value)
		r.path = r.path[:len(r.path)-1]
	}
	_, _, err = r.next()
	return err
}

// value reads one value; empty makes a message to fill.
func (r *jsonReader) value(field protoreflect.FieldDescriptor, empty func() protoreflect.Value) (protoreflect.Value, error) {
	if field.Kind() == protoreflect.MessageKind {
		value := empty()
		return value, r.message(value.Message())
	}
	token, offset, err := r.next()
	if err != nil {
		return protoreflect.Value{}, err
	}
	var value protoreflect.Value
	expected := "a whole number"
	switch field.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
		expected = "a string"
		if text, ok := token.(string); ok {
			value, err = ParseScalar(field, text)
		}
	case protoreflect.BoolKind:
		expected = "true or false"
		if flag, ok := token.(bool); ok {
			value = protoreflect.ValueOfBool(flag)
		}
	default:
		if number, ok := token.(json.Number); ok {
			value, err = ParseScalar(field, number.String())
		}
	}
	if err != nil {
		expected = expectedOf(err)
	}
	if err != nil || !value.IsValid() {
		return value, r.fail(offset, expected, token)
	}
	return value, nil
}

// expectedOf takes what was expected out of an error that ParseScalar made of
// it and of what it got.
func expectedOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "expected ")
	if end := strings.Index(text, ", got "); end > 0 {
		return text[:end]
	}
	return "a valid value (" + text + ")"
}
