package pricematrix

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/energyd/energyd/internal/strictjson"
)

// sound is the example of S3 2.3.2: its table 2.1 with A's three buyers, A's
// 10 kWh, B's 7 and C's 5.
const sound = `{"price_matrix":{"A":{"B":{"priority":1,"price":300000},"C":{"priority":2,"price":400000}},"D":{}},
"tariff":{"retail":500000,"feed_in":200000},
"supply":[{"account":"A","energy_wh":10000},{"account":"D","energy_wh":1}],
"consumption":[{"account":"B","energy_wh":7000},{"account":"C","energy_wh":5000}]}`

func settle(t *testing.T, text string) []Record {
	t.Helper()
	p, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	records, err := p.Settle()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestSettleByHand(t *testing.T) {
	const tariff = `"tariff":{"retail":500000,"feed_in":200000},`
	for _, c := range []struct {
		name, text string
		want       []Record
	}{
		// A serves B in full first, then C with the remaining 3 kWh. 0.2 ucoin for
		// D's Wh are 200 000 / 1000.
		{"S3 2.3.2", sound, []Record{
			{"A", "B", 7000, 300_000, 2_100_000},
			{"A", "C", 3000, 400_000, 1_200_000},
			{"D", Grid, 1, 200_000, 200},
			{Grid, "C", 2000, 500_000, 1_000_000},
		}},
		{"nobody", `{"price_matrix":{},` + tariff + `"supply":[],"consumption":[]}`, []Record{}},
		{"equal priorities by name, sellers in list order", `{"price_matrix":{
			"A":{"X":{"priority":2,"price":1},"C":{"priority":2,"price":2},"B":{"priority":3,"price":3}},"Z":{"B":{"priority":0,"price":4}}},` + tariff + `
			"supply":[{"account":"Z","energy_wh":4},{"account":"A","energy_wh":10}],
			"consumption":[{"account":"X","energy_wh":3},{"account":"B","energy_wh":6},{"account":"C","energy_wh":4}]}`, []Record{
			{"Z", "B", 4, 4, 0},
			{"A", "C", 4, 2, 0},
			{"A", "X", 3, 1, 0},
			{"A", "B", 2, 3, 0},
			{"A", Grid, 1, 200_000, 200},
		}},
		{"a buyer that draws nothing, one that is not there", `{"price_matrix":{"A":{"B":{"priority":1,"price":1},"C":{"priority":2,"price":1000}}},` + tariff + `
			"supply":[{"account":"A","energy_wh":0}],"consumption":[{"account":"C","energy_wh":0}]}`, []Record{}},
		{"amount is cut off", `{"price_matrix":{"A":{"B":{"priority":1,"price":1999}}},` + tariff + `
			"supply":[{"account":"A","energy_wh":1}],"consumption":[{"account":"B","energy_wh":1}]}`, []Record{{"A", "B", 1, 1999, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := gocmp.Diff(c.want, settle(t, c.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReferenceCases compares every record.
func TestReferenceCases(t *testing.T) {
	books, err := filepath.Glob("../../../../shared/cases/settlement_*.book.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(books) == 0 {
		t.Skip("SKIPPED: no reference cases in ../shared/cases")
	}
	for _, path := range books {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			expected, err := os.ReadFile(strings.Replace(path, ".book.", ".expect.", 1))
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Records []Record `json:"records"`
			}
			if err := strictjson.Decode(expected, &want); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want.Records, settle(t, string(text))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	settle(t, sound)
	const max64 = "9223372036854775807"
	long := strings.Repeat("x", 65)
	for _, c := range []struct{ name, old, new, want string }{
		{"not JSON", `{"price_matrix"`, `{price_matrix`, `line 1 column 2: expected JSON, got invalid character 'p' looking for beginning of object key string`},
		{"no matrix", `"price_matrix":`, `"matrix":`, `line 1 column 2: field matrix: expected one of the fields price_matrix, tariff, supply, consumption, got unknown field "matrix"`},
		{"no price", `,"price":300000`, ``, `line 1 column 27: field price_matrix.A.B.price: expected a value, got nothing`},
		{"price of text", `300000`, `"dear"`, `line 1 column 49: field price_matrix.A.B.price: expected a whole number, got "dear"`},
		{"negative price", `300000`, `-1`, `line 1 column 49: field price_matrix.A.B.price: expected 0 or more, got -1`},
		{"price beyond int64", `300000`, `9223372036854775808`, `line 1 column 49: field price_matrix.A.B.price: expected a whole number that fits int64, got 9223372036854775808`},
		{"negative priority", `"priority":2`, `"priority":-2`, `line 1 column 73: field price_matrix.A.C.priority: expected 0 or more, got -2`},
		{"with itself", `"B":{`, `"A":{`, `line 1 column 27: field price_matrix.A.A: expected another account than the seller's, got a contract of "A" with itself`},
		{"buyer twice", `"C":{`, `"B":{`, `line 1 column 57: field price_matrix.A.B: expected it only once, got it again`},
		{"seller twice", `"D":{}`, `"A":{}`, `line 1 column 92: field price_matrix.A: expected it only once, got it again`},
		{"grid sells", `"D":{}`, `"grid":{}`, `line 1 column 99: field price_matrix.grid: expected an account other than the grid, got "grid"`},
		{"grid buys", `"C":{`, `"grid":{`, `line 1 column 64: field price_matrix.A.grid: expected an account other than the grid, got "grid"`},
		{"no name", `"D":{}`, `"":{}`, `line 1 column 95: field price_matrix[""]: expected an account of 1 to 64 characters, got ""`},
		{"long name", `"D":{}`, `"` + long + `":{}`, `line 1 column 160: field price_matrix["` + long[:40] + `"...]: expected an account of 1 to 64 characters, got "` + long[:40] + `"...`},
		{"control character", `"C":{`, `"\u001b":{`, `line 1 column 66: field price_matrix.A["\x1b"]: expected an account of printable characters, got "\x1b"`},
		{"retail", `"retail":500000`, `"retail":-1`, `line 2 column 20: field tariff.retail: expected 0 or more, got -1`},
		{"feed-in above retail", `"feed_in":200000`, `"feed_in":500001`, `line 2 column 37: field tariff.feed_in: expected 0 to the retail price 500000, got 500001`},
		{"negative feed-in", `"feed_in":200000`, `"feed_in":-1`, `line 2 column 37: field tariff.feed_in: expected 0 to the retail price 500000, got -1`},
		{"unknown seller", `"account":"A"`, `"account":"a"`, `line 3 column 22: field supply[0].account: expected an account of price_matrix, in which an empty row declares one without contracts, got unknown account "a"`},
		{"unknown buyer", `"account":"C"`, `"account":"E"`, `line 4 column 60: field consumption[1].account: expected an account of price_matrix, in which an empty row declares one without contracts, got unknown account "E"`},
		{"supply twice", `"account":"D"`, `"account":"A"`, `line 3 column 56: field supply[1].account: expected each account once, got "A" again`},
		{"consumption twice", `"account":"C"`, `"account":"B"`, `line 4 column 60: field consumption[1].account: expected each account once, got "B" again`},
		{"grid supplies", `"account":"D"`, `"account":"grid"`, `line 3 column 56: field supply[1].account: expected an account other than the grid, got "grid"`},
		{"negative supply", `"energy_wh":10000`, `"energy_wh":-1`, `line 3 column 38: field supply[0].energy_wh: expected 0 or more, got -1`},
		{"negative consumption", `"energy_wh":5000`, `"energy_wh":-1`, `line 4 column 76: field consumption[1].energy_wh: expected 0 or more, got -1`},
		{"worth", `"energy_wh":10000`, `"energy_wh":` + max64, `line 3 column 38: field supply[0].energy_wh: expected energies whose sum and worth at the greatest price 500000 fit int64, got ` + max64},
		{"sum of worths", `"energy_wh":5000`, `"energy_wh":18446744073709540`, `line 4 column 76: field consumption[1].energy_wh: expected energies whose sum and worth at the greatest price 500000 fit int64, got 18446744073709540`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(sound, c.old) {
				t.Fatalf("%q is not in the file", c.old)
			}
			_, err := Read([]byte(strings.Replace(sound, c.old, c.new, 1)))
			if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) {
				t.Fatalf("got %v, want a *strictjson.Error", err)
			}
			if err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
		})
	}
}

// TestSettleRefuses: what Settle is given without Read is checked as well.
func TestSettleRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		period Period
		field  string
	}{
		{"a pair twice", Period{Contracts: []Contract{{"A", "B", 1, 1}, {"A", "B", 2, 1}}}, "price_matrix.A.B"},
		{"a long name", Period{Contracts: []Contract{{"energy1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "B", 1, -1}}}, `price_matrix["energy1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"...].B.price`},
		{"worth", Period{Tariff: Tariff{Retail: math.MaxInt64}, Supply: []Energy{{"A", 1001}}}, "supply[0].energy_wh"},
		{"energy", Period{Supply: []Energy{{"A", math.MaxInt64}, {"B", 1}}}, "supply[1].energy_wh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.period.Settle()
			if mistake := (*FieldError)(nil); !errors.As(err, &mistake) || mistake.Field != c.field || !strings.Contains(err.Error(), c.field) {
				t.Errorf("got %v, want one on %s", err, c.field)
			}
		})
	}
}

// naive settles Wh by Wh: each goes to the first contract whose buyer misses one.
func naive(p *Period) map[[2]string]int64 {
	missing, flows := map[string]int64{}, map[[2]string]int64{}
	for _, c := range p.Consumption {
		missing[c.Account] = c.EnergyWh
	}
	for _, s := range p.Supply {
		for range s.EnergyWh {
			buyer, best := Grid, Contract{}
			for _, c := range p.Contracts {
				first := buyer == Grid || cmp.Or(cmp.Compare(c.Priority, best.Priority), strings.Compare(c.Buyer, best.Buyer)) < 0
				if c.Seller == s.Account && missing[c.Buyer] > 0 && first {
					buyer, best = c.Buyer, c
				}
			}
			if buyer != Grid {
				missing[buyer]--
			}
			flows[[2]string{s.Account, buyer}]++
		}
	}
	for _, c := range p.Consumption {
		if missing[c.Account] > 0 {
			flows[[2]string{Grid, c.Account}] = missing[c.Account]
		}
	}
	return flows
}

// drawPeriod draws a few accounts with contracts and energies.
func drawPeriod(t *rapid.T) *Period {
	names := []string{"A", "B", "C", "D", "E"}
	p := &Period{Tariff: Tariff{Retail: 900, FeedIn: 300}}
	for _, seller := range names {
		for _, buyer := range names {
			if seller != buyer && rapid.Bool().Draw(t, "contract") {
				p.Contracts = append(p.Contracts, Contract{seller, buyer, rapid.Int64Range(0, 2).Draw(t, "priority"), rapid.Int64Range(0, 5000).Draw(t, "price")})
			}
		}
	}
	energies := func(label string) (list []Energy) {
		for _, name := range rapid.Permutation(names).Draw(t, label)[:rapid.IntRange(0, len(names)).Draw(t, "count")] {
			list = append(list, Energy{name, rapid.Int64Range(0, 9).Draw(t, "energy")})
		}
		return list
	}
	p.Supply, p.Consumption = energies("supply"), energies("consumption")
	return p
}

func testSettle(t *rapid.T) {
	p := drawPeriod(t)
	records, err := p.Settle()
	if err != nil {
		t.Fatal(err)
	}
	flows := map[[2]string]int64{}
	for _, r := range records {
		if flows[[2]string{r.Seller, r.Buyer}] != 0 || r.EnergyWh < 1 || r.Amount != r.Price*r.EnergyWh/1000 {
			t.Fatalf("bad record %+v", r)
		}
		flows[[2]string{r.Seller, r.Buyer}] = r.EnergyWh
		want := p.Tariff.Retail
		if r.Buyer == Grid {
			want = p.Tariff.FeedIn
		} else if r.Seller != Grid {
			at := slices.IndexFunc(p.Contracts, func(c Contract) bool { return c.Seller == r.Seller && c.Buyer == r.Buyer })
			want = p.Contracts[at].Price
		}
		if r.Price != want {
			t.Fatalf("price of %+v, want %d", r, want)
		}
	}
	if diff := gocmp.Diff(naive(p), flows); diff != "" {
		t.Fatalf("(-naive +got):\n%s", diff)
	}
	p.Contracts = rapid.Permutation(p.Contracts).Draw(t, "permuted")
	if again, err := p.Settle(); err != nil || !slices.Equal(again, records) {
		t.Fatalf("%v, with contracts permuted %v, %v", records, again, err)
	}
}

func TestSettle(t *testing.T) { rapid.Check(t, testSettle) }

func FuzzSettle(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testSettle)) }

// FuzzRead checks that no file makes Read or Settle panic, that every mistake is
// one line, that all that is read is settled, and that the records balance.
func FuzzRead(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(`{"price_matrix":{},"tariff":{"retail":0,"feed_in":0},"supply":[],"consumption":[]}`))
	f.Add([]byte(`{"price_matrix":{"A":{"é":{"priority":1,"price":1}}},"tariff":{"retail":1,"feed_in":1},"supply":[{"account":"é","energy_wh":1}],"consumption":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Read(data)
		if err != nil {
			if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("bad error %q", err)
			}
			return
		}
		records, err := p.Settle()
		if err != nil {
			t.Fatal(err)
		}
		var supply, consumption, sold, bought int64
		for _, s := range p.Supply {
			supply += s.EnergyWh
		}
		for _, c := range p.Consumption {
			consumption += c.EnergyWh
		}
		for _, r := range records {
			if r.Seller != Grid {
				sold += r.EnergyWh
			}
			if r.Buyer != Grid {
				bought += r.EnergyWh
			}
		}
		if supply != sold || consumption != bought {
			t.Fatalf("supply %d, sold %d, consumption %d, bought %d", supply, sold, consumption, bought)
		}
		if _, err := json.Marshal(records); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkSettle settles 1 000 sellers and 1 000 buyers with 20 contracts each.
func BenchmarkSettle(b *testing.B) {
	p := &Period{Tariff: Tariff{Retail: 600_000, FeedIn: 250_000}}
	name := func(side byte, i int) string {
		return string([]byte{side, byte('a' + i/100), byte('a' + i/10%10), byte('a' + i%10)})
	}
	for i := range 1000 {
		p.Supply = append(p.Supply, Energy{name('s', i), int64(1000 + i*7919%4000)})
		p.Consumption = append(p.Consumption, Energy{name('b', i), int64(1000 + i*104729%4000)})
		for k := range 20 {
			p.Contracts = append(p.Contracts, Contract{name('s', i), name('b', (i+37*k)%1000), int64(k / 2), 300_000})
		}
	}
	for b.Loop() {
		if _, err := p.Settle(); err != nil {
			b.Fatal(err)
		}
	}
}
