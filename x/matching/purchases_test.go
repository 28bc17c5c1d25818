package matching_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
)

// purchasesIn is where the rows of a buyer, or of all, begin.
func purchasesIn(period int64, buyer ...string) state.Key {
	key := state.NewKey(protocol.ModuleMatching, 6).Int64(period)
	for _, name := range buyer {
		key = key.Bytes(market.Address(name).Bytes())
	}
	return key
}

// purchaseRows returns how many matches each row names, the greatest first.
func purchaseRows(m *market.Market, prefix state.Key) []int {
	m.T.Helper()
	var sizes []int
	for _, value := range m.Store.Range(prefix, nil) {
		row := new(matchingv1.Purchases)
		if err := proto.Unmarshal(value, row); err != nil {
			m.T.Fatal(err)
		}
		sizes = append(sizes, len(row.Purchases))
	}
	slices.Sort(sizes)
	slices.Reverse(sizes)
	return sizes
}

// boughtIn reads a buyer's matches from the table of the sellers, by id.
func boughtIn(m *market.Market, period int64, buyer string) []*matchingv1.Match {
	var found []*matchingv1.Match
	for match := range matching.Matches(m.Store, period) {
		if protocol.Address(match.Buyer) == market.Address(buyer) {
			found = append(found, match)
		}
	}
	slices.SortFunc(found, func(a, b *matchingv1.Match) int { return bytes.Compare(a.Id, b.Id) })
	return found
}

// findsAll fails the test unless each buyer finds its matches, and no others, in
// the order of their ids.
func findsAll(t *testing.T, m *market.Market, buyers ...string) {
	t.Helper()
	for _, buyer := range buyers {
		want := boughtIn(m, p, buyer)
		got := matching.MatchesOf(m.Store, p, market.Address(buyer))
		if !slices.EqualFunc(got, want, func(a, b *matchingv1.Match) bool { return proto.Equal(a, b) }) {
			t.Errorf("%s finds %d matches, want %d by id: %v", buyer, len(got), len(want), got)
		}
		if has := matching.HasMatches(m.Store, p, market.Address(buyer)); has != (len(want) > 0) {
			t.Errorf("%s has matches: %v, want %d", buyer, has, len(want))
		}
	}
	m.CheckInvariants()
}

// packed is how n matches lie in rows that were written at once.
func packed(n int) []int {
	var sizes []int
	for ; n > 0; n -= 64 {
		sizes = append(sizes, min(n, 64))
	}
	return sizes
}

// wholesale has home buy of more sellers than a row names, of most of them at once
// and of the asked ones, who sign, one by one; shop buys the rest.
func wholesale(t *testing.T) *market.Market {
	const standing, asks, ofShop = 150, 70, 10
	names := []string{"home", "shop"}
	for i := range standing + asks {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	m := market.New(t, nil, names...)
	for i, name := range names[2:] {
		if i < standing {
			m.Must(name, sell(200_000, 100, name))
		} else {
			m.Must(name, asked(200_000, 100, name))
		}
	}
	m.Must("home", buy(300_000, 100*(standing+asks-ofShop)))
	m.Must("shop", buy(300_000, 100*ofShop))
	m.End()
	m.Block(gate)
	// The clearing wrote rows as full as may be.
	atOnce := len(boughtIn(m, p, "home"))
	if got := purchaseRows(m, purchasesIn(p, "home")); atOnce < standing-ofShop || !slices.Equal(got, packed(atOnce)) {
		t.Fatalf("rows of %v for %d matches at once", got, atOnce)
	}
	findsAll(t, m, "home", "shop")
	m.Begin(gate + 1_000)
	for _, name := range names[2+standing:] {
		answer(m, name, false)
	}
	findsAll(t, m, "home", "shop")
	m.End()
	signed := len(boughtIn(m, p, "home")) - atOnce
	if signed <= 64-ofShop || len(boughtIn(m, p, "shop")) != ofShop {
		t.Fatalf("%d matches signed, %v of shop", signed, boughtIn(m, p, "shop"))
	}
	want := append(packed(atOnce), slices.Repeat([]int{1}, signed)...)
	if got := purchaseRows(m, purchasesIn(p, "home")); !slices.Equal(got, want) {
		t.Fatalf("rows of %v, want %v", got, want)
	}
	return m
}

// settled takes matches as settlement does.
func settled(m *market.Market, all []*matchingv1.Match) {
	m.T.Helper()
	for _, match := range all {
		ctx := m.Ctx("gateway")
		if err := matching.Take(ctx, match); err != nil {
			m.T.Fatal(err)
		}
		if err := bank.Release(ctx, protocol.Address(match.Buyer), match.EscrowUcoin); err != nil {
			m.T.Fatal(err)
		}
	}
}

// TestPurchases: a buyer finds its matches whatever rows lead to them, those that
// were settled no more, and the rows go with the books of their period.
func TestPurchases(t *testing.T) {
	m := wholesale(t)
	findsAll(t, m, "home", "shop")
	another := market.Match("s0", "shop", p+length, 1000, 200_000)
	m.Stand([]*matchingv1.Match{another})
	all := boughtIn(m, p, "home")
	for i := range all {
		if i%3 > 0 {
			settled(m, all[i:i+1])
		}
	}
	if left := boughtIn(m, p, "home"); len(left) != (len(all)+2)/3 {
		t.Fatalf("%d matches left of %d", len(left), len(all))
	}
	findsAll(t, m, "home", "shop")
	settled(m, boughtIn(m, p, "home"))
	findsAll(t, m, "home", "shop")
	if got := purchaseRows(m, purchasesIn(p, "home")); len(got) == 0 {
		t.Fatal("the rows went with the matches: nothing is left to be skipped")
	}
	settled(m, boughtIn(m, p, "shop"))
	findsAll(t, m, "home", "shop")
	matching.CloseBooks(m.Ctx("gateway"), p)
	if got := purchaseRows(m, purchasesIn(p)); len(got) > 0 {
		t.Errorf("rows %v are left of a closed period", got)
	}
	if got := matching.MatchesOf(m.Store, p+length, market.Address("shop")); len(got) != 1 || !bytes.Equal(got[0].Id, another.Id) {
		t.Errorf("matches %v of the period after, want one", got)
	}
	m.CheckInvariants()
}

// TestPurchasesGenesis: rows follow from the matches. Those of a chain that begins
// anew are as full as may be.
func TestPurchasesGenesis(t *testing.T) {
	m := wholesale(t)
	all := boughtIn(m, p, "home")
	settled(m, all[:70])
	again := m.Reborn()
	if before, after := m.Export(), again.Export(); string(before["matching"]) != string(after["matching"]) {
		t.Fatal("the export of what was imported differs")
	}
	findsAll(t, again, "home", "shop")
	for _, buyer := range []string{"home", "shop"} {
		if got, want := purchaseRows(again, purchasesIn(p, buyer)), packed(len(boughtIn(m, p, buyer))); !slices.Equal(got, want) {
			t.Errorf("rows of %v for %s, want %v", got, buyer, want)
		}
		if got, want := boughtIn(again, p, buyer), boughtIn(m, p, buyer); len(got) != len(want) {
			t.Errorf("%s has %d matches, had %d", buyer, len(got), len(want))
		}
	}
	// The market after an import clears, settles and closes as the one before.
	for at := int64(p); at < p+8*length; at += length {
		m.Block(at + 1)
		again.Block(at + 1)
		before, after := m.Export(), again.Export()
		for _, part := range []string{"matching", "settlement", "bank"} {
			if string(before[part]) != string(after[part]) {
				t.Fatalf("at %d %s differs after the import", at, part)
			}
		}
	}
	for _, end := range []*market.Market{m, again} {
		if got := purchaseRows(end, purchasesIn(p)); len(got) > 0 || book(end) != nil {
			t.Errorf("rows %v and book %v are left of a settled period", got, book(end))
		}
	}
}

// TestPurchasesOfPeriods: an import has matches of many periods, whose rows are
// apart also where one buyer's follow each other.
func TestPurchasesOfPeriods(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	for i := range int64(3) {
		m.Stand([]*matchingv1.Match{market.Match("sun", "home", p+i*length, 1000, 200_000)})
	}
	again := m.Reborn()
	again.CheckInvariants()
	for i := range int64(3) {
		if got := matching.MatchesOf(again.Store, p+i*length, market.Address("home")); len(got) != 1 {
			t.Errorf("period %d: matches %v, want one", i, got)
		}
	}
}

// TestMatchTwiceInGenesis: a match that is there twice would be found twice.
func TestMatchTwiceInGenesis(t *testing.T) {
	match := market.Match("sun", "home", p, 1000, 200_000)
	for _, times := range []int{1, 2} {
		m := market.New(t, nil, "sun", "home")
		data, err := module.MarshalGenesis(&matchingv1.GenesisState{
			Books:   []*matchingv1.Book{{Period: p, Phase: matchingv1.Phase_PHASE_FINAL, Matches: 1}},
			Matches: slices.Repeat([]*matchingv1.Match{match}, times),
		})
		if err != nil {
			t.Fatal(err)
		}
		err = matching.New().InitGenesis(m.Ctx("gateway"), data)
		if refused := times > 1; refused != (err != nil) || refused && !strings.Contains(err.Error(), "matching.matches[1].id") {
			t.Errorf("%d times: %v", times, err)
		}
	}
}

// TestPurchasesInvariant: whatever keeps a buyer from finding each of its matches
// once is seen.
func TestPurchasesInvariant(t *testing.T) {
	match := market.Match("sun", "home", p, 1000, 200_000)
	row := func(purchases ...*matchingv1.Purchase) []byte {
		data, err := proto.Marshal(&matchingv1.Purchases{Purchases: purchases})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	purchase := func(id []byte) *matchingv1.Purchase {
		return &matchingv1.Purchase{Seller: match.Seller, Match: id}
	}
	entry, taken := purchase(match.Id), purchase(make([]byte, protocol.IDSize))
	home, sun := purchasesIn(p, "home"), purchasesIn(p, "sun")
	for _, test := range []struct {
		name  string
		edit  func(state.Store)
		holds bool
	}{
		{"as it is made", func(state.Store) {}, true},
		{"one whose match was taken", func(s state.Store) { s.Set(home.Bytes(taken.Match), row(taken)) }, true},
		{"64 in a row", func(s state.Store) {
			s.Set(home.Bytes(taken.Match), row(slices.Repeat([]*matchingv1.Purchase{taken}, 64)...))
		}, true},
		{"65 in a row", func(s state.Store) {
			s.Set(home.Bytes(taken.Match), row(slices.Repeat([]*matchingv1.Purchase{taken}, 65)...))
		}, false},
		{"none in a row", func(s state.Store) { s.Set(home.Bytes(taken.Match), []byte{0}) }, false},
		{"not the key of the first", func(s state.Store) { s.Set(home.Bytes(match.Id), row(taken, entry)) }, false},
		{"no row", func(s state.Store) { s.Delete(home.Bytes(match.Id)) }, false},
		{"twice in a row", func(s state.Store) { s.Set(home.Bytes(match.Id), row(entry, entry)) }, false},
		{"in two rows", func(s state.Store) { s.Set(home.Bytes(taken.Match), row(taken, entry)) }, false},
		{"from another account", func(s state.Store) { s.Set(sun.Bytes(match.Id), row(entry)) }, false},
		{"in a period without a book", func(s state.Store) { s.Set(purchasesIn(p+length, "home").Bytes(taken.Match), row(taken)) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, nil, "sun", "home")
			m.Stand([]*matchingv1.Match{match})
			test.edit(m.Store)
			for _, law := range matching.New().Invariants() {
				if err := law.Check(m.Store); law.Name == "matching.purchases" && (err == nil) != test.holds {
					t.Errorf("got %v, want it to hold: %v", err, test.holds)
				}
			}
		})
	}
}
