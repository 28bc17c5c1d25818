package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is a struct's field as a file names it.
type field struct {
	name     string
	index    int
	required bool
}

func (r *reader) fieldsOf(t reflect.Type) []field {
	if known, ok := r.fields[t]; ok {
		return known
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || (name == "-" && options == "") {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, field{name, i, !strings.Contains(options, "omit")})
	}
	r.fields[t] = fields
	return fields
}

// object calls read for the inside of an object.
func (r *reader) object(offset int, token json.Token, read func() error) error {
	if token != json.Delim('{') {
		return r.fail(offset, "an object", describe(token))
	}
	if err := read(); err != nil {
		return err
	}
	_, err := r.tokens.Token() // the closing brace
	return err
}

// key reads an object's next key and enters it.
func (r *reader) key() (offset int, key string, err error) {
	offset = r.next()
	token, err := r.tokens.Token()
	key, _ = token.(string)
	r.enterKey(key)
	return offset, key, err
}

func (r *reader) structFields(start int, v reflect.Value) error {
	fields := r.fieldsOf(v.Type())
	seen := make([]bool, len(fields))
	for r.tokens.More() {
		offset, key, err := r.key()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
		if i < 0 {
			return r.fail(offset, "one of the fields "+names(fields), "unknown field "+Quote(key))
		}
		if seen[i] {
			return r.fail(offset, "it only once", "it again")
		}
		seen[i] = true
		if err := r.value(v.Field(fields[i].index)); err != nil {
			return err
		}
		r.leave()
	}
	for i, f := range fields {
		if f.required && !seen[i] {
			r.enterKey(f.name)
			return r.fail(start, "a value", "nothing")
		}
	}
	return nil
}

func names(fields []field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return strings.Join(list, ", ")
}

func (r *reader) mapEntries(v reflect.Value) error {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		return fmt.Errorf("strictjson: cannot decode into %s, expected string keys", t)
	}
	v.Set(reflect.MakeMap(t))
	for r.tokens.More() {
		offset, key, err := r.key()
		if err != nil {
			return err
		}
		name := reflect.ValueOf(key).Convert(t.Key())
		if v.MapIndex(name).IsValid() {
			return r.fail(offset, "it only once", "it again")
		}
		entry := reflect.New(t.Elem()).Elem()
		if err := r.value(entry); err != nil {
			return err
		}
		v.SetMapIndex(name, entry)
		r.leave()
	}
	return nil
}

func (r *reader) elements(v reflect.Value) error {
	t := v.Type()
	if t.Elem().Kind() == reflect.Uint8 {
		return fmt.Errorf("strictjson: cannot decode into %s: bytes need a type with UnmarshalText", t)
	}
	list := reflect.MakeSlice(t, 0, 0)
	for i := 0; r.tokens.More(); i++ {
		r.enterIndex(i)
		list = reflect.Append(list, reflect.Zero(t.Elem()))
		if err := r.value(list.Index(i)); err != nil {
			return err
		}
		r.leave()
	}
	v.Set(list)
	_, err := r.tokens.Token() // the closing bracket
	return err
}

func (r *reader) text(target encoding.TextUnmarshaler, offset int, token json.Token) error {
	text, ok := token.(string)
	if !ok {
		return r.fail(offset, "a string", describe(token))
	}
	if err := target.UnmarshalText([]byte(text)); err != nil {
		return r.fail(offset, "a valid value", fmt.Sprintf("%s: %q", Quote(text), err.Error()))
	}
	return nil
}

func (r *reader) integer(v reflect.Value, offset int, token json.Token) error {
	if !v.CanInt() && !v.CanUint() {
		return fmt.Errorf("strictjson: cannot decode into %s", v.Type())
	}
	number, ok := token.(json.Number)
	if !ok {
		return r.fail(offset, "a whole number", describe(token))
	}
	var err error
	if v.CanInt() {
		var n int64
		n, err = strconv.ParseInt(number.String(), 10, v.Type().Bits())
		v.SetInt(n)
	} else {
		var n uint64
		n, err = strconv.ParseUint(number.String(), 10, v.Type().Bits())
		v.SetUint(n)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return r.fail(offset, "a whole number that fits "+v.Kind().String(), describe(token))
	case err != nil && v.CanUint():
		return r.fail(offset, "a whole number, not negative", describe(token))
	case err != nil:
		return r.fail(offset, "a whole number", describe(token))
	}
	return nil
}

// describe names what stands in a file where something else was expected.
func describe(token json.Token) string {
	switch t := token.(type) {
	case string:
		return Quote(t)
	case json.Number:
		if text := t.String(); len(text) > 40 {
			return text[:40] + "..."
		}
		return t.String()
	case bool:
		return strconv.FormatBool(t)
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "an array"
	}
	return "null"
}
