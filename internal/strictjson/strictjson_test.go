package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// colour is a type that reads itself from text.
type colour int

func (c *colour) UnmarshalText(text []byte) error {
	if string(text) != "red" {
		return errors.New("no such\ncolour")
	}
	*c = 1
	return nil
}

func (c colour) MarshalText() ([]byte, error) { return []byte("red"), nil }

type order struct {
	ID    string  `json:"id"`
	Price int64   `json:"price"`
	Note  *string `json:"note,omitempty"`
}

type file struct {
	Name   string           `json:"name"`
	Buys   []order          `json:"buys"`
	Table  map[string]order `json:"table,omitempty"`
	Small  int8             `json:"small,omitempty"`
	Count  uint64           `json:"count,omitempty"`
	Limits *bool            `json:"limits,omitempty"`
	Paint  []colour         `json:"paint,omitempty"`
	Raw    json.RawMessage  `json:"raw,omitempty"`
	Plain  bool             `json:",omitempty"`
	Hidden string           `json:"-"`
	secret int
}

func TestDecode(t *testing.T) {
	note, limits := "hi", false
	text := `{
		"name": "a", "small": -128, "count": 18446744073709551615, "limits": false, "Plain": true,
		"buys": [{"id": "b0", "price": -9223372036854775808, "note": "hi"}, {"price": 9223372036854775807, "id": "\u00e9"}],
		"table": {"x y": {"id": "t", "price": 0}}, "paint": ["red"], "raw": [1, {"a": null}]
	}`
	want := file{
		Name: "a", Small: -128, Count: math.MaxUint64, Limits: &limits, Plain: true,
		Buys:  []order{{"b0", math.MinInt64, &note}, {"é", math.MaxInt64, nil}},
		Table: map[string]order{"x y": {ID: "t"}}, Paint: []colour{1}, Raw: json.RawMessage(`[1, {"a": null}]`),
	}
	var got file
	if err := Decode([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeKeepsWhatIsLeftOut(t *testing.T) {
	got := file{Small: 7, secret: 3}
	if err := Decode([]byte(`{"name":"a","buys":[]}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Small != 7 || got.secret != 3 || got.Buys == nil {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeErrors(t *testing.T) {
	const fields = "name, buys, table, small, count, limits, paint, raw, Plain"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "line 1 column 1: expected JSON, got unexpected end of JSON input"},
		{"cut short", "{\n \"name\":", "line 2 column 8: expected JSON, got unexpected end of JSON input"},
		{"not JSON", "{\n\"é\" 1}", "line 2 column 5: expected JSON, got invalid character '1' after object key"},
		{"comma", `{"name":"a",}`, "line 1 column 13: expected JSON, got invalid character '}' looking for beginning of object key string"},
		{"trailing data", "{}\n{}", "line 2 column 1: expected JSON, got invalid character '{' after top-level value"},
		{"not UTF-8", "{\"na\xffme\":1}", "line 1 column 5: expected UTF-8 text, got byte 0xff"},
		{"not an object", "[]", "line 1 column 1: expected an object, got an array"},
		{"null", "null", "line 1 column 1: expected an object, got null"},
		{"unknown field", `{"nam":"a"}`, `line 1 column 2: field nam: expected one of the fields ` + fields + `, got unknown field "nam"`},
		{"case", `{"Name":"a"}`, `line 1 column 2: field Name: expected one of the fields ` + fields + `, got unknown field "Name"`},
		{"hidden", `{"Hidden":"a"}`, `line 1 column 2: field Hidden: expected one of the fields ` + fields + `, got unknown field "Hidden"`},
		{"unexported", `{"secret":1}`, `line 1 column 2: field secret: expected one of the fields ` + fields + `, got unknown field "secret"`},
		{"odd key", `{"a\nb":1}`, `line 1 column 2: field ["a\nb"]: expected one of the fields ` + fields + `, got unknown field "a\nb"`},
		{"duplicate", "{\"name\":\"a\",\n  \"name\":\"b\"}", "line 2 column 3: field name: expected it only once, got it again"},
		{"missing", ` {"name":"a"}`, "line 1 column 2: field buys: expected a value, got nothing"},
		{"missing below", "{\"name\":\"a\",\"buys\":[{\"id\":\"x\",\"price\":1},\n{\"id\":\"y\"}]}", "line 2 column 1: field buys[1].price: expected a value, got nothing"},
		{"string for number", `{"buys":[{"price":"12"}]}`, `line 1 column 19: field buys[0].price: expected a whole number, got "12"`},
		{"fraction", `{"buys":[{"price": 1.5}]}`, `line 1 column 20: field buys[0].price: expected a whole number, got 1.5`},
		{"exponent", `{"buys":[{"price":1e3}]}`, `line 1 column 19: field buys[0].price: expected a whole number, got 1e3`},
		{"beyond int64", `{"buys":[{"price":9223372036854775808}]}`, `line 1 column 19: field buys[0].price: expected a whole number that fits int64, got 9223372036854775808`},
		{"beyond int8", `{"small":128}`, `line 1 column 10: field small: expected a whole number that fits int8, got 128`},
		{"negative", `{"count":-1}`, `line 1 column 10: field count: expected a whole number, not negative, got -1`},
		{"long number", `{"small":` + strings.Repeat("1", 99) + `}`, `line 1 column 10: field small: expected a whole number that fits int8, got ` + strings.Repeat("1", 40) + `...`},
		{"long text", `{"small":"` + strings.Repeat("é", 99) + `"}`, `line 1 column 10: field small: expected a whole number, got "` + strings.Repeat("é", 40) + `"...`},
		{"null number", `{"small":null}`, `line 1 column 10: field small: expected a whole number, got null`},
		{"null pointer", `{"limits":null}`, `line 1 column 11: field limits: expected true or false, got null`},
		{"number for string", `{"name":1}`, `line 1 column 9: field name: expected a string, got 1`},
		{"object for array", `{"buys":{}}`, `line 1 column 9: field buys: expected an array, got an object`},
		{"array for object", `{"table":{"a b":[]}}`, `line 1 column 17: field table["a b"]: expected an object, got an array`},
		{"true for object", `{"buys":[true]}`, `line 1 column 10: field buys[0]: expected an object, got true`},
		{"duplicate key", `{"table":{"a":{"id":"x","price":1},"a":{}}}`, `line 1 column 36: field table.a: expected it only once, got it again`},
		{"text refused", `{"paint":["blue"]}`, `line 1 column 11: field paint[0]: expected a valid value, got "blue": "no such\ncolour"`},
		{"text from number", `{"paint":[1]}`, `line 1 column 11: field paint[0]: expected a string, got 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Decode([]byte(c.text), new(file))
			if mistake := (*Error)(nil); !errors.As(err, &mistake) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
		})
	}
}

func TestDecodeRefusesTypes(t *testing.T) {
	for _, c := range []struct {
		text string
		v    any
	}{
		{`1`, file{}},
		{`1`, (*file)(nil)},
		{`1.5`, new(float64)},
		{`1`, new(any)},
		{`["AA=="]`, new([]byte)},
		{`[1]`, new([1]int)},
		{`{"1":2}`, new(map[int]int)},
	} {
		err := Decode([]byte(c.text), c.v)
		if mistake := (*Error)(nil); err == nil || errors.As(err, &mistake) {
			t.Errorf("%T: got %v, want an error of the program", c.v, err)
		}
	}
}

func TestAt(t *testing.T) {
	const text = "{\"name\": \"a\",\n \"buys\": [{\"id\":\"x\",\"price\":1},\n  {\"id\":\"y\", \"price\": 2}]}"
	for _, c := range []struct{ name, field, want string }{
		{"value", "buys[1].price", "line 3 column 23"},
		{"element", "buys[1]", "line 3 column 3"},
		{"left out", "buys[1].note", "line 3 column 3"},
		{"no such element", "buys[10]", "line 2 column 10"},
		{"not a prefix", "buysell", "line 1 column 1"},
		{"whole file", "", "line 1 column 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := At([]byte(text), new(file), c.field, "less", "more")
			if got := fmt.Sprintf("line %d column %d", err.Line, err.Column); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if err := At([]byte("{"), new(file), "name", "x", "y"); err.Line != 1 || err.Column != 1 {
		t.Errorf("broken file: got %v", err)
	}
}

// FuzzDecode checks that Decode never panics, that its mistakes are one line
// inside the file, and that what it accepts encoding/json reads as the same
// value, before and after writing it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"a","buys":[{"id":"b0","price":1,"note":"n"}],"table":{"k":{"id":"","price":-0}}}`))
	f.Add([]byte(`{"name":"\ud800","buys":[],"small":-128,"count":1,"limits":true,"paint":["red"],"raw":{"a":[null]},"Plain":true}`))
	f.Add([]byte(`{"name":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want, again file
		if err := Decode(data, &got); err != nil {
			mistake := (*Error)(nil)
			if !errors.As(err, &mistake) {
				t.Fatalf("not an *Error: %v", err)
			}
			if strings.ContainsAny(err.Error(), "\n\r") || mistake.Line < 1 || mistake.Column < 1 {
				t.Fatalf("bad error %q", err)
			}
			return
		}
		strict := json.NewDecoder(strings.NewReader(string(data)))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{})); diff != "" {
			t.Fatal(diff)
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(written, &again); err != nil {
			t.Fatalf("refused what encoding/json wrote: %v", err)
		}
	})
}

func TestWithin(t *testing.T) {
	data := []byte("{\n  \"part\": {\"a\": 1,\n \"b\": \"x\"}}")
	var whole struct {
		Part json.RawMessage `json:"part"`
	}
	if err := Decode(data, &whole); err != nil {
		t.Fatal(err)
	}
	outer := At(data, &whole, "part", "", "")
	for _, tc := range []struct {
		inner Error
		want  string
	}{
		{Error{Line: 1, Column: 2, Field: "a", Expected: "x", Got: "y"}, "line 2 column 12: field part.a: expected x, got y"},
		{Error{Line: 2, Column: 2, Field: "b", Expected: "x", Got: "y"}, "line 3 column 2: field part.b: expected x, got y"},
		{Error{Line: 1, Column: 1, Expected: "x", Got: "y"}, "line 2 column 11: field part: expected x, got y"},
		{Error{Line: 1, Column: 2, Field: "[0].a", Expected: "x", Got: "y"}, "line 2 column 12: field part[0].a: expected x, got y"},
	} {
		if got := tc.inner.Within(outer).Error(); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}
