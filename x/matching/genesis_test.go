package matching_test

import (
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/matching"
)

func TestGenesis(t *testing.T) {
	m, _ := waiting(t, true, true)
	m.Must("sun", edited(sell(200_000, 500, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period += length }))
	m.Must("home", edited(buy(300_000, 500), func(o *matchingv1.MsgPlaceBuy) { o.Period += length }))
	m.Must("home", edited(buy(300_000, 400), func(o *matchingv1.MsgPlaceBuy) { o.Period += length }))
	for i := range int64(4) {
		again := m.Reborn()
		before, after := m.Export(), again.Export()
		if string(before["matching"]) != string(after["matching"]) {
			t.Fatalf("step %d: before\n%s\nafter\n%s", i, before["matching"], after["matching"])
		}
		m.Block(gate + (i+1)*length/2)
		again.Block(gate + (i+1)*length/2)
		if before, after := m.Export(), again.Export(); string(before["matching"]) != string(after["matching"]) {
			t.Fatalf("step %d: the chains part:\n%s\n%s", i, before["matching"], after["matching"])
		}
	}
}

func TestGenesisRefused(t *testing.T) {
	account := `"AAAAAAAAAAAAAAAAAAAAAAAAAAA="`
	id := `"AAAAAAAAAAAAAAAAAAAAAA=="`
	open := `"books":[{"period":"10000","phase":"PHASE_OPEN","orders":"1","sells":"1"}]`
	for i, data := range []string{
		`{"trades":[]}`,
		`{"books":[{"period":"10000"}]}`,
		`{"books":[{"period":"10000","phase":"PHASE_FINAL"},{"period":"10000","phase":"PHASE_FINAL"}]}`,
		`{` + open + `}`, // counts an order that is not there
		`{"sells":[{"id":` + id + `,"account":` + account + `,"period":"10000","energy_wh":"1"}]}`,
		`{` + open + `,"sells":[{"id":"AAAA","account":` + account + `,"period":"10000","energy_wh":"1"}]}`,
		`{` + open + `,"sells":[{"id":` + id + `,"account":"AAAA","period":"10000","energy_wh":"1"}]}`,
		`{` + open + `,"sells":[{"id":` + id + `,"account":` + account + `,"period":"10000"}]}`,
		`{` + open + `,"prematches":[{"id":` + id + `,"seller":` + account + `,"period":"10000","energy_wh":"1"}]}`,
		`{` + open + `,"matches":[{"id":"AAAA"}]}`,
		`{` + open + `,"buys":[{"id":"AAAA"}]}`,
	} {
		m := market.New(t, nil)
		if err := matching.New().InitGenesis(m.Ctx("gateway"), []byte(data)); err == nil {
			t.Errorf("case %d: accepted %s", i, data)
		}
	}
}

func TestQueries(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", sell(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 1000))
	home := market.Address("home")
	orders, err := market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: p, Account: home[:]})
	if err != nil || len(orders.Buys) != 1 || len(orders.Sells) != 0 {
		t.Errorf("orders of home %v, %v: want one buy", orders, err)
	}
	if orders, err = market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: p}); err != nil || len(orders.Buys) != 1 || len(orders.Sells) != 1 {
		t.Errorf("orders %v, %v: want both", orders, err)
	}
	if got, err := market.Query[*matchingv1.QueryBookResponse](m, &matchingv1.QueryBookRequest{Period: p}); err != nil || got.Book.Orders != 2 {
		t.Errorf("book %v, %v: want two orders", got, err)
	}
	if _, err := market.Query[*matchingv1.QueryBookResponse](m, &matchingv1.QueryBookRequest{Period: p + 1}); module.Code(err) != matching.ErrUnknownBook {
		t.Errorf("got %v, want ErrUnknownBook", err)
	}
	if _, err := market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: p, Account: []byte{1}}); module.Code(err) != matching.ErrMalformed {
		t.Errorf("got %v, want ErrMalformed", err)
	}
	if _, err := market.Query[*matchingv1.QueryMatchesResponse](m, &matchingv1.QueryMatchesRequest{Period: p, Account: []byte{1}}); module.Code(err) != matching.ErrMalformed {
		t.Errorf("got %v, want ErrMalformed", err)
	}
	// Orders open 60 s before the gate, which is 4 s before the start: from the
	// next period to that 60 s ahead.
	periods, err := market.Query[*matchingv1.QueryPeriodsResponse](m, &matchingv1.QueryPeriodsRequest{})
	if err != nil || periods.CurrentPeriod != start || periods.PeriodLengthMs != length || len(periods.Open) != 6 ||
		periods.Open[0].Period != start+length || periods.Open[0].GateMs != start+length-4_000 || periods.Open[5].Period != start+6*length {
		t.Errorf("periods %v, %v", periods, err)
	}
	m.Begin(start + length - 4_000)
	if periods, _ = market.Query[*matchingv1.QueryPeriodsResponse](m, &matchingv1.QueryPeriodsRequest{}); periods.Open[0].Period != p {
		t.Errorf("open %v: want the one whose gate closed gone", periods.Open)
	}
	m.Must("home", edited(buy(1, 1), func(o *matchingv1.MsgPlaceBuy) { o.Period = periods.Open[len(periods.Open)-1].Period }))
}
