// Package strictjson decodes the JSON files that people write: order books,
// genesis files, bills. encoding/json forgives what in such a file is a
// mistake (a misspelt, doubled or forgotten field) and says little about where
// it is; here each of these is an error that names line, column and field.
package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is a mistake in a file. Its text is one line:
//
//	line 4 column 12: field buys[3].price: expected a whole number, got "1"
type Error struct {
	Line, Column int    // of the offending text, from 1; columns count characters
	Field        string // path such as buys[3].price; empty for the whole file
	Expected     string
	Got          string
}

func (e *Error) Error() string {
	field := ""
	if e.Field != "" {
		field = "field " + e.Field + ": "
	}
	return fmt.Sprintf("line %d column %d: %sexpected %s, got %s", e.Line, e.Column, field, e.Expected, e.Got)
}

// Decode reads the one JSON value in data into the struct, slice or map that v
// points to; every mistake in data is an *Error. Field names are those of the
// json tags, spelt exactly. A field is required unless its tag says omitempty
// or omitzero: what writing may leave out, reading may miss; a field left out
// keeps the value it had. null is never accepted.
//
// Supported are structs without embedding, slices, maps with string keys,
// pointers, strings, booleans, integers, json.RawMessage and types with
// UnmarshalText. Any other type is an error of the program, not an *Error.
func Decode(data []byte, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("strictjson: cannot decode into %T, expected a pointer", v)
	}
	if err := checkSyntax(data); err != nil {
		return err
	}
	return newReader(data).value(target.Elem())
}

// At returns an error about a field that Decode has no reason to refuse and its
// caller has, placed where the field stands in data, or at the nearest enclosing
// value if it was left out. v points to a value of the type that data holds.
func At(data []byte, v any, field, expected, got string) *Error {
	offset := 0
	if target := reflect.TypeOf(v); checkSyntax(data) == nil && target.Kind() == reflect.Pointer {
		r := newReader(data)
		r.visit = func(at int) {
			rest, on := strings.CutPrefix(field, r.field())
			if on && (rest == field || rest == "" || rest[0] == '.' || rest[0] == '[') {
				offset = at
			}
		}
		// What Decode would refuse further on does not matter here.
		_ = r.value(reflect.New(target.Elem()).Elem())
	}
	return newError(data, offset, field, expected, got)
}

// Within moves an error about a value that was decoded on its own to the place
// of that value in the file: outer is an error about the value as a whole.
func (e *Error) Within(outer *Error) *Error {
	moved := *e
	moved.Line += outer.Line - 1
	if e.Line == 1 {
		moved.Column += outer.Column - 1
	}
	moved.Field = outer.Field
	switch {
	case strings.HasPrefix(e.Field, "["):
		moved.Field += e.Field
	case e.Field != "":
		moved.Field = strings.TrimPrefix(outer.Field+"."+e.Field, ".")
	}
	return &moved
}

// Quote writes text as an error shows it: quoted, on one line, shortened.
func Quote(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return strconv.Quote(string(runes[:40])) + "..."
	}
	return strconv.Quote(text)
}

// checkSyntax leaves the walk over the tokens only well-formed JSON with
// nothing behind it, so that the walk cannot meet a syntax error.
func checkSyntax(data []byte) error {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return newError(data, i, "", "UTF-8 text", fmt.Sprintf("byte 0x%02x", data[i]))
		}
		i += size
	}
	var all json.RawMessage
	err := json.Unmarshal(data, &all)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return newError(data, max(0, int(syntax.Offset)-1), "", "JSON", syntax.Error())
	}
	return err
}

func newError(data []byte, offset int, field, expected, got string) *Error {
	before := string(data[:offset])
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[lineStart:]) + 1,
		Field:  field, Expected: expected, Got: got,
	}
}

// reader walks the tokens of data and knows where it is.
type reader struct {
	data   []byte
	tokens *json.Decoder
	path   []string // ".name" or "[index]" for each level
	fields map[reflect.Type][]field
	visit  func(offset int) // called for each value, if set
}

func newReader(data []byte) *reader {
	tokens := json.NewDecoder(strings.NewReader(string(data)))
	tokens.UseNumber()
	return &reader{data: data, tokens: tokens, fields: map[reflect.Type][]field{}}
}

// next returns the offset at which the next token starts.
func (r *reader) next() int {
	offset := int(r.tokens.InputOffset())
	for offset < len(r.data) && strings.IndexByte(" \t\r\n:,", r.data[offset]) >= 0 {
		offset++
	}
	return offset
}

func (r *reader) field() string { return strings.TrimPrefix(strings.Join(r.path, ""), ".") }

func (r *reader) fail(offset int, expected, got string) error {
	return newError(r.data, offset, r.field(), expected, got)
}

func (r *reader) enterKey(key string) {
	plain := key != "" && len(key) <= 40 && strings.IndexFunc(key, func(c rune) bool {
		return c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) < 0
	if plain {
		r.path = append(r.path, "."+key)
	} else {
		r.path = append(r.path, "["+Quote(key)+"]")
	}
}

func (r *reader) enterIndex(i int) { r.path = append(r.path, "["+strconv.Itoa(i)+"]") }

func (r *reader) leave() { r.path = r.path[:len(r.path)-1] }

// value reads the next value into v.
func (r *reader) value(v reflect.Value) error {
	offset := r.next()
	if r.visit != nil {
		r.visit(offset)
	}
	if raw, ok := v.Addr().Interface().(*json.RawMessage); ok {
		return r.tokens.Decode(raw)
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return r.value(v.Elem())
	}
	token, err := r.tokens.Token()
	if err != nil {
		return fmt.Errorf("read %s: %w", r.field(), err)
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return r.text(text, offset, token)
	}
	switch v.Kind() {
	case reflect.Struct:
		return r.object(offset, token, func() error { return r.structFields(offset, v) })
	case reflect.Map:
		return r.object(offset, token, func() error { return r.mapEntries(v) })
	case reflect.Slice:
		if token != json.Delim('[') {
			return r.fail(offset, "an array", describe(token))
		}
		return r.elements(v)
	case reflect.String:
		text, ok := token.(string)
		if !ok {
			return r.fail(offset, "a string", describe(token))
		}
		v.SetString(text)
		return nil
	case reflect.Bool:
		flag, ok := token.(bool)
		if !ok {
			return r.fail(offset, "true or false", describe(token))
		}
		v.SetBool(flag)
		return nil
	}
	return r.integer(v, offset, token)
}
