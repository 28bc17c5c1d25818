package stackelberg

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/internal/strictjson"
)

const example = `{
 "bank": { "capital_ucoin": 15000000, "cost_ppm": 10000, "prior_default_ppm": 0, "rate_min_ppm": 1, "rate_max_ppm": 100000 },
 "borrowers": [
  { "id": "a", "amount_ucoin": 20000000, "rate_ppm": 30000, "none_from_ppm": 90000, "limit_ucoin": 100000000, "loans": 4, "defaults": 1 }
 ]
}`

func TestRead(t *testing.T) {
	bank, borrowers, err := Read([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	want := Bank{15_000_000, 10_000, 0, 1, 100_000}
	if diff := cmp.Diff(want, bank) + cmp.Diff([]Borrower{{"a", 20_000_000, 30_000, 90_000, 100_000_000, 4, 1}}, borrowers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadErrors(t *testing.T) {
	second := `{ "id": "a", "amount_ucoin": 1, "rate_ppm": 1, "none_from_ppm": 2, "limit_ucoin": 1, "loans": 0, "defaults": 0 }`
	for _, c := range []struct{ old, new, want string }{
		{example, "", "line 1 column 1: expected JSON, got unexpected end of JSON input"},
		{`"cost_ppm": 10000, `, "", "line 2 column 10: field bank.cost_ppm: expected a value, got nothing"},
		{`"loans": 4`, `"loans": "4"`, `line 4 column 120: field borrowers[0].loans: expected a whole number, got "4"`},
		{`"loans": 4`, `"loan": 4`, `line 4 column 111: field borrowers[0].loan: expected one of the fields id, amount_ucoin, rate_ppm, none_from_ppm, limit_ucoin, loans, defaults, got unknown field "loan"`},
		{`"rate_min_ppm": 1`, `"rate_min_ppm": 100001`, "line 2 column 98: field bank.rate_min_ppm: expected 1 to 100000, got 100001"},
		{"90000", "30000", "line 4 column 78: field borrowers[0].none_from_ppm: expected 30001 to 1000000, got 30000"},
		{`"a"`, `""`, `line 4 column 11: field borrowers[0].id: expected 1 to 64 printable characters, got ""`},
		{"1 }\n", "1 },\n" + second, `line 5 column 9: field borrowers[1].id: expected an id of its own, got that of another borrower, "a"`},
	} {
		_, _, err := Read([]byte(strings.Replace(example, c.old, c.new, 1)))
		if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.new, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(example))
	f.Fuzz(func(t *testing.T, data []byte) {
		bank, borrowers, err := Read(data)
		if err != nil {
			if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) {
				t.Fatalf("got %v", err)
			}
			return
		}
		if _, _, err := Price(bank, borrowers); err != nil {
			t.Fatal(err)
		}
	})
}
