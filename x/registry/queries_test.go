package registry

import (
	"testing"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func (w *world) query(q proto.Message) (proto.Message, error) {
	w.t.Helper()
	for _, query := range New().Queries() {
		if query.Type == string(q.ProtoReflect().Descriptor().FullName()) {
			return query.Answer(module.QueryCtx{Height: w.ctx.Height, TimeMs: w.ctx.TimeMs, Store: w.ctx.Store}, q)
		}
	}
	w.t.Fatalf("no query %T", q)
	return nil, nil
}

func TestQueries(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{solarMeter("m1")}}))
	must := func(q proto.Message) proto.Message {
		t.Helper()
		answer, err := w.query(q)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	bob := must(&registryv1.QueryAccountRequest{Account: address("bob")}).(*registryv1.QueryAccountResponse)
	if len(bob.Meters) != 1 || bob.Account.Status != registryv1.Status_STATUS_PENDING {
		t.Errorf("account: got %v", bob)
	}
	authority := must(&registryv1.QueryAuthorityRequest{}).(*registryv1.QueryAuthorityResponse)
	if authority.Authority.Threshold != 2 || len(authority.Authority.Keys) != 3 {
		t.Errorf("authority: got %v", authority)
	}
	own := must(&registryv1.QueryKeyRequest{Key: key("a0")}).(*registryv1.QueryKeyResponse)
	if protocol.Address(own.Owner.Account) != protocol.AuthorityAddress {
		t.Errorf("authority's key: got %v", own)
	}
	alice := must(&registryv1.QueryKeyRequest{Key: key("alice")}).(*registryv1.QueryKeyResponse)
	if string(alice.Owner.Account) != string(address("alice")) {
		t.Errorf("key: got %v", alice)
	}
	meter := must(&registryv1.QueryMeterRequest{Meter: "m0"}).(*registryv1.QueryMeterResponse)
	if string(meter.Meter.Account) != string(address("alice")) {
		t.Errorf("meter: got %v", meter)
	}
	rules := must(&registryv1.QueryParamsRequest{}).(*registryv1.QueryParamsResponse)
	if rules.Chain.ChainId != "test" || !proto.Equal(rules.Params, DefaultParams()) {
		t.Errorf("params: got %v", rules)
	}
	w.must(w.proposeBy("a0", &registryv1.MsgApprove{Account: address("bob")}))
	open := must(&registryv1.QueryProposalsRequest{}).(*registryv1.QueryProposalsResponse)
	if len(open.Proposals) != 1 || open.Proposals[0].ExpiresHeight != w.ctx.Height+DefaultParams().ProposalTtlBlocks {
		t.Errorf("proposals: got %v", open)
	}
}

func TestQueryAccountsInPages(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob")}))
	var all []*registryv1.Account
	for account := range Accounts(w.ctx.Store) {
		all = append(all, account)
	}
	if len(all) != 5 {
		t.Fatalf("%d accounts, want 5", len(all))
	}
	var paged []*registryv1.Account
	request := &registryv1.QueryAccountsRequest{Limit: 2}
	for range 4 {
		answer, err := w.query(request)
		w.must(err)
		page := answer.(*registryv1.QueryAccountsResponse).Accounts
		paged = append(paged, page...)
		if len(page) < 2 {
			break
		}
		request.After = page[1].Account
	}
	if len(paged) != len(all) {
		t.Fatalf("%d accounts in pages, want %d", len(paged), len(all))
	}
	for i := range all {
		if !proto.Equal(all[i], paged[i]) {
			t.Errorf("account %d: got %v, want %v", i, paged[i], all[i])
		}
	}
	answer, err := w.query(&registryv1.QueryAccountsRequest{Status: registryv1.Status_STATUS_PENDING})
	w.must(err)
	if got := answer.(*registryv1.QueryAccountsResponse).Accounts; len(got) != 1 || string(got[0].Account) != string(address("bob")) {
		t.Errorf("pending: got %v", got)
	}
}

func TestQueryRefusals(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{solarMeter("m1")}}))
	tests := []struct {
		q    proto.Message
		want *module.Error
	}{
		{&registryv1.QueryAccountRequest{}, ErrInvalidField},
		{&registryv1.QueryAccountRequest{Account: address("nobody")}, ErrUnknownAccount},
		{&registryv1.QueryAccountsRequest{After: []byte{1}}, ErrInvalidField},
		{&registryv1.QueryAccountsRequest{Limit: -1}, ErrInvalidField},
		{&registryv1.QueryKeyRequest{Key: []byte{1}}, ErrInvalidField},
		{&registryv1.QueryKeyRequest{Key: key("bob")}, ErrUnknownAccount},
		{&registryv1.QueryMeterRequest{Meter: "m1"}, ErrUnknownMeter},
		{&registryv1.QueryMeterRequest{Meter: "\x00"}, ErrUnknownMeter},
		{&registryv1.QueryParamsRequest{Period: -1}, ErrInvalidField},
		{&registryv1.QueryGatewayRequest{}, ErrInvalidField},
		{&registryv1.QueryGatewayRequest{Gateway: address("alice")}, ErrUnknownGateway},
		{&registryv1.QueryGatewayRequest{Gateway: address("nobody")}, ErrUnknownGateway},
	}
	for _, test := range tests {
		_, err := w.query(test.q)
		w.refused(err, test.want)
	}
}

// The invariant sees each kind of disagreement between the tables.
func TestInvariantSeesBrokenTables(t *testing.T) {
	tests := []struct {
		name   string
		damage func(*world)
	}{
		{"key unregistered", func(w *world) { keys.Delete(w.ctx.Store, keyKey(key("alice"))) }},
		{"key of another", func(w *world) {
			keys.Set(w.ctx.Store, keyKey(key("alice")), &registryv1.KeyOwner{Key: key("alice"), Account: address("bob")})
		}},
		{"key removed", func(w *world) {
			keys.Set(w.ctx.Store, keyKey(key("alice")), &registryv1.KeyOwner{Key: key("alice"), Account: address("alice"), Removed: true})
		}},
		{"account gone", func(w *world) { accounts.Delete(w.ctx.Store, accountKey(address("alice"))) }},
		{"meter unbound", func(w *world) {
			meter, _ := MeterOf(w.ctx.Store, "m0")
			meter.BoundAtMs = 0
			saveMeter(w.ctx.Store, meter)
		}},
		{"meter not listed", func(w *world) {
			accountMeters.Delete(w.ctx.Store, accountMeters.Key().Bytes(address("alice")).Name("m0"))
		}},
		{"endpoints of a member", func(w *world) {
			saveEndpoints(w.ctx.Store, &registryv1.Endpoints{Aggregator: address("alice"), Urls: []string{"http://h:1"}})
		}},
		{"an endpoint that is none", func(w *world) {
			saveEndpoints(w.ctx.Store, &registryv1.Endpoints{Aggregator: address("agg0"), Urls: []string{"h:1"}})
		}},
		{"settings of a member", func(w *world) {
			saveSettings(w.ctx.Store, &registryv1.GatewaySettings{Gateway: address("alice"), UploadIntervalMs: 1})
		}},
		{"settings that are none", func(w *world) {
			saveSettings(w.ctx.Store, &registryv1.GatewaySettings{Gateway: address("gw0"), ReadingIntervalMs: 1})
		}},
	}
	for _, test := range tests {
		w := newWorld(t)
		if err := checkTables(w.ctx.Store); err != nil {
			t.Fatal(err)
		}
		test.damage(w)
		if err := checkTables(w.ctx.Store); err == nil {
			t.Errorf("%s: not seen", test.name)
		}
	}
}
