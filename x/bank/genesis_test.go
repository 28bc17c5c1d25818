package bank

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func TestExportImportExport(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 100, "in")
	w.must(Hold(w.ctx, alice, 40))
	w.must(w.authority(&bankv1.MsgWithdraw{Account: alice.Bytes(), AmountUcoin: 10, Reference: "out"}))
	w.owe(bob, alice, 7)
	w.owe(bob, carol, 8)
	_, _, err := Pay(w.ctx, protocol.GridAddress, dave, 5)
	w.must(err)
	first := w.export()

	again := testWorld(t)
	again.must(New().InitGenesis(again.ctx, []byte(first)))
	if second := again.export(); second != first {
		t.Fatalf("got  %s\nwant %s", second, first)
	}
	again.has(bob, 0, 0, 15)
	again.refused(again.authority(&bankv1.MsgRecharge{Account: bob.Bytes(), AmountUcoin: 1, Reference: "in"}), ErrReferenceUsed)
	again.give(bob, 9, "new")
	again.has(carol, 2, 0, 0)
}

func TestBadGenesis(t *testing.T) {
	balance := func(who protocol.Address, free, escrow int64) *bankv1.Balance {
		return &bankv1.Balance{Account: who.Bytes(), FreeUcoin: free, EscrowUcoin: escrow}
	}
	minted := func(amount int64) *bankv1.Supply { return &bankv1.Supply{MintedUcoin: amount, NextDebt: 1} }
	tests := []struct {
		name    string
		genesis *bankv1.GenesisState
		text    string
	}{
		{"coins from nowhere", &bankv1.GenesisState{Balances: []*bankv1.Balance{balance(alice, 1, 0)}}, "I1"},
		{"coins gone", &bankv1.GenesisState{Supply: minted(1)}, "I1"},
		{"burned more than minted", &bankv1.GenesisState{Supply: &bankv1.Supply{BurnedUcoin: 1}}, "supply"},
		{"member below zero", &bankv1.GenesisState{Balances: []*bankv1.Balance{balance(alice, -1, 0), balance(bob, 1, 0)}}, "I7"},
		{"escrow below zero", &bankv1.GenesisState{Balances: []*bankv1.Balance{balance(alice, 1, -1)}}, "I7"},
		{"stranger", &bankv1.GenesisState{Supply: minted(1), Balances: []*bankv1.Balance{balance(address("nobody"), 1, 0)}}, "balances[0]"},
		{"short address", &bankv1.GenesisState{Balances: []*bankv1.Balance{{Account: []byte{1}}}}, "balances[0].account"},
		{"twice", &bankv1.GenesisState{Supply: minted(2), Balances: []*bankv1.Balance{balance(alice, 1, 0), balance(alice, 1, 0)}}, "balances[1].account"},
		{"empty", &bankv1.GenesisState{Balances: []*bankv1.Balance{balance(alice, 0, 0)}}, "balances[0]"},
		{"debt to a stranger", &bankv1.GenesisState{Supply: minted(0), Debts: []*bankv1.Debt{
			{Debtor: alice.Bytes(), Creditor: address("nobody").Bytes(), AmountUcoin: 1},
		}}, "debts[0]"},
		{"debt of nothing", &bankv1.GenesisState{Supply: minted(0), Debts: []*bankv1.Debt{
			{Debtor: alice.Bytes(), Creditor: bob.Bytes()},
		}}, "I7"},
		{"debt of the grid", &bankv1.GenesisState{Supply: minted(0), Debts: []*bankv1.Debt{
			{Debtor: protocol.GridAddress.Bytes(), Creditor: bob.Bytes(), AmountUcoin: 1},
		}}, "I7"},
		{"debt from the future", &bankv1.GenesisState{Supply: minted(0), Debts: []*bankv1.Debt{
			{Debtor: alice.Bytes(), Creditor: bob.Bytes(), AmountUcoin: 1, Number: 1},
		}}, "I7"},
		{"reference", &bankv1.GenesisState{References: []*bankv1.Reference{{Hash: []byte{1}}}}, "references[0].hash"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWorld(t)
			data, err := module.MarshalGenesis(test.genesis)
			w.must(err)
			err = New().InitGenesis(w.ctx, data)
			if module.Code(err) != ErrBadGenesis || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want a refusal of %s", err, test.text)
			}
		})
	}
	w := testWorld(t)
	w.refused(New().InitGenesis(w.ctx, []byte(`[]`)), ErrBadGenesis)
}

func TestQueries(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 100, "in")
	w.must(Hold(w.ctx, alice, 40))
	w.owe(bob, alice, 7)
	w.give(carol, 1, "c")
	ask := func(q proto.Message) (proto.Message, error) {
		for _, query := range New().Queries() {
			if query.Type == string(q.ProtoReflect().Descriptor().FullName()) {
				return query.Answer(module.QueryCtx{Store: w.ctx.Store}, q)
			}
		}
		t.Fatalf("no query %T", q)
		return nil, nil
	}
	must := func(q proto.Message) proto.Message {
		t.Helper()
		answer, err := ask(q)
		w.must(err)
		return answer
	}
	got := must(&bankv1.QueryBalanceRequest{Account: alice.Bytes()}).(*bankv1.QueryBalanceResponse)
	if got.Balance.FreeUcoin != 60 || got.Balance.EscrowUcoin != 40 || got.DebtUcoin != 0 {
		t.Errorf("balance: got %v", got)
	}
	got = must(&bankv1.QueryBalanceRequest{Account: bob.Bytes()}).(*bankv1.QueryBalanceResponse)
	if string(got.Balance.Account) != string(bob[:]) || got.DebtUcoin != 7 {
		t.Errorf("balance of nothing: got %v", got)
	}
	must(&bankv1.QueryBalanceRequest{Account: protocol.GridAddress.Bytes()})
	debts := must(&bankv1.QueryDebtsRequest{Debtor: bob.Bytes()}).(*bankv1.QueryDebtsResponse)
	if len(debts.Debts) != 1 || debts.Debts[0].AmountUcoin != 7 {
		t.Errorf("debts: got %v", debts)
	}
	supply := must(&bankv1.QuerySupplyRequest{}).(*bankv1.QuerySupplyResponse)
	if supply.Supply.MintedUcoin != 101 {
		t.Errorf("supply: got %v", supply)
	}
	first := must(&bankv1.QueryBalancesRequest{Limit: 1}).(*bankv1.QueryBalancesResponse)
	second := must(&bankv1.QueryBalancesRequest{After: first.Balances[0].Account}).(*bankv1.QueryBalancesResponse)
	if len(first.Balances) != 1 || len(second.Balances) != 2 || proto.Equal(first.Balances[0], second.Balances[0]) {
		t.Errorf("pages: got %v and %v", first, second)
	}
	for _, bad := range []struct {
		q    proto.Message
		want *module.Error
	}{
		{&bankv1.QueryBalanceRequest{}, ErrInvalidField},
		{&bankv1.QueryBalanceRequest{Account: address("nobody").Bytes()}, ErrUnknownAccount},
		{&bankv1.QueryDebtsRequest{Debtor: address("nobody").Bytes()}, ErrUnknownAccount},
		{&bankv1.QueryBalancesRequest{After: []byte{1}}, ErrInvalidField},
		{&bankv1.QueryBalancesRequest{Limit: -1}, ErrInvalidField},
	} {
		_, err := ask(bad.q)
		w.refused(err, bad.want)
	}
}

// The invariants see what they are for.
func TestInvariantsSeeDamage(t *testing.T) {
	tests := []struct {
		name, law string
		damage    func(*world)
	}{
		{"a ucoin appears", "I1", func(w *world) {
			saveBalance(w.ctx.Store, &bankv1.Balance{Account: alice.Bytes(), FreeUcoin: 101})
		}},
		{"a sum is wrong", "I7", func(w *world) { sayOwed(w, bob, 8) }},
		{"a sum is missing", "I7", func(w *world) { sayOwed(w, bob, 0) }},
		{"a debt is gone", "I7", func(w *world) { debts.Delete(w.ctx.Store, debtsOf(bob).Uint64(0)) }},
	}
	for _, test := range tests {
		w := testWorld(t)
		w.give(alice, 100, "in")
		w.owe(bob, alice, 7)
		w.lawful()
		test.damage(w)
		for _, law := range New().Invariants() {
			if err := law.Check(w.ctx.Store); (err != nil) != (law.Name == test.law) {
				t.Errorf("%s: %s says %v", test.name, law.Name, err)
			}
		}
	}
}

// sayOwed makes a balance say that its account owes so much.
func sayOwed(w *world, account protocol.Address, sum int64) {
	balance := BalanceOf(w.ctx.Store, account)
	balance.OwedUcoin = sum
	saveBalance(w.ctx.Store, balance)
}
