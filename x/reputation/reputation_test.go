package reputation

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

func key(name string) []byte {
	hash := sha256.Sum256([]byte(name))
	return hash[:]
}

func address(name string) protocol.Address { return protocol.KeyAddress(key(name)) }

var alice = address("alice")

// chainWith returns a chain on which alice begins with the given value.
func chainWith(t testing.TB, initial int64) (*module.Ctx, *[]proto.Message) {
	t.Helper()
	db := state.OpenMemory()
	t.Cleanup(func() { _ = db.Close() })
	events := new([]proto.Message)
	ctx := module.NewCtx(db.Branch(), events)
	home := address("agg")
	data, err := module.MarshalGenesis(&registryv1.GenesisState{
		Chain:     &registryv1.Chain{ChainId: "test", PeriodLengthMs: 900_000},
		Authority: &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("authority")}},
		Params:    []*registryv1.ParamsEntry{{Params: registry.DefaultParams()}},
		Accounts: []*registryv1.Account{{
			Account: home[:], Identity: key("a"), Keys: [][]byte{key("agg")}, HomeAggregator: home[:],
			Status: registryv1.Status_STATUS_ACTIVE, Roles: []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR},
			ValidatorKey: key("consensus"), ValidatorPower: 1,
		}, {
			Account: alice.Bytes(), Identity: key("b"), Keys: [][]byte{key("alice")}, HomeAggregator: home[:],
			Status: registryv1.Status_STATUS_ACTIVE, Roles: []registryv1.Role{registryv1.Role_ROLE_PROSUMER},
			GridNode: "bus", ConnectionRatingW: 1, TariffClass: "home", InitialReputation: initial,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.New().InitGenesis(ctx, data); err != nil {
		t.Fatal(err)
	}
	return ctx, events
}

func TestValueOfWithoutOutcomes(t *testing.T) {
	ctx, _ := chainWith(t, 60)
	if got := ValueOf(ctx.Store, alice); got != 60 {
		t.Errorf("alice: got %d, want her initial 60", got)
	}
	if got := ValueOf(ctx.Store, address("nobody")); got != 0 {
		t.Errorf("a stranger: got %d, want 0", got)
	}
}

func TestRecord(t *testing.T) {
	tests := []struct {
		name    string
		initial int64
		changes []int64
		want    []int64
	}{
		{"up", 60, []int64{1, 1}, []int64{61, 62}},
		{"down", 60, []int64{-10, 1}, []int64{50, 51}},
		{"stays at 100", 99, []int64{1, 1, 1, -10, 1}, []int64{100, 100, 100, 90, 91}},
		{"stays at 0", 15, []int64{-10, -10, -10, 1}, []int64{5, 0, 0, 1}},
	}
	for _, test := range tests {
		ctx, events := chainWith(t, test.initial)
		for i, change := range test.changes {
			if got := Record(ctx, alice, change); got != test.want[i] {
				t.Errorf("%s: step %d: got %d, want %d", test.name, i, got, test.want[i])
			}
			want := &reputationv1.OutcomeRecorded{Account: alice.Bytes(), Change: change, Value: test.want[i]}
			if got := (*events)[i]; !proto.Equal(got, want) {
				t.Errorf("%s: event %d: got %v, want %v", test.name, i, got, want)
			}
		}
		if got := ValueOf(ctx.Store, alice); got != test.want[len(test.want)-1] {
			t.Errorf("%s: ValueOf: got %d", test.name, got)
		}
	}
}

// The 101st outcome pushes the oldest out and the fold begins anew.
func TestOnlyTheLastHundredCount(t *testing.T) {
	// 20 and a violation that the window then forgets.
	ctx, _ := chainWith(t, 20)
	Record(ctx, alice, Violated)
	for range 50 {
		Record(ctx, alice, Fulfilled)
	}
	for range 3 {
		Record(ctx, alice, Violated)
	}
	for range 46 {
		Record(ctx, alice, Fulfilled)
	}
	if got := ValueOf(ctx.Store, alice); got != 20-10+50-30+46 {
		t.Fatalf("100 outcomes: got %d, want 76", got)
	}
	if got := Record(ctx, alice, Fulfilled); got != 20+50-30+47 {
		t.Errorf("the first violation forgotten: got %d, want 87", got)
	}
}

// S3 3.3.1: "信用值计算方法：完成一次电力交易后信用值增加 1；被处罚一次信用值减少
// 10 次。它的初始值可设为 100，达到 100 后不会增加。" The value comes of the last
// 100 trades; a trade adds 1, a penalty takes 10, it begins at 100 and never
// passes 100.
func TestPaperCreditValue(t *testing.T) {
	ctx, _ := chainWith(t, 100)
	for _, step := range []struct{ change, want int64 }{
		{Fulfilled, 100}, // "after 100 it does not rise"
		{Violated, 90},   // "a penalty takes 10"
		{Fulfilled, 91},  // "a trade adds 1"
	} {
		if got := Record(ctx, alice, step.change); got != step.want {
			t.Errorf("change %d: got %d, want %d", step.change, got, step.want)
		}
	}
	for range 97 {
		Record(ctx, alice, Fulfilled)
	}
	if got := ValueOf(ctx.Store, alice); got != 100 {
		t.Errorf("after 97 more trades: got %d, want 100", got)
	}
}

// Random outcomes against the words of SPEC 9.
func TestFoldAgainstWords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		initial := rapid.Int64Range(0, 100).Draw(rt, "initial")
		changes := rapid.SliceOfN(rapid.SampledFrom([]int64{Fulfilled, Violated}), 1, 150).Draw(rt, "changes")
		ctx, _ := chainWith(t, initial)
		for _, change := range changes {
			Record(ctx, alice, change)
		}
		want := initial
		for _, change := range changes[max(0, len(changes)-100):] {
			want += change
			if want > 100 {
				want = 100
			}
			if want < 0 {
				want = 0
			}
		}
		if got := ValueOf(ctx.Store, alice); got != want {
			rt.Fatalf("got %d, want %d", got, want)
		}
		if err := New().Invariants()[0].Check(ctx.Store); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestRecordRefusesOtherChanges(t *testing.T) {
	for _, change := range []int64{0, 2, -1, 246, -266} {
		ctx, _ := chainWith(t, 60)
		err := ctx.Atomic(func(ctx *module.Ctx) error {
			Record(ctx, alice, change)
			return nil
		})
		if !errors.Is(err, module.ErrPanic) {
			t.Errorf("change %d: got %v, want a panic", change, err)
		}
	}
}

func TestExportImportExport(t *testing.T) {
	ctx, _ := chainWith(t, 60)
	Record(ctx, alice, Fulfilled)
	Record(ctx, address("agg"), Violated)
	Record(ctx, alice, Violated)
	first, err := New().ExportGenesis(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := chainWith(t, 60)
	if err := New().InitGenesis(again, first); err != nil {
		t.Fatal(err)
	}
	second, err := New().ExportGenesis(again)
	if err != nil || string(second) != string(first) {
		t.Fatalf("got  %s, %v\nwant %s", second, err, first)
	}
	if got := Record(again, alice, Fulfilled); got != 52 {
		t.Errorf("after the import: got %d, want 52", got)
	}
}

func TestBadGenesis(t *testing.T) {
	good := func() *reputationv1.Credit {
		return &reputationv1.Credit{Account: alice.Bytes(), Value: 51, Initial: 60, Outcomes: []byte{0xf6, 1}, Partners: []byte{0, 0, 0, 0, 7, 7, 7, 7}}
	}
	tests := []struct {
		name string
		edit func(*reputationv1.Credit)
		text string
	}{
		{"short address", func(c *reputationv1.Credit) { c.Account = []byte{1} }, "credits[0].account"},
		{"stranger", func(c *reputationv1.Credit) { c.Account = address("nobody").Bytes() }, "credits[0].account"},
		{"initial", func(c *reputationv1.Credit) { c.Initial = 101 }, "initial"},
		{"no outcomes", func(c *reputationv1.Credit) { c.Outcomes = nil }, "outcomes"},
		{"too many", func(c *reputationv1.Credit) { c.Outcomes = slices.Repeat([]byte{1}, kept+1) }, "outcomes"},
		{"strange outcome", func(c *reputationv1.Credit) { c.Outcomes[0] = 2 }, "outcomes[0]"},
		{"an outcome without its partner", func(c *reputationv1.Credit) { c.Partners = c.Partners[:4] }, "partners: expected 8 bytes"},
		{"a violation that stands for somebody", func(c *reputationv1.Credit) { c.Partners[3] = 1 }, "partners[0]"},
		{"one partner too often", func(c *reputationv1.Credit) {
			c.Outcomes, c.Partners = slices.Repeat([]byte{1}, 11), slices.Repeat([]byte{0, 0, 0, 9}, 11)
		}, "at most 10 times"},
		{"not the fold", func(c *reputationv1.Credit) { c.Value++ }, "value: expected 51"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			credit := good()
			test.edit(credit)
			data, err := module.MarshalGenesis(&reputationv1.GenesisState{Credits: []*reputationv1.Credit{credit}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, _ := chainWith(t, 60)
			err = New().InitGenesis(ctx, data)
			if !errors.Is(err, ErrBadGenesis) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want a refusal of %s", err, test.text)
			}
			if test.name != "not the fold" {
				return
			}
			credits.Set(ctx.Store, creditKey(credit.Account), credit)
			if err := New().Invariants()[0].Check(ctx.Store); err == nil {
				t.Error("I6 does not see it")
			}
		})
	}
	twice, err := module.MarshalGenesis(&reputationv1.GenesisState{Credits: []*reputationv1.Credit{good(), good()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{twice, []byte(`{"credit":[]}`)} {
		ctx, _ := chainWith(t, 60)
		if err := New().InitGenesis(ctx, data); !errors.Is(err, ErrBadGenesis) {
			t.Errorf("%s: got %v", data, err)
		}
	}
}

func TestQueryCredit(t *testing.T) {
	ctx, _ := chainWith(t, 60)
	ask := func(account []byte) (*reputationv1.Credit, error) {
		answer, err := New().Queries()[0].Answer(module.QueryCtx{Store: ctx.Store}, &reputationv1.QueryCreditRequest{Account: account})
		if err != nil {
			return nil, err
		}
		return answer.(*reputationv1.QueryCreditResponse).Credit, nil
	}
	if got, err := ask(alice.Bytes()); err != nil || got.Value != 60 || got.Initial != 60 {
		t.Errorf("before any outcome: got %v, %v", got, err)
	}
	Record(ctx, alice, Violated)
	if got, err := ask(alice.Bytes()); err != nil || got.Value != 50 || len(got.Outcomes) != 1 {
		t.Errorf("after one: got %v, %v", got, err)
	}
	if _, err := ask(address("nobody").Bytes()); !errors.Is(err, ErrUnknownAccount) {
		t.Errorf("a stranger: got %v", err)
	}
	if _, err := ask(nil); !errors.Is(err, ErrInvalidField) {
		t.Errorf("no account: got %v", err)
	}
}

// Violations counts those among the last outcomes only.
func TestViolations(t *testing.T) {
	ctx, _ := chainWith(t, 60)
	for _, change := range []int64{Violated, Fulfilled, Violated, Violated, Fulfilled} {
		Record(ctx, alice, change)
	}
	for last, want := range []int64{0, 0, 1, 2, 2, 3, 3} {
		if got := Violations(ctx.Store, alice, int64(last)); got != want {
			t.Errorf("of the last %d: got %d, want %d", last, got, want)
		}
	}
	if got := Violations(ctx.Store, address("nobody"), 5); got != 0 {
		t.Errorf("of nobody: got %d, want none", got)
	}
}
