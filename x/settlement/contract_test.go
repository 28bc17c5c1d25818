package settlement_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/reputation"
	"github.com/energyd/energyd/x/settlement"
)

func proposal(seller, buyer string, price int64) *settlementv1.MsgProposeContract {
	from, to := market.Address(seller), market.Address(buyer)
	return &settlementv1.MsgProposeContract{
		Seller: from[:], Buyer: to[:], PriceUcoinPerKwh: price, Priority: 1, Rank: 1,
		FromPeriod: p, UntilPeriod: p + 2*length, ExpiresAtMs: start + length,
	}
}

// agree signs a contract by both sides and returns its id.
func agree(m *market.Market, seller, buyer string, msg *settlementv1.MsgProposeContract) []byte {
	m.T.Helper()
	id := m.Must(seller, msg)
	m.Must(buyer, &settlementv1.MsgAcceptContract{Contract: id[:]})
	return id[:]
}

func contractsOf(m *market.Market, name string) []*settlementv1.Contract {
	m.T.Helper()
	address := market.Address(name)
	answer, err := market.Query[*settlementv1.QueryContractsResponse](m, &settlementv1.QueryContractsRequest{Account: address[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	return answer.Contracts
}

// TestContract: what the market left goes by contract, the rest to the grid. sun
// exports 3000, of which home bought 1000 in the market; by contract it needs
// 201 more, for which 201 leave sun (their loss of 0.2 Wh is none). shop needs
// 1500: 1501 leave and 1 is lost.
func TestContract(t *testing.T) {
	m := market.New(t, nil, "sun", "home", "shop")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	agree(m, "sun", "home", proposal("sun", "home", 250_000))
	second := proposal("sun", "shop", 150_000)
	second.Priority = 2
	id := agree(m, "sun", "shop", second)
	m.End()
	deliver(m, map[string]flow{"sun": {0, 3000}, "home": {1200, 0}, "shop": {1500, 0}}, "sun", "home", "shop")

	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1200, BoughtWh: 1200, PaidUcoin: 200_000 + 5_000 + 50_250 + 1_005, FeesUcoin: 6_005,
		GridAloneUcoin: 600_000, Outcome: 1,
	})
	// By contract alone there is no outcome.
	check(m, "shop", &settlementv1.Statement{
		Version: 1, ImportWh: 1500, BoughtWh: 1500, PaidUcoin: 225_150 + 7_505, FeesUcoin: 7_505, GridAloneUcoin: 750_000,
	})
	if got := reputation.ValueOf(m.Store, market.Address("shop")); got != 60 {
		t.Errorf("credit value of shop: %d, want 60 as before", got)
	}
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 3000, SoldWh: 1000 + 201 + 1501, GridExportWh: 298,
		ReceivedUcoin: 200_000 + 50_250 + 225_150 + 29_800, GridReceivedUcoin: 29_800, GridAloneUcoin: -300_000, Outcome: 1,
	})
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 2702, BoughtWh: 2700, LossWh: 2, CleanWh: 2702, ContractWh: 1702, AmountUcoin: 475_400, FeesUcoin: 13_510,
		GridBoughtWh: 298, GridPaidUcoin: 29_800, PaidUcoin: 518_710, ReceivedUcoin: 518_710, GridAloneUcoin: 1_050_000,
	})
	sun, shop := market.Address("sun"), market.Address("shop")
	for _, name := range []string{"sun", "shop"} {
		var found *settlementv1.Trade
		for _, trade := range statement(m, name).Trades {
			if string(trade.Contract) == string(id) {
				found = trade
			}
		}
		want := &settlementv1.Trade{
			Contract: id, Seller: sun[:], Buyer: shop[:], ServedWh: 1501, SoldWh: 1501, BoughtWh: 1500, LossPpm: 1000, Environment: 1,
			PriceUcoinPerKwh: 150_000, FeeUcoinPerKwh: 5_000, AmountUcoin: 225_150, FeeUcoin: 7_505,
			CertifiedWh: 1501, EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR,
		}
		if !proto.Equal(found, want) {
			t.Errorf("trade of %s:\n got %v\nwant %v", name, found, want)
		}
	}
}

// TestContractBetweenZones: by contract the way costs what it costs in the market,
// and one way says nothing of the other.
func TestContractBetweenZones(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.NodeOf("sun").Zone = "east"
		g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "east", FeeUcoinPerKwh: 20_000}, {ToZone: "east", FeeUcoinPerKwh: 1}}
	}, "sun", "home")
	id := agree(m, "sun", "home", proposal("sun", "home", 250_000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "home": {1000, 0}}, "sun", "home")
	trades := statement(m, "home").Trades
	if len(trades) != 1 || string(trades[0].Contract) != string(id) || trades[0].FeeUcoinPerKwh != 25_000 || trades[0].FeeUcoin != 25_000 {
		t.Errorf("trades %v, want one of the contract with a fee of 0.025 coin/kWh", trades)
	}
}

// TestContractOrder: the seller's places come first, then the buyer's; smaller
// numbers alone gain nothing.
func TestContractOrder(t *testing.T) {
	for _, test := range []struct {
		name                    string
		priority, rank          int64 // of wind to home
		sunToHome, windToHome   int64
		sunPriority, sunsSecond int64
	}{
		{"rank decides between first places", 1000, 0, 0, 1000, 5, 9},
		{"and the other way round", 0, 3, 1000, 0, 5, 9},
		{"the second place of a seller comes after the first of another", 7, 9, 0, 1000, 5, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, noLoss, "sun", "wind", "home", "shop")
			for _, c := range []struct {
				seller, buyer  string
				priority, rank int64
			}{
				{"sun", "home", test.sunPriority, 1}, {"sun", "shop", test.sunsSecond, 1}, {"wind", "home", test.priority, test.rank},
			} {
				msg := proposal(c.seller, c.buyer, 200_000)
				msg.Priority, msg.Rank = c.priority, c.rank
				agree(m, c.seller, c.buyer, msg)
			}
			m.End()
			deliver(m, map[string]flow{"sun": {0, 1000}, "wind": {0, 1000}, "home": {1000, 0}, "shop": {0, 0}}, "sun", "wind", "home", "shop")
			if sun, wind := statement(m, "sun").SoldWh, statement(m, "wind").SoldWh; sun != test.sunToHome || wind != test.windToHome {
				t.Errorf("sun sold %d, wind %d, want %d and %d", sun, wind, test.sunToHome, test.windToHome)
			}
		})
	}
}

// TestContractBothWays: each register counts by itself: who exports in one part
// of a period and imports in another sells and buys.
func TestContractBothWays(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home")
	agree(m, "sun", "home", proposal("sun", "home", 200_000))
	back := proposal("home", "sun", 300_000)
	agree(m, "home", "sun", back)
	m.End()
	deliver(m, map[string]flow{"sun": {100, 500}, "home": {400, 70}}, "sun", "home")
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ImportWh: 100, ExportWh: 500, SoldWh: 400, BoughtWh: 70, GridImportWh: 30, GridExportWh: 100,
		PaidUcoin: 21_000 + 350 + 15_000, FeesUcoin: 350, GridPaidUcoin: 15_000,
		ReceivedUcoin: 80_000 + 10_000, GridReceivedUcoin: 10_000, GridAloneUcoin: 0,
	})
}

// TestContractWaits: an account waits for those that contracts connect it with
// and for nobody else; at the deadline who is missing takes no part.
func TestContractWaits(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home", "shop", "wind", "mill")
	agree(m, "sun", "home", proposal("sun", "home", 200_000))
	second := proposal("sun", "shop", 200_000)
	second.Priority = 2
	agree(m, "sun", "shop", second)
	agree(m, "wind", "mill", proposal("wind", "mill", 200_000))
	m.End()
	// home has a contract with sun alone, and waits for shop all the same.
	flows := map[string]flow{"sun": {0, 1000}, "home": {600, 0}, "wind": {0, 10}, "mill": {10, 0}}
	deliver(m, flows, "sun", "home", "shop", "wind", "mill")
	has := func(name string) bool {
		_, ok := settlement.StatementOf(m.Store, p, market.Address(name))
		return ok
	}
	if has("sun") || has("home") || !has("wind") || !has("mill") {
		t.Fatal("want sun and home to wait for shop, wind and mill to have settled")
	}
	m = m.Reborn()
	m.Block(p + 2*length + 500)
	m.Block(p + 3*length + 500)
	if s := statement(m, "shop"); !s.Missing || s.BoughtWh != 0 {
		t.Errorf("statement of shop: %v, want it missing", s)
	}
	if s := statement(m, "sun"); s.SoldWh != 600 || s.GridExportWh != 400 {
		t.Errorf("statement of sun: %v, want 600 sold and 400 to the grid", s)
	}
	// Late registers settle with the grid only.
	m.Begin(p + 3*length + 1000)
	m.Read("shop", p+length, 300, 0)
	m.End()
	if s := statement(m, "shop"); s.Missing || s.GridImportWh != 300 || len(s.Trades) != 0 {
		t.Errorf("late statement of shop: %v, want 300 from the grid", s)
	}
}

// TestContractDebt: there is no escrow. What the buyer lacks becomes debt to the
// seller and the fee ledger, and is neither paid nor received.
func TestContractDebt(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Balance("home").FreeUcoin = 50_000
	}, "sun", "home")
	agree(m, "sun", "home", proposal("sun", "home", 200_000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "home": {1000, 0}}, "sun", "home")
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1000, BoughtWh: 1000, PaidUcoin: 50_000, DebtUcoin: 150_000 + 5_000, GridAloneUcoin: 500_000,
	})
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: 50_000, GridAloneUcoin: -100_000,
	})
	if owed := bank.DebtOf(m.Store, market.Address("home")); owed != 155_000 {
		t.Errorf("home owes %d, want 155 000", owed)
	}
	// Who owes makes no new contract; the one there is goes on.
	msg := proposal("sun", "home", 1)
	msg.Seller, msg.Buyer = msg.Buyer, msg.Seller
	msg.FromPeriod, msg.UntilPeriod, msg.ExpiresAtMs = p+3*length, p+4*length, p+2*length
	if _, err := m.Send("sun", msg); !errors.Is(err, settlement.ErrInDebt) {
		t.Errorf("contract with who owes: %v, want %v", err, settlement.ErrInDebt)
	}
}

// TestContractEnds: a period that has begun is the last one of a contract that
// is cancelled, or of an account that is revoked in it; a frozen account's go on.
func TestContractEnds(t *testing.T) {
	sun := market.Address("sun")
	for _, test := range []struct {
		name          string
		end           func(m *market.Market, id []byte)
		at            int64
		first, second int64 // Wh sold in p and p + length
		left          int   // contracts after p + length has ended
	}{
		{"nothing", func(*market.Market, []byte) {}, p, 100, 100, 1},
		{"cancelled before the start", func(m *market.Market, id []byte) {
			m.Must("home", &settlementv1.MsgCancelContract{Contract: id})
		}, p - 1, 0, 0, 0},
		{"cancelled at the start", func(m *market.Market, id []byte) {
			m.Must("sun", &settlementv1.MsgCancelContract{Contract: id})
		}, p, 100, 0, 0},
		{"revoked in it", func(m *market.Market, _ []byte) { m.Decree(&registryv1.MsgRevoke{Account: sun[:]}) }, p + 1, 100, 0, 0},
		{"frozen", func(m *market.Market, _ []byte) { m.Decree(&registryv1.MsgFreeze{Account: sun[:]}) }, p - 1, 100, 100, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, noLoss, "sun", "home")
			msg := proposal("sun", "home", 200_000)
			msg.UntilPeriod = p + 9*length
			id := agree(m, "sun", "home", msg)
			m.End()
			m.Begin(start + length + 500)
			for _, name := range []string{"sun", "home"} {
				m.Read(name, start, 0, 0)
				m.Read(name, start+length, 0, 0)
			}
			m.End()
			m.Begin(test.at)
			test.end(m, id)
			m.End()
			for i := range int64(3) {
				m.Begin(p + i*length + 500)
				m.Read("sun", p+i*length, 0, 100)
				m.Read("home", p+i*length, 100, 0)
				m.End()
			}
			if s := statement(m, "home"); s.BoughtWh != test.first {
				t.Errorf("home bought %d in the first period, want %d", s.BoughtWh, test.first)
			}
			s, _ := settlement.StatementOf(m.Store, p+length, market.Address("home"))
			if s.GetBoughtWh() != test.second {
				t.Errorf("home bought %d in the second period, want %d", s.GetBoughtWh(), test.second)
			}
			m.Block(p + 3*length + 500)
			if got := contractsOf(m, "home"); len(got) != test.left {
				t.Errorf("home has %v, want %d contracts", got, test.left)
			}
		})
	}
}

// TestContractLapses: a proposal goes when it expires, and one that is accepted
// after its first period began covers those to come.
func TestContractLapses(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	late := proposal("sun", "home", 1)
	late.FromPeriod, late.ExpiresAtMs = start, start+3*length
	id := m.Must("sun", late)
	back := proposal("home", "sun", 1)
	back.ExpiresAtMs = start + 1
	m.Must("home", back)
	m.End()
	m.Begin(start + length)
	m.Must("home", &settlementv1.MsgAcceptContract{Contract: id[:]})
	m.End()
	m.Block(p + length)
	got := contractsOf(m, "sun")
	if len(got) != 1 || got[0].FromPeriod != p || !got[0].Accepted {
		t.Errorf("sun has %v, want the accepted one from %d on", got, int64(p))
	}
}

func TestContractRefused(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		g.Params().PriceMinUcoinPerKwh, g.Params().MaxContractsPerAccount = 1_000, 2
		g.Account("twin").Identity = g.Account("sun").Identity
		g.Account("flat").GridNode = market.Node("sun")
		g.NodeOf("far").Node = "somewhere-else"
		g.Account("ice").Status = registryv1.Status_STATUS_FROZEN
	}, "sun", "home", "twin", "flat", "far", "ice", "shop", "mill", "farm", "dock")
	propose := func(seller, buyer string, edit func(*settlementv1.MsgProposeContract)) proto.Message {
		msg := proposal(seller, buyer, 200_000)
		if edit != nil {
			edit(msg)
		}
		return msg
	}
	open := m.Must("sun", proposal("sun", "home", 200_000))
	none := make([]byte, protocol.IDSize)
	for _, test := range []struct {
		name string
		msg  proto.Message
		want *module.Error
	}{
		{"sun", propose("sun", "home", func(p *settlementv1.MsgProposeContract) { p.Buyer = []byte("short") }), settlement.ErrMalformed},
		{"sun", propose("sun", "sun", nil), settlement.ErrSameParty},
		{"sun", propose("sun", "twin", nil), settlement.ErrSameParty},
		{"sun", propose("sun", "flat", nil), settlement.ErrSameParty},
		{"sun", propose("sun", "shop", func(p *settlementv1.MsgProposeContract) { p.PriceUcoinPerKwh = -1 }), settlement.ErrBadPrice},
		{"sun", propose("sun", "shop", func(p *settlementv1.MsgProposeContract) { p.PriceUcoinPerKwh = 999 }), settlement.ErrBadPrice},
		{"sun", propose("sun", "shop", func(p *settlementv1.MsgProposeContract) { p.PriceUcoinPerKwh = 2_000_001 }), settlement.ErrBadPrice},
		{"sun", propose("sun", "shop", func(p *settlementv1.MsgProposeContract) { p.Priority = 1001 }), settlement.ErrOutOfRange},
		{"sun", propose("sun", "shop", func(p *settlementv1.MsgProposeContract) { p.Rank = -1 }), settlement.ErrOutOfRange},
		{"sun", propose("sun", "shop", func(m *settlementv1.MsgProposeContract) { m.UntilPeriod = m.FromPeriod }), settlement.ErrBadPeriod},
		{"sun", propose("sun", "shop", func(m *settlementv1.MsgProposeContract) { m.FromPeriod++ }), settlement.ErrBadPeriod},
		{"sun", propose("sun", "shop", func(m *settlementv1.MsgProposeContract) { m.FromPeriod, m.UntilPeriod = start, start+length }), settlement.ErrBadPeriod},
		{"sun", propose("sun", "shop", func(m *settlementv1.MsgProposeContract) { m.ExpiresAtMs = start }), settlement.ErrBadExpiry},
		{"sun", propose("sun", "shop", func(m *settlementv1.MsgProposeContract) { m.ExpiresAtMs = start + 32*86_400_000 }), settlement.ErrBadExpiry},
		{"mill", propose("sun", "shop", nil), settlement.ErrNotParty},
		{"sun", propose("sun", "ice", nil), settlement.ErrNotActive},
		{"sun", propose("sun", "nobody", nil), settlement.ErrNotActive},
		{"sun", propose("sun", "gateway", nil), settlement.ErrNotTrader},
		{"sun", propose("sun", "far", nil), settlement.ErrUnreachableNode},
		{"home", propose("sun", "home", nil), settlement.ErrContractExists},
		{"shop", &settlementv1.MsgAcceptContract{Contract: open[:]}, settlement.ErrUnknownContract},
		{"shop", &settlementv1.MsgCancelContract{Contract: open[:]}, settlement.ErrUnknownContract},
		{"sun", &settlementv1.MsgCancelContract{Contract: none}, settlement.ErrUnknownContract},
		{"sun", &settlementv1.MsgAcceptContract{Contract: open[:]}, settlement.ErrNotProposed},
		{"home", &settlementv1.MsgAcceptContract{Contract: open[:5]}, settlement.ErrMalformed},
	} {
		before := string(m.Export()["settlement"])
		if _, err := m.Send(test.name, test.msg); !errors.Is(err, test.want) {
			t.Errorf("%s: %v: got %v, want %v", test.name, test.msg, err, test.want)
		}
		if string(m.Export()["settlement"]) != before {
			t.Errorf("%s: %v was refused and changed the state", test.name, test.msg)
		}
	}
	// Two of its own and two that wait for it; then neither one more.
	m.Must("home", proposal("home", "shop", 200_000))
	m.Must("home", proposal("home", "mill", 200_000))
	m.Must("farm", proposal("farm", "home", 200_000))
	for _, pair := range [][2]string{{"home", "dock"}, {"dock", "home"}} {
		if _, err := m.Send(pair[0], proposal(pair[0], pair[1], 200_000)); !errors.Is(err, settlement.ErrTooManyContracts) {
			t.Errorf("%s to %s: got %v, want %v", pair[0], pair[1], err, settlement.ErrTooManyContracts)
		}
	}
	if _, err := m.Send("home", &settlementv1.MsgAcceptContract{Contract: open[:]}); !errors.Is(err, settlement.ErrTooManyContracts) {
		t.Errorf("one more accepted: %v, want %v", err, settlement.ErrTooManyContracts)
	}
	m.Begin(start + length)
	if _, err := m.Send("home", &settlementv1.MsgAcceptContract{Contract: open[:]}); !errors.Is(err, settlement.ErrExpired) {
		t.Errorf("accepted when it expires: %v, want %v", err, settlement.ErrExpired)
	}
}
