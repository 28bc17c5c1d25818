package demo

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		text   string
		digits int
		want   int64
		ok     bool
	}{
		{"1.098", 3, 1098, true},
		{"0", 3, 0, true},
		{"007", 0, 7, true},
		{"1.0984999", 3, 1098, true},
		{"1.0985", 3, 1099, true},
		{"0.0005", 3, 1, true},
		{"0.00049", 3, 0, true},
		{"0.00005", 3, 0, true},
		{"9.9995", 3, 10_000, true},
		{"0.4", 0, 0, true},
		{"0.5", 0, 1, true},
		{"7.8e-06", 9, 7800, true},
		{"5E-1", 0, 1, true},
		{"1e3", 3, 1_000_000, true},
		{"0e99", 3, 0, true},
		{"1e-99", 3, 0, true},
		{"4611686018427387903", 0, 1<<62 - 1, true},
		{"4611686018427387904", 0, 0, false},
		{"1e19", 0, 0, false},
		{"1e127", 3, 0, false},
		{"1e128", 3, 0, false},
		{"", 3, 0, false},
		{".5", 3, 0, false},
		{"5.", 3, 0, false},
		{"-1", 3, 0, false},
		{"+1", 3, 0, false},
		{"1.2.3", 3, 0, false},
		{"1_0", 3, 0, false},
		{"1e", 3, 0, false},
		{"e1", 3, 0, false},
		{"1e1e1", 3, 0, false},
		{"0x10", 3, 0, false},
		{"Inf", 3, 0, false},
		{"1 ", 3, 0, false},
		{"\u0661", 3, 0, false},
	} {
		got, ok := parseDecimal(c.text, c.digits)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q at %d digits: got %d, %v; want %d, %v", c.text, c.digits, got, ok, c.want, c.ok)
		}
	}
}

// parseDecimal agrees with exact rational arithmetic.
func TestParseDecimalExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{1,8}(\.[0-9]{1,12})?([eE][+-]?[0-9])?`).Draw(t, "text")
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is no number", text)
		}
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
		exact.Mul(exact, scale).Add(exact, big.NewRat(1, 2))
		want := new(big.Int).Quo(exact.Num(), exact.Denom())
		got, ok := parseDecimal(text, digits)
		if fits := want.BitLen() <= 62; ok != fits && want.Cmp(big.NewInt(1<<62)) != 0 {
			t.Fatalf("%q at %d digits: got ok %v", text, digits, ok)
		}
		if ok && want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("%q at %d digits: got %d, want %d", text, digits, got, want)
		}
	})
}

func TestFixed(t *testing.T) {
	for _, c := range []struct {
		v            int64
		scale, shown int
		want         string
	}{
		{1_234_567, 6, 2, "1.23"},
		{1_235_000, 6, 2, "1.24"},
		{-1_235_000, 6, 2, "-1.24"},
		{-4_000, 6, 2, "0.00"},
		{7, 3, 3, "0.007"},
		{1_500, 3, 0, "2"},
		{math.MinInt64, 3, 3, "-9223372036854775.808"},
	} {
		if got := fixed(c.v, c.scale, c.shown); got != c.want {
			t.Errorf("fixed(%d, %d, %d): got %s, want %s", c.v, c.scale, c.shown, got, c.want)
		}
	}
}

// checkPosition requires of every refused file an error with a position.
func checkPosition(t *testing.T, file string, err error) {
	t.Helper()
	var input *InputError
	if err == nil {
		return
	}
	if !errors.As(err, &input) {
		t.Fatalf("error without position: %v", err)
	}
	if input.File != file || input.Line < 1 || input.Column < 1 || input.Want == "" || input.Got == "" {
		t.Fatalf("incomplete error: %+v", input)
	}
	for _, r := range err.Error() {
		if r < ' ' {
			t.Fatalf("error of more than one line: %q", err)
		}
	}
}

// smallScenario is the folder small, read up to and without the named file.
func smallScenario(t testing.TB, without string) *Scenario {
	t.Helper()
	s := new(Scenario)
	for _, f := range []struct {
		name  string
		parse func(string, []byte) error
	}{
		{"members.csv", s.parseMembers}, {"load_wh.csv", s.parseLoad}, {"pv_wh.csv", s.parsePV},
	} {
		if f.name == without {
			break
		}
		if err := f.parse(f.name, []byte(small[f.name])); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func seedFuzz(f *testing.F, file string) {
	content := small[file]
	f.Add([]byte(content))
	for _, cut := range []int{0, 1, len(content) / 2, len(content) - 3} {
		f.Add([]byte(content[:cut]))
	}
	f.Add([]byte("\ufeff\"" + content))
}

func FuzzMembersCSV(f *testing.F) {
	seedFuzz(f, "members.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		s := new(Scenario)
		err := s.parseMembers("members.csv", data)
		checkPosition(t, "members.csv", err)
		if err == nil && len(s.Members) == 0 {
			t.Fatal("accepted without members")
		}
	})
}

func FuzzLoadCSV(f *testing.F) {
	seedFuzz(f, "load_wh.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		s := smallScenario(t, "load_wh.csv")
		err := s.parseLoad("load_wh.csv", data)
		checkPosition(t, "load_wh.csv", err)
		if err != nil {
			return
		}
		for m, load := range s.LoadWh {
			if len(load) != s.Intervals() || len(load) < 2 {
				t.Fatalf("member %d has %d of %d intervals", m, len(load), s.Intervals())
			}
		}
		if s.Interval <= 0 || day%s.Interval != 0 {
			t.Fatalf("accepted interval %s", s.Interval)
		}
	})
}

func FuzzPVCSV(f *testing.F) {
	seedFuzz(f, "pv_wh.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		s := smallScenario(t, "pv_wh.csv")
		err := s.parsePV("pv_wh.csv", data)
		checkPosition(t, "pv_wh.csv", err)
		if err != nil {
			return
		}
		for m, pv := range s.PVWh {
			if len(pv) != s.Intervals() {
				t.Fatalf("member %d has %d of %d intervals", m, len(pv), s.Intervals())
			}
		}
	})
}

func FuzzLinesCSV(f *testing.F) {
	seedFuzz(f, "lines.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseLines("lines.csv", data)
		checkPosition(t, "lines.csv", err)
		for _, l := range lines {
			if l.FromBus == l.ToBus || l.LengthMM < 0 || l.LengthMM > maxLengthMM {
				t.Fatalf("accepted %+v", l)
			}
		}
	})
}
