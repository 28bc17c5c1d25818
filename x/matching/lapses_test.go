package matching_test

import (
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/matching"
)

func lapsesOf(m *market.Market, name string) *matchingv1.QueryLapsesResponse {
	m.T.Helper()
	address := market.Address(name)
	got, err := market.Query[*matchingv1.QueryLapsesResponse](m, &matchingv1.QueryLapsesRequest{Account: address[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	return got
}

// askedIn runs a period in which sun sells to home and is asked; answer is what
// it does then, nil for nothing.
func askedIn(m *market.Market, period int64, answer func(match *matchingv1.Match)) {
	m.T.Helper()
	m.Begin(period - 2*length)
	m.Must("sun", edited(sell(200_000, 10, "sun"), func(o *matchingv1.MsgPlaceSell) {
		o.Period, o.Consent = period, &matchingv1.Consent{Standing: false}
	}))
	m.Must("home", edited(buy(300_000, 10), func(o *matchingv1.MsgPlaceBuy) { o.Period = period }))
	m.End()
	m.Block(period - 4_000)
	made := market.Happened[*matchingv1.PreMatched](m)
	if len(made) != 1 {
		m.T.Fatalf("pre-matches %v, want one", made)
	}
	m.Begin(period - 3_000)
	if answer != nil {
		answer(made[0].Match)
	}
	m.End()
	m.Block(period - 2_000) // the window ends
	m.Block(period)
}

// TestLapses: only what was asked of an account and not answered in time counts.
func TestLapses(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { g.Params().LapseLimit = 1 }, "sun", "home")
	period := int64(p)
	next := func(answer func(*matchingv1.Match)) {
		askedIn(m, period, answer)
		period += 3 * length
	}
	reply := func(veto bool) func(*matchingv1.Match) {
		return func(match *matchingv1.Match) {
			m.Must("sun", &matchingv1.MsgConfirm{Period: match.Period, Match: match.Id, Veto: veto})
		}
	}
	sun := market.Address("sun")
	for _, step := range []struct {
		name   string
		answer func(*matchingv1.Match)
		want   int64
	}{
		{"signed", reply(false), 0},
		{"vetoed", reply(true), 0},
		{"frozen", func(*matchingv1.Match) { m.Decree(&registryv1.MsgFreeze{Account: sun[:], Reason: "test"}) }, 0},
		{"nothing", nil, 1},
		{"signed again", reply(false), 1},
		{"nothing again", nil, 2},
	} {
		next(step.answer)
		if got := lapsesOf(m, "sun"); got.Lapses != step.want || got.Limit != 1 || got.ConsentRequired != (step.want > 1) {
			t.Errorf("%s: %v, want %d lapses", step.name, got, step.want)
		}
		if step.name == "frozen" {
			m.Decree(&registryv1.MsgThaw{Account: sun[:]})
		}
	}
	if got := lapsesOf(m, "home"); got.Lapses != 0 {
		t.Errorf("home: %v, want none: it consented", got)
	}
	offer := edited(sell(200_000, 10, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period = period })
	refused(t, m, "sun", edited(offer, func(o *matchingv1.MsgPlaceSell) { o.Consent = nil }), matching.ErrConsentRequired)
	before := m.Export()["matching"]
	if after := m.Reborn().Export()["matching"]; string(before) != string(after) {
		t.Errorf("exported\n%s\nthen\n%s", before, after)
	}
	m.Must("sun", edited(offer, func(o *matchingv1.MsgPlaceSell) { o.Consent = standing }))
	if _, err := market.Query[*matchingv1.QueryLapsesResponse](m, &matchingv1.QueryLapsesRequest{}); module.Code(err) != matching.ErrMalformed {
		t.Errorf("no account: %v", err)
	}
}

// TestLapsesAreForgotten: a lapse counts for 100 pre-matches, and then there is
// no record of the account.
func TestLapsesAreForgotten(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.SkipInvariants = true
	sign := func(match *matchingv1.Match) {
		m.Must("sun", &matchingv1.MsgConfirm{Period: match.Period, Match: match.Id})
	}
	period := int64(p)
	for i := range 101 {
		if i == 0 {
			askedIn(m, period, nil)
		} else {
			askedIn(m, period, sign)
		}
		want := int64(1)
		if i == 100 {
			want = 0
		}
		if got := lapsesOf(m, "sun"); got.Lapses != want {
			t.Fatalf("after %d more: %v, want %d", i, got, want)
		}
		period += 3 * length
	}
	genesis := new(matchingv1.GenesisState)
	if err := module.UnmarshalGenesis(m.Export()["matching"], genesis); err != nil || len(genesis.Lapses) != 0 {
		t.Errorf("records %v, %v: want none", genesis.Lapses, err)
	}
}

// TestNobodyCouldSign: where the chain stands still until the window is over,
// what lapses counts for nobody.
func TestNobodyCouldSign(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", edited(sell(200_000, 10, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Consent = nil }))
	m.Must("home", buy(300_000, 10))
	m.End()
	m.Block(gate)
	m.Block(p) // the next one
	if lapsed := market.Happened[*matchingv1.MatchLapsed](m); len(lapsed) != 1 || lapsesOf(m, "sun").Lapses != 0 {
		t.Errorf("lapsed %v, counted %d: want one that does not count", lapsed, lapsesOf(m, "sun").Lapses)
	}
}

func TestBadGenesisRounds(t *testing.T) {
	id, sun := make([]byte, 16), market.Address("sun")
	book := &matchingv1.Book{Period: p, Phase: matchingv1.Phase_PHASE_FINAL, Round: 1, Declined: 1}
	pair := &matchingv1.Declined{Period: p, SellOrder: id, BuyOrder: id}
	with := func(edit func(*matchingv1.GenesisState)) *matchingv1.GenesisState {
		return edited(&matchingv1.GenesisState{Books: []*matchingv1.Book{book}, Declined: []*matchingv1.Declined{pair}}, edit)
	}
	lapsed := func(recent, older uint64) *matchingv1.Lapses {
		return &matchingv1.Lapses{Account: sun[:], Recent: recent, Older: older}
	}
	for name, test := range map[string]struct {
		genesis *matchingv1.GenesisState
		good    bool
	}{
		"as it should be":           {with(func(g *matchingv1.GenesisState) { g.Lapses = append(g.Lapses, lapsed(1, 1<<35)) }), true},
		"a pair twice":              {with(func(g *matchingv1.GenesisState) { g.Declined = append(g.Declined, pair) }), true},
		"pair missing":              {with(func(g *matchingv1.GenesisState) { g.Declined = nil }), false},
		"pair of no book":           {with(func(g *matchingv1.GenesisState) { g.Books = nil }), false},
		"pair of no orders":         {with(func(g *matchingv1.GenesisState) { g.Declined = []*matchingv1.Declined{{Period: p}} }), false},
		"certificate of no round":   {with(func(g *matchingv1.GenesisState) { g.Certificates = []*matchingv1.Certificate{{Period: p, Round: 2}} }), false},
		"no lapses":                 {with(func(g *matchingv1.GenesisState) { g.Lapses = append(g.Lapses, lapsed(0, 0)) }), false},
		"more than 100 pre-matches": {with(func(g *matchingv1.GenesisState) { g.Lapses = append(g.Lapses, lapsed(0, 1<<36)) }), false},
		"lapses twice":              {with(func(g *matchingv1.GenesisState) { g.Lapses = append(g.Lapses, lapsed(1, 0), lapsed(1, 0)) }), false},
		"lapses of nobody":          {with(func(g *matchingv1.GenesisState) { g.Lapses = append(g.Lapses, &matchingv1.Lapses{Recent: 1}) }), false},
		"energy that does not sum": {with(func(g *matchingv1.GenesisState) {
			g.Books[0] = &matchingv1.Book{Period: p, Phase: matchingv1.Phase_PHASE_FINAL, Round: 1, Declined: 1, PrematchedWh: 1}
		}), false},
	} {
		data, err := module.MarshalGenesis(test.genesis)
		if err != nil {
			t.Fatal(err)
		}
		if err := matching.New().InitGenesis(market.New(t, nil, "sun").Ctx("sun"), data); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
