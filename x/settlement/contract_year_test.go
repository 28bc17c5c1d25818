package settlement_test

import (
	"errors"
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/settlement"
)

// yearly proposes that home buys a quantity of sun in two periods: that is its
// contract year. Energy costs 0.2 coin/kWh, excess 0.35, what is left 0.1.
func yearly(yearWh int64) *settlementv1.MsgProposeContract {
	msg := proposal("sun", "home", 200_000)
	msg.YearWh, msg.ExcessPriceUcoinPerKwh, msg.PenaltyPriceUcoinPerKwh = yearWh, 350_000, 100_000
	return msg
}

// secondPeriod reads what followed p.
func secondPeriod(m *market.Market, flows map[string]flow) {
	m.T.Helper()
	m.Begin(p + 2*length + 500)
	for name, f := range flows {
		m.Read(name, p+2*length, f.in, f.out)
	}
	m.End()
}

// closedYear is the one that was closed in this block.
func closedYear(m *market.Market) *settlementv1.ContractYearClosed {
	m.T.Helper()
	events := market.Happened[*settlementv1.ContractYearClosed](m)
	if len(events) != 1 {
		m.T.Fatalf("closed %v, want one contract year", events)
	}
	return events[0]
}

// TestPaperS4YearlyContract is the contract of S4 3.3: the buyer of 10 kWh a year
// that takes more than 110 % pays for 110 % at the contract's price and for the
// excess at the excess price; one that takes less than 90 % pays for what it took,
// and for what is missing to 90 % at the penalty price. Meters step by 1 Wh.
func TestPaperS4YearlyContract(t *testing.T) {
	for _, test := range []struct {
		name              string
		bought            [2]int64 // Wh in each period
		sold              [2]int64 // what the seller exports
		excess, shortfall int64
		ucoin             int64 // for both
	}{
		{"as agreed", [2]int64{4000, 6000}, [2]int64{20_000, 20_000}, 0, 0, 0},
		{"110 %", [2]int64{11_000, 0}, [2]int64{20_000, 20_000}, 0, 0, 0},
		{"a step more", [2]int64{11_000, 1}, [2]int64{20_000, 20_000}, 0, 0, 0},
		{"more than a step", [2]int64{11_000, 2}, [2]int64{20_000, 20_000}, 2, 0, 300},
		{"above 110 %", [2]int64{5000, 10_000}, [2]int64{20_000, 20_000}, 4000, 0, 600_000},
		{"above it in the first period", [2]int64{15_000, 0}, [2]int64{20_000, 0}, 4000, 0, 600_000},
		{"90 %", [2]int64{5000, 4000}, [2]int64{20_000, 20_000}, 0, 0, 0},
		{"a step less", [2]int64{5000, 3999}, [2]int64{20_000, 20_000}, 0, 0, 0},
		{"below 90 %", [2]int64{5000, 0}, [2]int64{20_000, 20_000}, 0, 4000, 400_000},
		{"nothing at all", [2]int64{0, 0}, [2]int64{20_000, 20_000}, 0, 9000, 900_000},
		{"the seller had 1 kWh more", [2]int64{5000, 0}, [2]int64{5000, 1000}, 0, 1000, 100_000},
		{"the seller had no more", [2]int64{5000, 8000}, [2]int64{5000, 0}, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, noLoss, "sun", "home")
			agree(m, "sun", "home", yearly(10_000))
			m.End()
			deliver(m, map[string]flow{"sun": {0, test.sold[0]}, "home": {test.bought[0], 0}}, "sun", "home")
			m = m.Reborn()
			if years := contractsOf(m, "home")[0].Years; len(years) != 1 || years[0].DeliveredWh != min(test.bought[0], test.sold[0]) {
				t.Errorf("years %v, want what home bought so far", years)
			}
			secondPeriod(m, map[string]flow{"sun": {0, test.sold[1]}, "home": {test.bought[1], 0}})
			before := [2]int64{free(m, market.Address("home")), free(m, market.Address("sun"))}
			m = m.Reborn()
			m.Block(p + 3*length + 500)
			got := closedYear(m)
			if got.QuantityWh != 10_000 || got.ExcessWh != test.excess || got.ShortfallWh != test.shortfall ||
				got.AmountUcoin != test.ucoin || got.PaidUcoin != test.ucoin || got.GuaranteedUcoin != 0 {
				t.Errorf("closed %v", got)
			}
			after := [2]int64{free(m, market.Address("home")), free(m, market.Address("sun"))}
			if after[0] != before[0]-test.ucoin || after[1] != before[1]+test.ucoin {
				t.Errorf("home had %d and has %d, sun %d and %d: want %d to go over", before[0], after[0], before[1], after[1], test.ucoin)
			}
			if left := contractsOf(m, "home"); len(left) != 0 {
				t.Errorf("contracts %v, want none", left)
			}
		})
	}
}

// TestYearStep: with meters that step by 1 kWh nothing finer is judged.
func TestYearStep(t *testing.T) {
	for _, test := range []struct{ boughtWh, excessWh int64 }{{12_000, 0}, {13_000, 2000}} {
		m := market.New(t, func(g *market.Genesis) {
			noLoss(g)
			g.MeterOf("home").StepWh = 1000
		}, "sun", "home")
		agree(m, "sun", "home", yearly(10_000))
		m.End()
		deliver(m, map[string]flow{"sun": {0, test.boughtWh}, "home": {test.boughtWh, 0}}, "sun", "home")
		secondPeriod(m, map[string]flow{"sun": {}, "home": {}})
		m.Block(p + 3*length + 500)
		if got := closedYear(m); got.ExcessWh != test.excessWh {
			t.Errorf("%d Wh: closed %v, want an excess of %d", test.boughtWh, got, test.excessWh)
		}
	}
}

// TestYearCutShort: a contract that is cancelled after its first period of two, or
// accepted when that has begun, is judged by half of its quantity; one whose seller
// is revoked is as well.
func TestYearCutShort(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*market.Market, []byte)
	}{
		{"cancelled", func(m *market.Market, id []byte) {
			m.Must("home", &settlementv1.MsgCancelContract{Contract: id})
		}},
		{"revoked", func(m *market.Market, _ []byte) {
			m.Decree(&registryv1.MsgRevoke{Account: market.Address("sun").Bytes()})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, noLoss, "sun", "home")
			id := agree(m, "sun", "home", yearly(10_001))
			m.End()
			m.Begin(start + length + 500)
			for _, name := range []string{"sun", "home"} {
				m.Read(name, start, 0, 0)
				m.Read(name, start+length, 0, 0)
			}
			m.End()
			m.Begin(p + 500)
			for _, name := range []string{"sun", "home"} {
				m.Read(name, p, 0, 0)
			}
			test.change(m, id)
			m.End()
			m.Begin(p + length + 500)
			m.Read("sun", p+length, 0, 6000)
			m.Read("home", p+length, 6000, 0)
			m.End()
			secondPeriod(m, map[string]flow{"sun": {0, 50}, "home": {50, 0}})
			// 110 % of 5000 are 5500.
			if got := closedYear(m); got.QuantityWh != 5000 || got.ExcessWh != 500 || got.UntilPeriod != p+length {
				t.Errorf("closed %v", got)
			}
			if len(contractsOf(m, "home")) != 0 {
				t.Error("the contract is still there")
			}
		})
	}
}

// TestYearAcceptedLate: the period that had begun is not in the year.
func TestYearAcceptedLate(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home")
	msg := yearly(10_000)
	msg.ExpiresAtMs = p + length
	id := m.Must("sun", msg)
	m.End()
	m.Block(start + length + 500)
	m.Begin(p + 500)
	m.Must("home", &settlementv1.MsgAcceptContract{Contract: id[:]})
	for _, name := range []string{"sun", "home"} {
		m.Read(name, p, 0, 0)
	}
	m.End()
	m.Begin(p + length + 500)
	m.Read("sun", p+length, 0, 5000)
	m.Read("home", p+length, 1000, 0)
	m.End()
	secondPeriod(m, map[string]flow{"sun": {0, 5000}, "home": {1000, 0}})
	m.Block(p + 3*length + 500)
	if got := closedYear(m); got.QuantityWh != 5000 || got.Year.DeliveredWh != 1000 || got.ShortfallWh != 3500 {
		t.Errorf("closed %v, want half a year with 1000 Wh", got)
	}
}

// TestYearWaitsForLateRegisters: what arrives until the deadline counts, and the
// contract stays until then. What comes later settles with the grid.
func TestYearWaitsForLateRegisters(t *testing.T) {
	for _, inTime := range []bool{true, false} {
		m := market.New(t, noLoss, "sun", "home")
		agree(m, "sun", "home", yearly(10_000))
		m.End()
		deliver(m, map[string]flow{"sun": {0, 20_000}, "home": {5000, 0}}, "sun", "home")
		secondPeriod(m, map[string]flow{"sun": {0, 20_000}})
		m.Block(p + 3*length + 500)
		if events := market.Happened[*settlementv1.ContractYearClosed](m); len(events) != 0 {
			t.Fatalf("closed %v while a period of it is in settlement", events)
		}
		if len(contractsOf(m, "sun")) != 1 {
			t.Fatal("the contract is gone before its year is closed")
		}
		want := int64(4000)
		if inTime {
			m.Begin(p + 3*length + 600)
			m.Read("home", p+2*length, 5000, 0)
			m.End()
			want = 0
		}
		m.Block(p + 4*length + 500)
		if !inTime {
			m.Block(p + 5*length + 500)
		}
		if got := closedYear(m); got.ShortfallWh != want {
			t.Errorf("in time %t: closed %v", inTime, got)
		}
	}
}

// TestYearUnpaid: the guarantee fund pays excess, which is energy, but no penalty;
// the rest of both is owed to the seller.
func TestYearUnpaid(t *testing.T) {
	for _, test := range []struct {
		name              string
		boughtWh, coins   int64
		paid, fund, debts int64
	}{
		// 15 000 Wh cost 3 coins and 0.075 of fees; excess 0.6.
		{"excess", 15_000, 3_075_000 + 100_000, 100_000, 450_000, 50_000},
		{"penalty", 0, 100_000, 100_000, 0, 800_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, func(g *market.Genesis) {
				noLoss(g)
				poor("home", test.coins)(g)
				endow(g, 450_000, 10_000_000)
			}, "sun", "home")
			agree(m, "sun", "home", yearly(10_000))
			m.End()
			deliver(m, map[string]flow{"sun": {0, 20_000}, "home": {test.boughtWh, 0}}, "sun", "home")
			secondPeriod(m, map[string]flow{"sun": {}, "home": {}})
			m.Block(p + 3*length + 500)
			got := closedYear(m)
			if got.PaidUcoin != test.paid || got.GuaranteedUcoin != test.fund {
				t.Errorf("closed %v", got)
			}
			if owed := bank.DebtOf(m.Store, market.Address("home")); owed != test.fund+test.debts {
				t.Errorf("home owes %d, want %d to the fund and %d to sun", owed, test.fund, test.debts)
			}
			if fund := free(m, protocol.GuaranteeAddress); fund != 450_000-test.fund {
				t.Errorf("the fund has %d", fund)
			}
		})
	}
}

// TestYearsInTurn: a contract of two years and a half begins the second one with
// its first period, and judges each by itself. Only blocks after their ends are
// made, until the deadline of the last period that had one.
func TestYearsInTurn(t *testing.T) {
	const year = 365 * 86_400_000
	m := market.New(t, noLoss, "sun", "home")
	msg := yearly(10_000)
	msg.UntilPeriod = p + 2*year + year/2
	agree(m, "sun", "home", msg)
	m.End()
	deliver(m, map[string]flow{"sun": {0, 20_000}, "home": {10_000, 0}}, "sun", "home")
	for i, want := range []struct{ quantity, delivered, left int64 }{{10_000, 10_000, 10_000}, {10_000, 0, 0}, {5000, 0, 0}} {
		until := min(p+int64(i+1)*year, msg.UntilPeriod)
		m.Block(until + 500)
		for n := int64(1); len(market.Happened[*settlementv1.ContractYearClosed](m)) == 0 && n < 6; n++ {
			m.Block(until + n*length + 500)
		}
		got := closedYear(m)
		if got.QuantityWh != want.quantity || got.Year.DeliveredWh != want.delivered || got.Year.LeftWh != want.left || got.UntilPeriod != until {
			t.Errorf("year %d: closed %v", i+1, got)
		}
		if i == 0 {
			m = m.Reborn()
		}
	}
	if len(contractsOf(m, "sun")) != 0 {
		t.Error("the contract is still there")
	}
}

// TestYearRefused: what is wrong with a year is refused with the field's name.
func TestYearRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*settlementv1.MsgProposeContract)
		want   *module.Error
	}{
		{"negative quantity", func(m *settlementv1.MsgProposeContract) { m.YearWh = -1 }, settlement.ErrBadYear},
		{"more than 1 TWh", func(m *settlementv1.MsgProposeContract) { m.YearWh = 1_000_000_000_001 }, settlement.ErrBadYear},
		{"prices without a quantity", func(m *settlementv1.MsgProposeContract) { m.YearWh = 0 }, settlement.ErrBadYear},
		{"cheap excess", func(m *settlementv1.MsgProposeContract) { m.ExcessPriceUcoinPerKwh = 199_999 }, settlement.ErrBadYearPrice},
		{"dear excess", func(m *settlementv1.MsgProposeContract) { m.ExcessPriceUcoinPerKwh = 1 << 60 }, settlement.ErrBadYearPrice},
		{"negative penalty", func(m *settlementv1.MsgProposeContract) { m.PenaltyPriceUcoinPerKwh = -1 }, settlement.ErrBadYearPrice},
		{"dear penalty", func(m *settlementv1.MsgProposeContract) { m.PenaltyPriceUcoinPerKwh = 1 << 60 }, settlement.ErrBadYearPrice},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, nil, "sun", "home")
			msg := yearly(10_000)
			test.change(msg)
			if _, err := m.Send("sun", msg); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
