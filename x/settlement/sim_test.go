package settlement_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
)

// TestSimulation trades, confirms, signs and cancels contracts, freezes, reads meters early, late, with gaps
// or never, and lets the chain stand still; the invariants are checked after
// every block. In the end every meter speaks, and what the meters counted must
// equal what the statements say. It is beside internal/testkit/simulation, which
// predicts every coin of a market, for what that leaves out: contracts and their
// years, among orders with quotas, relief and debts.
func TestSimulation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &simulation{rt: rt, coins: map[string]int64{}, counted: map[string]flow{}, due: map[string]int64{}, lent: map[string]int64{}, made: map[string]*settlementv1.Statement{}}
		for i := range rapid.IntRange(2, 6).Draw(rt, "members") {
			s.names = append(s.names, fmt.Sprintf("m%d", i))
		}
		s.m = market.New(rt, func(g *market.Genesis) {
			g.Params().DefaultLossPpmPerKm = rapid.SampledFrom([]int64{0, 10_000, 300_000}).Draw(rt, "loss per km")
			g.Params().RoundLengthMs = 4_000
			g.Params().StatementRetentionPeriods = rapid.SampledFrom([]int64{1000, 5, 1}).Draw(rt, "retention")
			g.Params().SigmaPpm = rapid.SampledFrom([]int64{0, 50_000}).Draw(rt, "sigma")
			s.fund = rapid.SampledFrom([]int64{0, 50_000, 10_000_000}).Draw(rt, "fund")
			endow(g, s.fund, rapid.SampledFrom([]int64{0, 200_000, 10_000_000}).Draw(rt, "limit of the fund"))
			g.Params().ViolationPenaltyUcoin = rapid.SampledFrom([]int64{0, 30_000, 5_000_000}).Draw(rt, "penalty")
			g.Params().FreezeWindow = 5
			g.Params().FreezeViolations = rapid.SampledFrom([]int64{0, 1, 3}).Draw(rt, "violations until frozen")
			g.Params().EscrowReliefPpm = rapid.SampledFrom([]int64{0, 400_000, 1_000_000}).Draw(rt, "relief")
			g.Params().EscrowReliefAbove = rapid.SampledFrom([]int64{0, 55}).Draw(rt, "above")
			g.Params().LeastOutcomeWh = rapid.SampledFrom([]int64{0, 500}).Draw(rt, "least outcome")
			if rapid.Bool().Draw(rt, "quotas") {
				quota := &registryv1.ReliabilityQuota{Trades: rapid.Int64Range(0, 5).Draw(rt, "trades"), EnergyWh: rapid.Int64Range(0, 10_000).Draw(rt, "energy")}
				g.Params().ReliabilityQuotas = []*registryv1.ReliabilityQuota{quota}
			}
			for _, name := range s.names {
				s.coins[name] = rapid.SampledFrom([]int64{20_000_000, 1_000_000, 100_000}).Draw(rt, "coins of "+name)
				g.Balance(name).FreeUcoin = s.coins[name]
			}
		}, s.names...)
		s.end()
		s.hoarse = rapid.SampledFrom(s.names).Draw(rt, "hoarse")
		for range 30 {
			s.step()
		}
		s.finish()
	})
}

type simulation struct {
	rt    *rapid.T
	m     *market.Market
	names []string
	coins map[string]int64
	// counted is what each meter counted since its first reading; due is the next
	// boundary that it has not read.
	counted map[string]flow
	due     map[string]int64
	frozen  string
	// lent is what each member was not paid when it settled: by contract, or to
	// make it whole.
	lent map[string]int64
	// made are the latest statements, by account and period.
	made map[string]*settlementv1.Statement
	// hoarse: meters of this name and those before it hardly ever speak.
	hoarse string
	// fund is what the guarantee fund started with, and penalties.
	fund int64
}

// step is one block.
func (s *simulation) step() {
	rt, m := s.rt, s.m
	ahead := rapid.SampledFrom([]int64{4_000, 2_000, 3_000, 6_000, length, 3 * length}).Draw(rt, "ahead")
	m.Begin(m.TimeMs + ahead)
	for _, name := range s.names {
		switch rapid.IntRange(0, 4).Draw(rt, "does "+name) {
		case 0:
			s.order(name)
		case 1:
			s.confirm(name)
		case 2:
			// Some meters are heard from all the time, others hardly ever.
			if name > s.hoarse || rapid.IntRange(0, 9).Draw(rt, "speaks") == 0 {
				s.read(name)
			}
		case 3:
			s.contract(name)
			s.verify(name)
		}
	}
	if rapid.IntRange(0, 30).Draw(rt, "freeze") == 30 && s.frozen == "" {
		s.frozen = s.names[0]
		address := market.Address(s.frozen)
		m.Decree(&registryv1.MsgFreeze{Account: address[:]}) // of one that is frozen for violations, too
	}
	s.end()
}

// end ends a block and takes down the statements made in it: those in state go
// after the retention time.
func (s *simulation) end() {
	s.m.End()
	for _, event := range market.Happened[*settlementv1.StatementMade](s.m) {
		key := fmt.Sprintf("%x %d", event.Statement.Account, event.Statement.Period)
		// Later versions carry it along, or are the first to charge it.
		s.fund += event.Statement.PenaltyUcoin - s.made[key].GetPenaltyUcoin()
		s.made[key] = event.Statement
	}
	for _, year := range market.Happened[*settlementv1.ContractYearClosed](s.m) {
		got := year.PaidUcoin + year.GuaranteedUcoin
		s.lent[string(year.Seller)] += year.AmountUcoin - got
		for _, name := range s.names {
			switch address := market.Address(name); string(address[:]) {
			case string(year.Seller):
				s.coins[name] += got
			case string(year.Buyer):
				s.coins[name] -= year.AmountUcoin
			}
		}
	}
	for _, event := range market.Happened[*settlementv1.SettlementFailed](s.m) {
		s.rt.Fatalf("%v", event)
	}
	for _, event := range market.Happened[*settlementv1.Settled](s.m) {
		if !event.Trade.GridStoodIn { // else the grid lent it
			s.lent[string(event.Trade.Seller)] += event.Trade.UnpaidAmountUcoin
		}
		other := event.Trade.Buyer
		if event.Trade.MakeWholeByBuyerUcoin > 0 {
			other = event.Trade.Seller
		}
		s.lent[string(other)] += event.Trade.UnpaidMakeWholeUcoin
	}
}

func (s *simulation) order(name string) {
	if status(s.m, name) == isFrozen {
		return
	}
	rt := s.rt
	period := s.m.TimeMs - s.m.TimeMs%length + rapid.SampledFrom([]int64{2, 1}).Draw(rt, "periods ahead")*length
	price, energy := rapid.Int64Range(150_000, 600_000).Draw(rt, "price"), 3001-rapid.Int64Range(1, 3000).Draw(rt, "energy")
	consent := &matchingv1.Consent{Standing: rapid.IntRange(0, 3).Draw(rt, "standing") < 3}
	// Refusals are part of the game; the invariants say that they change nothing.
	if name[1]%2 == 0 != (rapid.IntRange(0, 9).Draw(rt, "changes sides") == 9) {
		msg := sell(period, price-150_000, energy, name)
		msg.Consent = consent
		_, _ = s.m.Send(name, msg)
		return
	}
	msg := buy(period, price, energy)
	msg.Consent = consent
	_, _ = s.m.Send(name, msg)
}

// contract signs what is proposed to a member, or else proposes, or now and then
// cancels.
func (s *simulation) contract(name string) {
	if status(s.m, name) == isFrozen {
		return
	}
	rt, own := s.rt, market.Address(name)
	for _, c := range contractsOf(s.m, name) {
		switch {
		case rapid.IntRange(0, 9).Draw(rt, "cancels") == 9:
			s.m.Must(name, &settlementv1.MsgCancelContract{Contract: c.Id})
		case !c.Accepted && string(c.Proposer) != string(own[:]):
			_, _ = s.m.Send(name, &settlementv1.MsgAcceptContract{Contract: c.Id})
		}
	}
	seller, buyer := own, market.Address(rapid.SampledFrom(s.names).Draw(rt, "other side"))
	if rapid.Bool().Draw(rt, "buys") {
		seller, buyer = buyer, seller
	}
	period := s.m.TimeMs - s.m.TimeMs%length
	msg := &settlementv1.MsgProposeContract{
		Seller: seller[:], Buyer: buyer[:], PriceUcoinPerKwh: rapid.Int64Range(0, 600_000).Draw(rt, "contract price"),
		Priority: rapid.Int64Range(0, 2).Draw(rt, "priority"), Rank: rapid.Int64Range(0, 2).Draw(rt, "rank"),
		FromPeriod: period, UntilPeriod: period + rapid.Int64Range(2, 20).Draw(rt, "periods")*length, ExpiresAtMs: s.m.TimeMs + 3*length,
	}
	if rapid.Bool().Draw(rt, "yearly") {
		msg.YearWh = rapid.Int64Range(1, 20_000).Draw(rt, "year's energy")
		msg.ExcessPriceUcoinPerKwh = msg.PriceUcoinPerKwh + rapid.Int64Range(0, 300_000).Draw(rt, "dearer")
		msg.PenaltyPriceUcoinPerKwh = rapid.Int64Range(0, 900_000).Draw(rt, "penalty price")
	}
	_, _ = s.m.Send(name, msg)
}

// verify asks for a full verification, and has it countersigned.
func (s *simulation) verify(name string) {
	if status(s.m, name) == isFrozen {
		return
	}
	address := market.Address(name)
	_, _ = s.m.Send(name, &reputationv1.MsgReauthorise{})
	_, _ = s.m.Send("aggregator", &reputationv1.MsgCountersign{Account: address[:]})
}

func (s *simulation) confirm(name string) {
	if status(s.m, name) == isFrozen {
		return
	}
	address := market.Address(name)
	for book := range matching.Books(s.m.Store) {
		got, err := market.Query[*matchingv1.QueryMatchesResponse](s.m, &matchingv1.QueryMatchesRequest{Period: book.Period, Account: address[:]})
		if err != nil {
			s.rt.Fatal(err)
		}
		for _, match := range got.Prematches {
			veto := rapid.IntRange(0, 3).Draw(s.rt, "veto") == 3
			_, _ = s.m.Send(name, &matchingv1.MsgConfirm{Period: book.Period, Match: match.Id, Veto: veto})
		}
	}
}

// read submits what the meter has counted at the boundaries since it last
// spoke, or skips some of them.
func (s *simulation) read(name string) {
	sum, spoke := s.counted[name]
	if !spoke {
		s.counted[name] = flow{}
		first := s.m.TimeMs - s.m.TimeMs%length
		s.m.Read(name, first, 0, 0)
		s.due[name] = first + length
		return
	}
	gap := rapid.IntRange(0, 6).Draw(s.rt, "gap") == 6
	for ; s.due[name] <= s.m.TimeMs; s.due[name] += length {
		if gap && s.due[name]+length <= s.m.TimeMs {
			continue
		}
		in, out := rapid.Int64Range(0, 4000).Draw(s.rt, "in"), rapid.Int64Range(0, 4000).Draw(s.rt, "out")
		sum.in += in
		sum.out += out
		s.m.Read(name, s.due[name], in, out)
	}
	s.counted[name] = sum
}

// finish lets every meter speak, passes the deadlines of matches with meters
// that never had, and compares.
func (s *simulation) finish() {
	for range 6 {
		s.m.Begin(s.m.TimeMs + length)
		for _, name := range s.names {
			s.read(name)
		}
		s.end()
	}
	for _, name := range s.names {
		s.compare(name)
	}
	s.compareFund()
}

// compareFund: what the fund paid is still owed to it or was repaid.
func (s *simulation) compareFund() {
	want := s.fund - s.owedTo(protocol.GuaranteeAddress)
	if got := free(s.m, protocol.GuaranteeAddress); got != want {
		s.rt.Errorf("the guarantee fund has %d, want %d", got, want)
	}
}

// compare checks a member's statements against what its meter counted and
// against what it has and owes.
func (s *simulation) compare(name string) {
	var billed flow
	address := market.Address(name)
	wealth := s.coins[name]
	owed := bank.DebtOf(s.m.Store, address)
	for period := int64(start); period < s.m.TimeMs; period += length {
		statement := s.made[fmt.Sprintf("%x %d", address[:], period)]
		if statement == nil {
			continue
		}
		billed.in += statement.ImportWh
		billed.out += statement.ExportWh
		wealth += statement.ReceivedUcoin - statement.PaidUcoin - statement.DebtUcoin
	}
	if counted := s.counted[name]; billed != counted {
		s.rt.Errorf("%s: statements say %+v, the meter counted %+v", name, billed, counted)
	}
	// What was ever owed is still owed or was repaid, also to members, by contract.
	wealth += s.lent[string(address[:])] - s.owedTo(address)
	balance := bank.BalanceOf(s.m.Store, address)
	if got := balance.FreeUcoin + balance.EscrowUcoin; got != wealth+owed {
		s.rt.Errorf("%s: has %d and owes %d, statements leave %d", name, got, owed, wealth)
	}
}

// owedTo is what members still owe an account.
func (s *simulation) owedTo(creditor protocol.Address) int64 {
	var sum int64
	for _, name := range s.names {
		debtor := market.Address(name)
		answer, err := market.Query[*bankv1.QueryDebtsResponse](s.m, &bankv1.QueryDebtsRequest{Debtor: debtor[:]})
		if err != nil {
			s.rt.Fatal(err)
		}
		for _, debt := range answer.Debts {
			if string(debt.Creditor) == string(creditor[:]) {
				sum += debt.AmountUcoin
			}
		}
	}
	return sum
}
