package settlement_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/settlement"
)

// story is a market of sellers and buyers with matches and contracts for p, and
// what their meters count in p and in the period after it.
type story struct {
	names     []string
	edit      func(*market.Genesis)
	matches   []*matchingv1.Match
	contracts []*settlementv1.MsgProposeContract
	sides     [][2]string // of the contracts
	counted   [2]map[string]flow
	// late is read after the deadline of p; nobody if empty.
	late string
}

func drawStory(rt *rapid.T) *story {
	s := &story{names: []string{"s0", "s1", "s2", "b0", "b1"}}
	params := struct{ sigma, fund, limit int64 }{
		rapid.SampledFrom([]int64{0, 50_000}).Draw(rt, "sigma"),
		rapid.SampledFrom([]int64{0, 100_000}).Draw(rt, "fund"),
		rapid.SampledFrom([]int64{0, 200_000}).Draw(rt, "limit"),
	}
	coins := map[string]int64{}
	for _, name := range s.names {
		coins[name] = rapid.SampledFrom([]int64{3_000_000, market.Coins}).Draw(rt, "coins of "+name)
		for i := range s.counted {
			if s.counted[i] == nil {
				s.counted[i] = map[string]flow{}
			}
			s.counted[i][name] = flow{
				rapid.Int64Range(0, 3000).Draw(rt, "import of "+name), rapid.Int64Range(0, 3000).Draw(rt, "export of "+name),
			}
		}
	}
	for _, seller := range s.names[:3] {
		for _, buyer := range s.names[3:] {
			switch rapid.IntRange(0, 3).Draw(rt, seller+" to "+buyer) {
			case 0, 1:
				energy := rapid.Int64Range(1, 2000).Draw(rt, "energy")
				match := market.Match(seller, buyer, p, energy, rapid.Int64Range(50_000, 550_000).Draw(rt, "price"))
				drawCover(rt, match)
				s.matches = append(s.matches, match)
			case 2:
				s.agree(seller, buyer)
			}
		}
	}
	if rapid.Bool().Draw(rt, "a contract the other way") {
		s.agree("b0", "s2")
	}
	s.edit = func(g *market.Genesis) {
		correctable(g)
		g.Params().DefaultLossPpmPerKm = 10_000
		g.Params().SigmaPpm = params.sigma
		endow(g, params.fund, params.limit)
		for name, ucoin := range coins {
			g.Balance(name).FreeUcoin = ucoin
		}
	}
	return s
}

// drawCover draws how much of a match is escrowed, what its seller gave for it, and
// what of its fee is for its zones.
func drawCover(rt *rapid.T, match *matchingv1.Match) {
	if rapid.Bool().Draw(rt, "exposed") {
		match.ExposedUcoin = rapid.Int64Range(0, match.EscrowUcoin).Draw(rt, "not escrowed")
		match.EscrowUcoin -= match.ExposedUcoin
	}
	if rapid.Bool().Draw(rt, "secured") {
		match.SecurityUcoin = rapid.Int64Range(1, 300_000).Draw(rt, "security")
	}
	if rapid.Bool().Draw(rt, "between zones") {
		match.FromZone, match.ToZone = "east", "west"
		match.ZoneFeeUcoinPerKwh = rapid.Int64Range(1, match.FeeUcoinPerKwh).Draw(rt, "zone fee")
	}
}

func (s *story) agree(seller, buyer string) {
	s.contracts = append(s.contracts, proposal(seller, buyer, 150_000))
	s.sides = append(s.sides, [2]string{seller, buyer})
}

// tell runs the story until boundaries of p may be corrected.
func (s *story) tell(t market.TB) *market.Market {
	m := market.New(t, s.edit, s.names...)
	for i, msg := range s.contracts {
		agree(m, s.sides[i][0], s.sides[i][1], msg)
	}
	if len(s.matches) > 0 {
		m.Stand(s.matches)
	}
	m.End()
	deliverUntil(m, s.names...)
	read := func(periods int64, name string) {
		f := flow{}
		if periods <= 2 {
			f = s.counted[periods-1][name]
		}
		m.Read(name, p+periods*length, f.in, f.out)
	}
	for i := int64(1); i <= 3; i++ {
		m.Begin(p + i*length + 500)
		for _, name := range s.names {
			if name != s.late {
				read(i, name)
			}
		}
		m.End()
	}
	if s.late != "" {
		m.Begin(m.TimeMs + 100)
		for i := int64(1); i <= 3; i++ {
			read(i, s.late)
		}
		m.End()
	}
	return m
}

func (s *story) worths(m *market.Market) [8]int64 { return worths(m, s.names...) }

// drawCorrection moves a part of what a member counted in p to the period after
// it, or back.
func (s *story) drawCorrection(rt *rapid.T, name string) flow {
	f := flow{
		rapid.Int64Range(-s.counted[0][name].in, s.counted[1][name].in).Draw(rt, "import"),
		rapid.Int64Range(-s.counted[0][name].out, s.counted[1][name].out).Draw(rt, "export"),
	}
	s.correct(name, f)
	return f
}

func (s *story) correct(name string, f flow) {
	first, second := s.counted[0][name], s.counted[1][name]
	s.counted[0][name] = flow{first.in + f.in, first.out + f.out}
	s.counted[1][name] = flow{second.in - f.in, second.out - f.out}
}

// TestCorrectionsModel: whatever is corrected, in whatever order, the trades and
// what everybody is worth are those of a market whose meters counted that way
// from the beginning (but for contracts, which have no more than at first, and
// for who was late). Corrected back, all is where it was.
func TestCorrectionsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStory(rt)
		if rapid.IntRange(0, 3).Draw(rt, "somebody is late") == 0 {
			s.late = rapid.SampledFrom(s.names).Draw(rt, "late")
		}
		m := s.tell(rt)
		var spent [8]int64
		for i, name := range s.names {
			if !rapid.Bool().Draw(rt, name+" spends all") {
				continue
			}
			spent[i] = -free(m, market.Address(name))
			spent[5] -= spent[i]
			if _, _, err := bank.Pay(m.Ctx(name), market.Address(name), protocol.GridAddress, -spent[i]); err != nil {
				rt.Fatal(err)
			}
		}
		before := s.worths(m)
		moved := map[string]flow{}
		for range rapid.IntRange(1, 5).Draw(rt, "corrections") {
			name := rapid.SampledFrom(s.names).Draw(rt, "of")
			f := s.drawCorrection(rt, name)
			correctEnd(m, name, f)
			moved[name] = flow{moved[name].in + f.in, moved[name].out + f.out}
		}
		if len(s.contracts) == 0 && s.late == "" {
			s.compare(rt, m, spent)
		}
		for _, name := range rapid.Permutation(s.names).Draw(rt, "back") {
			correctEnd(m, name, flow{-moved[name].in, -moved[name].out})
			s.correct(name, flow{-moved[name].in, -moved[name].out})
		}
		if got := s.worths(m); got != before {
			rt.Errorf("corrected back:\n got %v\nwant %v", got, before)
		}
		s.late = "" // it has come
		for _, name := range s.names {
			s.checkCounted(rt, m, name)
		}
	})
}

// compare tells the story again with the registers that stand now.
func (s *story) compare(rt *rapid.T, m *market.Market, spent [8]int64) {
	fresh := s.tell(rt)
	want := s.worths(fresh)
	for i := range want {
		want[i] += spent[i]
	}
	if got := s.worths(m); got != want {
		rt.Errorf("corrected:\n got %v\nwant %v", got, want)
	}
	for _, name := range s.names {
		got, want := statement(m, name), statement(fresh, name)
		for i, trade := range got.Trades {
			trade.UnpaidMakeWholeUcoin, want.Trades[i].UnpaidMakeWholeUcoin = 0, 0
			trade.UnpaidFeeUcoin, trade.GuaranteedFeeUcoin = 0, 0
			if !proto.Equal(trade, want.Trades[i]) {
				rt.Errorf("%s:\n got %v\nwant %v", name, trade, want.Trades[i])
			}
		}
		if got.GridImportWh != want.GridImportWh || got.GridExportWh != want.GridExportWh || got.GridAloneUcoin != want.GridAloneUcoin {
			rt.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
	}
	if got, want := certifiedOf(m), certifiedOf(fresh); got != want {
		rt.Errorf("certified: got %d Wh, want %d", got, want)
	}
	if got, want := fmt.Sprint(ledger(m)), fmt.Sprint(ledger(fresh)); got != want {
		rt.Errorf("zone fees:\n got %s\nwant %s", got, want)
	}
	root, _ := settlement.RootOf(m.Store, p)
	other, _ := settlement.RootOf(fresh.Store, p)
	for _, field := range []func(*settlementv1.Totals) int64{
		(*settlementv1.Totals).GetSoldWh, (*settlementv1.Totals).GetLossWh, (*settlementv1.Totals).GetCleanWh,
		(*settlementv1.Totals).GetAmountUcoin, (*settlementv1.Totals).GetGridBoughtWh, (*settlementv1.Totals).GetGridSoldWh,
		(*settlementv1.Totals).GetGridAloneUcoin,
	} {
		if got, want := field(root.Totals), field(other.Totals); got != want {
			rt.Errorf("totals:\n got %v\nwant %v", root.Totals, other.Totals)
		}
	}
}

// certifiedOf is what of all energy is certified, in Wh at the sellers' meters: what
// was issued less what sellers have in excess.
func certifiedOf(m *market.Market) (wh int64) {
	genesis := new(originv1.GenesisState)
	if err := module.UnmarshalGenesis(m.Export()["origin"], genesis); err != nil {
		m.T.Fatal(err)
	}
	for _, total := range genesis.Totals {
		wh += total.IssuedWh
	}
	for _, excess := range genesis.Excesses {
		wh -= excess.EnergyWh
	}
	return wh
}

// checkCounted says that statements hold what the meter counted.
func (s *story) checkCounted(rt *rapid.T, m *market.Market, name string) {
	for i := range int64(2) {
		got, ok := settlement.StatementOf(m.Store, p+i*length, market.Address(name))
		if want := s.counted[i][name]; !ok || (flow{got.ImportWh, got.ExportWh}) != want {
			rt.Errorf("%s in period %d after p: got %v, want %v", name, i, got, want)
		}
	}
}

// TestCorrectedContracts: contracts keep what they delivered as far as the matches
// leave it: pro rata of less, never more than at first.
func TestCorrectedContracts(t *testing.T) {
	for _, test := range []struct {
		name       string
		sun, home  flow // corrections
		sold       [3]int64
		toGrid     int64 // of sun
		homeFrom   int64 // the grid
		windToGrid int64
	}{
		{name: "nothing changes", sold: [3]int64{400, 600, 300}, toGrid: 0},
		{name: "a fifth less for both", sun: flow{out: -200}, sold: [3]int64{320, 480, 300}, homeFrom: 80},
		{name: "nothing left", sun: flow{out: -1000}, sold: [3]int64{0, 0, 300}, homeFrom: 400},
		{name: "gains go to the grid", sun: flow{out: 300}, sold: [3]int64{400, 600, 300}, toGrid: 300},
		{name: "a buyer takes less of each", home: flow{in: -350}, sold: [3]int64{200, 600, 150}, toGrid: 200, windToGrid: 150},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, correctable, "sun", "wind", "home", "shop")
			ids := [3][]byte{}
			for i, pair := range [][2]string{{"sun", "home"}, {"sun", "shop"}, {"wind", "home"}} {
				terms := proposal(pair[0], pair[1], 150_000)
				terms.Priority = int64(2 - i%2) // sun serves shop first
				ids[i] = agree(m, pair[0], pair[1], terms)
			}
			m.End()
			names := []string{"sun", "wind", "home", "shop"}
			deliver(m, map[string]flow{"sun": {0, 1000}, "wind": {0, 300}, "home": {700, 0}, "shop": {600, 0}}, names...)
			m.T = t
			first := contractTrades(m, ids)
			reread(m, names...)
			before := worths(m, names...)
			correctEnd(m, "sun", test.sun)
			correctEnd(m, "home", test.home)
			if got := contractTrades(m, ids); got != test.sold {
				t.Errorf("by contract: got %v, want %v; at first %v", got, test.sold, first)
			}
			if got := statement(m, "sun").GridExportWh; got != test.toGrid {
				t.Errorf("sun to the grid: got %d, want %d", got, test.toGrid)
			}
			if got := statement(m, "wind").GridExportWh; got != test.windToGrid {
				t.Errorf("wind to the grid: got %d, want %d", got, test.windToGrid)
			}
			if got := statement(m, "home").GridImportWh; got != test.homeFrom {
				t.Errorf("home from the grid: got %d, want %d", got, test.homeFrom)
			}
			correctEnd(m, "home", flow{-test.home.in, 0})
			correctEnd(m, "sun", flow{0, -test.sun.out})
			if got := worths(m, names...); got != before || contractTrades(m, ids) != first {
				t.Errorf("corrected back: got %v and %v, want %v and %v", got, contractTrades(m, ids), before, first)
			}
		})
	}
}

// contractTrades is what contracts delivered in p, in Wh.
func contractTrades(m *market.Market, ids [3][]byte) (soldWh [3]int64) {
	m.T.Helper()
	for _, seller := range []string{"sun", "wind"} {
		for _, trade := range statement(m, seller).Trades {
			for i, id := range ids {
				if string(trade.Contract) == string(id) {
					soldWh[i] = trade.SoldWh
				}
			}
		}
	}
	return soldWh
}

// TestContractGivesWay: home's match with sun grows by a correction of sun; what
// home has by contract with wind gives way, which did not trade with sun.
func TestContractGivesWay(t *testing.T) {
	m := market.New(t, correctable, "sun", "wind", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	agree(m, "wind", "home", proposal("wind", "home", 150_000))
	m.End()
	names := []string{"sun", "wind", "home"}
	deliver(m, map[string]flow{"sun": {0, 600}, "wind": {0, 500}, "home": {1000, 0}}, names...)
	reread(m, names...)
	if s := statement(m, "wind"); s.SoldWh != 400 {
		t.Fatalf("wind: want 400 Wh by contract: %v", s)
	}
	correctEnd(m, "sun", flow{out: 300})
	if s := statement(m, "wind"); s.Version != 2 || s.SoldWh != 100 || s.GridExportWh != 400 {
		t.Errorf("wind: want 100 Wh by contract: %v", s)
	}
	if s := statement(m, "home"); s.BoughtWh != 1000 || s.GridImportWh != 0 || s.FeesUcoin != 5_000 {
		t.Errorf("home: %v", s)
	}
	if text := fmt.Sprint(market.Happened[*settlementv1.CorrectionFailed](m)); text != "[]" {
		t.Error(text)
	}
}
