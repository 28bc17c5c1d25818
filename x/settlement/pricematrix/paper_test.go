package pricematrix

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// table21 is the whole of S3 table 2.1: each cell is (priority, price) of the
// seller in its row and the buyer in its column. The thesis has one price of the
// grid, 0.5, whichever way.
const table21 = `{"price_matrix":{
"A":{"B":{"priority":1,"price":300000},"C":{"priority":2,"price":400000},"D":{"priority":3,"price":500000}},
"B":{"A":{"priority":3,"price":500000},"C":{"priority":1,"price":200000},"D":{"priority":2,"price":400000}},
"C":{"A":{"priority":3,"price":400000},"B":{"priority":2,"price":300000},"D":{"priority":1,"price":300000}},
"D":{"A":{"priority":1,"price":200000},"B":{"priority":2,"price":400000},"C":{"priority":3,"price":400000}}},
"tariff":{"retail":500000,"feed_in":500000},`

// TestPaperTable21: S3 2.3.2: "如果 A 可以提供 10kW·h 的电力，B 需要 7kW·h，C 需要
// 5kW·h，A 先向 B 供电 7kW·h，然后再向 C 供电剩余的 3kW·h。用户 C 需要匹配下一个供应商
// 以获得足够的电力。" A has 10 kWh, B needs 7, C 5: A serves B with 7, then C with
// the 3 that are left; C needs a further supplier. The text prices B's energy at
// 0.2, its table at 0.3, which stands.
func TestPaperTable21(t *testing.T) {
	const consumption = `"consumption":[{"account":"B","energy_wh":7000},{"account":"C","energy_wh":5000}]}`
	for _, c := range []struct {
		name, supply string
		want         []Record
	}{
		{"the grid has the rest", `"supply":[{"account":"A","energy_wh":10000}],`, []Record{
			{"A", "B", 7000, 300_000, 2_100_000},
			{"A", "C", 3000, 400_000, 1_200_000},
			{Grid, "C", 2000, 500_000, 1_000_000},
		}},
		// D is the next one that supplies: A and B, its first buyers, need nothing.
		{"D is the next supplier", `"supply":[{"account":"A","energy_wh":10000},{"account":"D","energy_wh":3000}],`, []Record{
			{"A", "B", 7000, 300_000, 2_100_000},
			{"A", "C", 3000, 400_000, 1_200_000},
			{"D", "C", 2000, 400_000, 800_000},
			{"D", Grid, 1000, 500_000, 500_000},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := gocmp.Diff(c.want, settle(t, table21+c.supply+consumption)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// figure25 is algorithm 1 of S3 2.3.5 line by line, but for the order of
// arguments in records, which have the seller first. As printed, who has nobody
// left to choose clears c.value, a buyer's, and so never leaves its loop: the
// correction clears s.value. As printed, the loop over CL stands in that over SL
// and would let the grid serve all buyers after the first seller: here it comes
// after it. steps bounds the rounds of the inner loop; it says whether all ended.
func figure25(p *Period, corrected bool, steps int) (rl []Record, ended bool) {
	price := func(seller, buyer string) int64 {
		at := slices.IndexFunc(p.Contracts, func(c Contract) bool { return c.Seller == seller && c.Buyer == buyer })
		return p.Contracts[at].Price
	}
	add := func(value, price int64, seller, buyer string) {
		rl = append(rl, Record{seller, buyer, value, price, price * value / 1000})
	}
	sl, cl := slices.Clone(p.Supply), slices.Clone(p.Consumption)
	for i := range sl {
		s := &sl[i]
		var buyers []Contract // of s by priority, those that are still to be chosen
		for _, c := range p.Contracts {
			if c.Seller == s.Account {
				buyers = append(buyers, c)
			}
		}
		slices.SortFunc(buyers, func(a, b Contract) int {
			return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Buyer, b.Buyer))
		})
		var c *Energy // the last one that was chosen
		for s.EnergyWh > 0 {
			if steps--; steps < 0 {
				return rl, false
			}
			if len(buyers) == 0 {
				add(s.EnergyWh, p.Tariff.FeedIn, s.Account, Grid)
				if corrected {
					s.EnergyWh = 0
				} else if c != nil {
					c.EnergyWh = 0
				}
				continue
			}
			at := slices.IndexFunc(cl, func(c Energy) bool { return c.Account == buyers[0].Buyer })
			buyers = buyers[1:]
			if at < 0 {
				continue
			}
			switch c = &cl[at]; {
			case c.EnergyWh == 0:
			case c.EnergyWh > s.EnergyWh:
				add(s.EnergyWh, price(s.Account, c.Account), s.Account, c.Account)
				c.EnergyWh -= s.EnergyWh
				s.EnergyWh = 0
			default:
				add(c.EnergyWh, price(s.Account, c.Account), s.Account, c.Account)
				s.EnergyWh -= c.EnergyWh
				c.EnergyWh = 0
			}
		}
	}
	for _, c := range cl {
		if c.EnergyWh > 0 {
			add(c.EnergyWh, p.Tariff.Retail, Grid, c.Account)
		}
	}
	return rl, true
}

// TestPaperAlgorithm1: as printed it does not end once a seller has more than its
// buyers need; corrected, it makes the records of Settle, in their order.
func TestPaperAlgorithm1(t *testing.T) {
	p, err := Read([]byte(table21 + `"supply":[{"account":"A","energy_wh":13000}],
		"consumption":[{"account":"B","energy_wh":7000},{"account":"C","energy_wh":5000}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, ended := figure25(p, false, 1000); ended {
		t.Error("as printed: it ended, with 1 kWh of A that nobody buys")
	}
	want := []Record{
		{"A", "B", 7000, 300_000, 2_100_000},
		{"A", "C", 5000, 400_000, 2_000_000},
		{"A", Grid, 1000, 500_000, 500_000},
	}
	got, ended := figure25(p, true, 1000)
	if diff := gocmp.Diff(want, got); diff != "" || !ended {
		t.Errorf("corrected: ended %v (-want +got):\n%s", ended, diff)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := drawPeriod(t)
		records, err := p.Settle()
		if err != nil {
			t.Fatal(err)
		}
		want, ended := figure25(p, true, 1000)
		if !ended || !slices.Equal(want, records) {
			t.Fatalf("algorithm 1: ended %v, %v\nSettle: %v", ended, want, records)
		}
	})
}
