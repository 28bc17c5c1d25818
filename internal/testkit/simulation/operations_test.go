package simulation

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
)

// operations are what may happen, each as often as its weight says.
var operations = []struct {
	weight int
	name   string
	do     func(*simulation)
}{
	{24, "block", (*simulation).block},
	{40, "order", (*simulation).order},
	{3, "cancel", (*simulation).cancel},
	{16, "confirm", (*simulation).confirm},
	{6, "readings", (*simulation).readings},
	{2, "reading again", (*simulation).readAgain},
	{2, "bad reading", (*simulation).readBadly},
	{8, "correction", (*simulation).correction},
	{3, "transfer", (*simulation).transfer},
	{8, "recharge", (*simulation).recharge},
	{6, "demand", (*simulation).demand},
	{3, "repayment", (*simulation).repayment},
	{2, "capital", (*simulation).capital},
	{2, "re-authorisation", (*simulation).reauthorise},
	{2, "countersignature", (*simulation).countersign},
	{3, "certificates passed on", (*simulation).passOn},
	{2, "certificates used up", (*simulation).useUp},
	{1, "freeze", (*simulation).freeze},
	{2, "thaw", (*simulation).thaw},
}

// deck has the number of each operation as often as its weight says.
var deck = func() (deck []int) {
	for i, operation := range operations {
		deck = append(deck, slices.Repeat([]int{i}, operation.weight)...)
	}
	return deck
}()

func (s *simulation) operation() {
	next := operations[deck[below(s.rt, "operation", int64(len(deck)))]]
	s.rt.Logf("height %d: %s", s.Height, next.name)
	next.do(s)
}

// below draws one of 0..n-1, all alike: rapid prefers small numbers, the more so
// the greater the range is, and most prices would be 0.
func below(rt *rapid.T, what string, n int64) (number int64) {
	for size := int64(1); size < n; size *= 8 {
		number = number*8 + rapid.Int64Range(0, 7).Draw(rt, what)
	}
	return number % n
}

func (s *simulation) pick(what string) string {
	return rapid.SampledFrom(s.model.names).Draw(s.rt, what)
}

// active picks a member that may act, "" if it is frozen: admission of the
// application, which is not here, refuses it.
func (s *simulation) active(what string) string {
	name := s.pick(what)
	if registered(s, name).Status != registryv1.Status_STATUS_ACTIVE {
		return ""
	}
	return name
}

// block passes time: four or five of them are a period, but once in a while the
// chain stands still for one or more.
func (s *simulation) block() {
	switch fate := below(s.rt, "ahead", 64); {
	case fate >= 60:
		s.pass((fate - 59) * market.Period) // at most 4 periods
	default:
		s.pass(1_000 + fate*50)
	}
}

// order places one, most often for the next period with its gate ahead. Whether
// matching takes it the model does not say, only that who orders without debt had
// what stands behind it.
func (s *simulation) order() {
	name := s.active("orders")
	if name == "" {
		return
	}
	at := start(s.TimeMs+s.model.params.GateLeadMs) + market.Period
	if below(s.rt, "in time", 8) == 7 {
		at = start(s.TimeMs) + market.Period
	}
	price := below(s.rt, "price", 400_000)
	wh := 1 + below(s.rt, "energy", 3_000)
	consent := &matchingv1.Consent{Standing: below(s.rt, "standing", 4) < 3}
	o := &order{account: name, period: at, energyWh: wh, buys: sells(name) == (below(s.rt, "other side", 16) == 15)}
	var msg proto.Message = &matchingv1.MsgPlaceSell{
		Period: at, PriceUcoinPerKwh: price, EnergyWh: wh, Meter: market.Meter(name), Consent: consent,
	}
	if o.buys {
		price += 200_000
		msg = &matchingv1.MsgPlaceBuy{Period: at, PriceUcoinPerKwh: price, EnergyWh: wh, Consent: consent}
	}
	id, err := s.Send(name, msg)
	if err != nil {
		return
	}
	o.id = string(id.Bytes())
	if err := s.model.accept(o, price, s.model.params.FeeUcoinPerKwh); err != nil {
		s.rt.Fatalf("height %d: %v", s.Height, err)
	}
	s.placed = append(s.placed, o)
	seen.order(o)
}

// cancel takes one of the latest orders back, which works before the gate.
func (s *simulation) cancel() {
	if len(s.placed) == 0 {
		return
	}
	latest := s.placed[max(0, len(s.placed)-5):]
	order := latest[below(s.rt, "cancelled", int64(len(latest)))]
	if registered(s, order.account).Status != registryv1.Status_STATUS_ACTIVE {
		return
	}
	_, err := s.Send(order.account, &matchingv1.MsgCancel{Period: order.period, Order: []byte(order.id)})
	if err == nil && s.TimeMs >= order.period-s.model.params.GateLeadMs {
		s.rt.Fatalf("height %d: cancelled after the gate: %+v", s.Height, order)
	}
	if err == nil {
		if s.model.orders[order.id] == nil {
			s.rt.Fatalf("height %d: cancelled again: %+v", s.Height, order)
		}
		s.model.giveBack(order, book{})
		delete(s.model.orders, order.id)
	}
}

// confirm signs or vetoes pre-matches of a member, or of everybody, since those of
// orders with security need both. Only matching knows them.
func (s *simulation) confirm() {
	names := s.model.names
	if rapid.Bool().Draw(s.rt, "one") {
		names = []string{s.pick("confirms")}
	}
	for _, name := range names {
		if registered(s, name).Status == registryv1.Status_STATUS_ACTIVE {
			s.confirmAs(name)
		}
	}
}

func (s *simulation) confirmAs(name string) {
	for period := range matching.Periods(s.Store) {
		got, err := market.Query[*matchingv1.QueryMatchesResponse](s.Market, &matchingv1.QueryMatchesRequest{Period: period, Account: addressOf(name)})
		if err != nil {
			s.rt.Fatal(err)
		}
		for _, match := range got.Prematches {
			veto := below(s.rt, "veto", 8) == 7
			_, _ = s.Send(name, &matchingv1.MsgConfirm{Period: period, Match: match.Id, Veto: veto}) // it may have signed
		}
	}
}

// readings sends what a gateway holds.
func (s *simulation) readings() { s.gateway[s.pick("sends")].sendAll(s) }

// readAgain sends what was sent before.
func (s *simulation) readAgain() {
	g := s.gateway[s.pick("sends again")]
	if len(g.sent) > 0 {
		g.send(s, rapid.SampledFrom(g.sent).Draw(s.rt, "again"))
	}
}

// readBadly sends what no gateway may.
func (s *simulation) readBadly() {
	g := s.gateway[s.pick("sends badly")]
	m := s.model.meters[g.name]
	if len(m.known) == 0 {
		return
	}
	newest := m.known[len(m.known)-1]
	bad := snapshot{g.sequence + 1, newest.timeMs + 1, newest.importWh, newest.exportWh, true}
	switch rapid.SampledFrom([]string{"back", "implausible", "future", "conflict"}).Draw(s.rt, "how") {
	case "back":
		bad.importWh--
	case "implausible":
		bad.exportWh += 1_000 // 36 MW for a ms carry 10 Wh
	case "future":
		bad.timeMs = s.TimeMs + 30_001
	case "conflict":
		bad.sequence, bad.timeMs = newest.sequence, newest.timeMs-1
	}
	if err := s.Submit(bad.of(g.name)); err == nil {
		s.rt.Fatalf("height %d: %s reads %+v after %+v", s.Height, g.name, bad, newest)
	}
}

// transfer needs coins and no debt.
func (s *simulation) transfer() {
	from, to := s.active("from"), s.pick("to")
	if from == "" {
		return
	}
	ucoin := 1 + below(s.rt, "transferred", 2_000_000)
	address := market.Address(to)
	taken := s.send(from, &bankv1.MsgTransfer{To: address[:], AmountUcoin: ucoin}, from != to && s.model.owes(from, "") == 0 && s.model.spendable(from) >= ucoin)
	if taken {
		s.model.free[from] -= ucoin
		s.model.receive(to, ucoin)
	}
}

func (s *simulation) recharge() {
	name, ucoin := s.pick("recharged"), 1+below(s.rt, "recharged with", 3_000_000)
	address := market.Address(name)
	s.references++
	s.Decree(&bankv1.MsgRecharge{Account: address[:], AmountUcoin: ucoin, Reference: fmt.Sprint("deposit ", s.references)})
	s.model.receive(name, ucoin)
}

// demand states what a member would borrow, or takes it back.
func (s *simulation) demand() {
	name := s.active("borrows")
	if name == "" {
		return
	}
	d := demand{q0: below(s.rt, "q0", 20_000_000), r0: 1 + below(s.rt, "r0", 100_000)}
	d.r1 = d.r0 + 1 + below(s.rt, "r1 - r0", 200_000)
	if below(s.rt, "takes it back", 8) == 7 {
		d = demand{}
	}
	if d.q0 == 0 {
		d = demand{}
	}
	_, known := s.model.demands[name]
	bank := market.Address(operator)
	taken := s.send(name, &creditv1.MsgStateDemand{Bank: bank[:], AmountUcoin: d.q0, RatePpm: d.r0, NoneFromPpm: d.r1}, d.q0 == 0 && known || d.q0 > 0 && s.model.mayBorrow(name))
	switch {
	case taken && d.q0 == 0:
		delete(s.model.demands, name)
	case taken:
		s.model.demands[name] = d
	}
}

// repayment repays loans before their term, out of free coins and by who owes
// nothing else.
func (s *simulation) repayment() {
	name, left := s.pick("repays"), int64(0)
	for _, l := range s.model.loans[name] {
		left += l.principal + l.interest
	}
	ucoin := min(1+below(s.rt, "repaid", 2_000_000), max(left+1-below(s.rt, "too much", 2), 1))
	taken := s.send(name, &creditv1.MsgRepayLoan{AmountUcoin: ucoin}, s.model.owes(name, "") == 0 && s.model.spendable(name) >= ucoin && left >= ucoin)
	if taken {
		s.model.repayLoans(name, ucoin)
	}
}

// capital pays coins into the bank, or takes out what no line needs.
func (s *simulation) capital() {
	ucoin := 1 + below(s.rt, "capital", 20_000_000)
	if rapid.Bool().Draw(s.rt, "pays in") {
		if s.send(operator, &creditv1.MsgFundBank{AmountUcoin: ucoin}, s.model.free[operator] >= ucoin) {
			s.model.free[operator] -= ucoin
			s.model.free[pool] += ucoin
		}
		return
	}
	if s.send(operator, &creditv1.MsgWithdrawCapital{AmountUcoin: ucoin}, s.model.free[pool]-s.model.undrawn() >= ucoin) {
		s.model.free[pool] -= ucoin
		s.model.free[operator] += ucoin
	}
}

// freeze is the authority's, of one that the chain froze, too.
func (s *simulation) freeze() {
	name := s.pick("frozen")
	if s.model.conduct[name].frozenBy == byAuthority {
		return
	}
	address := market.Address(name)
	s.Decree(&registryv1.MsgFreeze{Account: address[:]})
	s.model.conduct[name].frozenBy = byAuthority
	s.stopped = append(s.stopped, name)
}

// thaw is the authority's, of whomever it or the chain froze.
func (s *simulation) thaw() {
	name := s.pick("thawed")
	if s.model.conduct[name].frozenBy == "" {
		return
	}
	address := market.Address(name)
	s.Decree(&registryv1.MsgThaw{Account: address[:]})
	s.model.conduct[name].frozenBy = ""
}
