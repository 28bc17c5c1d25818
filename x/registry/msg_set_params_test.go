package registry

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

func hasty(lead, horizon int64) *registryv1.Params {
	p := DefaultParams()
	p.GateLeadMs, p.RoundLengthMs, p.OrderHorizonMs = lead, 0, horizon
	return p
}

func TestSetParamsBeginsWhereNoOrdersAreOpen(t *testing.T) {
	const start = int64(1_699_999_200_000) // a multiple of the period; testNow - 900 s
	now := start + 100_000
	at := func(periods int64) int64 { return start + periods*testPeriod }
	tests := []struct {
		name               string
		presentLeadHorizon [2]int64
		newLeadHorizon     [2]int64
		want               int64
	}{
		// now + 0 + 1 ms: only the present period's orders could be open.
		{"next period", [2]int64{0, 1}, [2]int64{0, 1}, at(1)},
		{"present horizon", [2]int64{0, 2 * testPeriod}, [2]int64{0, 1}, at(3)},
		{"new horizon", [2]int64{0, 1}, [2]int64{0, 2 * testPeriod}, at(3)},
		{"new lead", [2]int64{0, 1}, [2]int64{4 * testPeriod, 1}, at(5)},
		// The orders of at(1) open exactly now.
		{"opens now", [2]int64{100_000, 700_000}, [2]int64{0, 1}, at(2)},
		{"opens in a millisecond", [2]int64{100_000, 699_999}, [2]int64{0, 1}, at(1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			present := hasty(test.presentLeadHorizon[0], test.presentLeadHorizon[1])
			params.Set(w.ctx.Store, paramsKey(0), &registryv1.ParamsEntry{Params: present})
			w.ctx.TimeMs = now
			w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(test.newLeadHorizon[0], test.newLeadHorizon[1])}))
			events := emitted[*registryv1.ParamsSet](w)
			if len(events) != 1 || events[0].FromPeriod != test.want {
				t.Fatalf("got %v, want from %d", events, test.want)
			}
			if got := ParamsAt(w.ctx.Store, test.want-testPeriod).OrderHorizonMs; got != test.presentLeadHorizon[1] {
				t.Errorf("before: horizon %d", got)
			}
			if got := ParamsAt(w.ctx.Store, test.want).OrderHorizonMs; got != test.newLeadHorizon[1] {
				t.Errorf("from then on: horizon %d", got)
			}
		})
	}
}

// A later decision replaces an earlier one under which no orders are open.
func TestSetParamsTheLastDecisionStands(t *testing.T) {
	w := newWorld(t)
	params.Set(w.ctx.Store, paramsKey(0), &registryv1.ParamsEntry{Params: hasty(0, 10*testPeriod)})
	w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(0, 2)}))
	first := emitted[*registryv1.ParamsSet](w)[0].FromPeriod

	w.ctx.TimeMs = first - 10 // the old horizon still rules the present period
	w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(0, 3)}))
	second := emitted[*registryv1.ParamsSet](w)[1].FromPeriod
	if second != first {
		t.Fatalf("second from %d, want %d: no orders under the first decision are open", second, first)
	}
	w.ctx.TimeMs = first
	w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(0, 4)}))
	third := emitted[*registryv1.ParamsSet](w)[2].FromPeriod
	if third != first+testPeriod {
		t.Fatalf("third from %d, want %d", third, first+testPeriod)
	}
	for period, want := range map[int64]int64{first - testPeriod: 10 * testPeriod, first: 3, third: 4, third + 100*testPeriod: 4} {
		if got := ParamsAt(w.ctx.Store, period).OrderHorizonMs; got != want {
			t.Errorf("period %d: horizon %d, want %d", period, got, want)
		}
	}
}

// A set that was to begin later than a newer one never begins.
func TestSetParamsEarlierBeginReplacesLater(t *testing.T) {
	w := newWorld(t)
	params.Set(w.ctx.Store, paramsKey(0), &registryv1.ParamsEntry{Params: hasty(0, 1)})
	w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(5*testPeriod, 2)}))
	w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(0, 3)}))
	events := emitted[*registryv1.ParamsSet](w)
	if events[1].FromPeriod >= events[0].FromPeriod {
		t.Fatalf("got %v, want the second to begin earlier", events)
	}
	if got := ParamsAt(w.ctx.Store, events[0].FromPeriod).OrderHorizonMs; got != 3 {
		t.Errorf("horizon %d, want 3", got)
	}
}

func TestPeriods(t *testing.T) {
	w := newWorld(t)
	for timeMs, want := range map[int64]int64{
		0: 0, 1: 0, testPeriod - 1: 0, testPeriod: testPeriod, 10*testPeriod + 5: 10 * testPeriod,
	} {
		if got := PeriodOf(w.ctx.Store, timeMs); got != want {
			t.Errorf("PeriodOf(%d): got %d, want %d", timeMs, got, want)
		}
	}
	if got := GateOf(DefaultParams(), 900_000); got != 600_000 {
		t.Errorf("gate: got %d", got)
	}
}

func TestDefaultParamsAreValid(t *testing.T) {
	if err := checkParams(DefaultParams()); err != nil {
		t.Fatal(err)
	}
}

// setParam sets a parameter; a table is full of the value.
func setParam(p *registryv1.Params, field protoreflect.FieldDescriptor, value int64) {
	if !field.IsList() {
		p.ProtoReflect().Set(field, protoreflect.ValueOfInt64(value))
		return
	}
	p.ProtoReflect().Clear(field)
	if field.Name() == "reliability_quotas" {
		p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: value}}
		return
	}
	for range maxCaps {
		p.ProtoReflect().Mutable(field).List().Append(protoreflect.ValueOfInt64(value))
	}
}

// Every parameter is checked on either side: -1 and a huge number are refused
// with its name.
func TestEveryParamIsChecked(t *testing.T) {
	w := newWorld(t)
	fields := (&registryv1.Params{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		for _, value := range []int64{-1, 1 << 60} {
			p := DefaultParams()
			setParam(p, field, value)
			err := w.authority(&registryv1.MsgSetParams{Params: p})
			w.refused(err, ErrInvalidParams)
			if !strings.Contains(strings.Replace(err.Error(), "[0]", "", 1), "params."+string(field.Name())+":") {
				t.Errorf("%s = %d: got %q", field.Name(), value, err)
			}
		}
	}
	w.refused(w.authority(&registryv1.MsgSetParams{}), ErrInvalidParams)
}

func TestParamsTogether(t *testing.T) {
	tests := []struct {
		name string
		edit func(*registryv1.Params)
		text string // empty: accepted
	}{
		{"round longer than the lead", func(p *registryv1.Params) { p.RoundLengthMs = p.GateLeadMs + 1 }, "round_length_ms"},
		{"round as long as the lead", func(p *registryv1.Params) { p.RoundLengthMs = p.GateLeadMs }, ""},
		{"prices the wrong way round", func(p *registryv1.Params) { p.PriceMinUcoinPerKwh = p.PriceMaxUcoinPerKwh + 1 }, "price_min"},
		{"64 price ranges", func(p *registryv1.Params) { p.PriceMaxUcoinPerKwh, p.RangePriceUcoinPerKwh = 6_400, 100 }, ""},
		{"more than 64", func(p *registryv1.Params) { p.PriceMaxUcoinPerKwh, p.RangePriceUcoinPerKwh = 6_401, 100 }, "range_price"},
		{"credit", func(p *registryv1.Params) { p.RangeCredit = 1 }, "range_credit"},
		{"loss", func(p *registryv1.Params) { p.MaxLossPpm, p.RangeLossPpm = 65, 1 }, "range_loss_ppm"},
		{"block smaller than a transaction", func(p *registryv1.Params) { p.MaxBlockBytes = p.MaxTxBytes - 1 }, "max_block_bytes"},
		{"more caps than tens of the credit value", func(p *registryv1.Params) { p.CreditCapsUcoin = make([]int64, maxCaps+1) }, "credit_caps_ucoin"},
		{"one quota a user type", func(p *registryv1.Params) {
			p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: 1, EnergyWh: 1}, {UserType: "household"}}
		}, ""},
		{"two quotas of a user type", func(p *registryv1.Params) {
			p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{{UserType: "shop"}, {UserType: "shop"}}
		}, "reliability_quotas[1].user_type"},
		{"no name of a user type", func(p *registryv1.Params) {
			p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{{UserType: "House Hold"}}
		}, "reliability_quotas[0].user_type"},
		{"energy of a quota", func(p *registryv1.Params) { p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{{EnergyWh: -1}} }, "reliability_quotas[0]"},
		{"too many quotas", func(p *registryv1.Params) {
			p.ReliabilityQuotas = make([]*registryv1.ReliabilityQuota, maxQuotas+1)
		}, "reliability_quotas"},
		{"no caps", func(p *registryv1.Params) { p.CreditCapsUcoin = nil }, ""},
		{"least rate above the greatest", func(p *registryv1.Params) { p.CreditRateMinPpm = p.CreditRateMaxPpm + 1 }, "credit_rate_min_ppm"},
		{"per account more than in all", func(p *registryv1.Params) { p.MaxOrdersPerAccount = p.MaxOrders + 1 }, "max_orders_per_account"},
	}
	for _, test := range tests {
		p := DefaultParams()
		test.edit(p)
		err := checkParams(p)
		if test.text == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.text != "" && (err == nil || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: got %v, want a refusal of %s", test.name, err, test.text)
		}
	}
}

// The greatest transaction that sets parameters fits the least limit they may
// set, so that a limit can always be lifted again.
func TestParamsCanAlwaysBeSetAgain(t *testing.T) {
	p := DefaultParams()
	fields := p.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		setParam(p, fields.Get(i), -1)
	}
	data, err := protocol.Marshal(&registryv1.MsgSetParams{Params: p})
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 1<<10 {
		t.Errorf("%d bytes: expected at most a quarter of the least max_tx_bytes", len(data))
	}
}
