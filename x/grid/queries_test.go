package grid

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
)

// moduleQuery asks the module as the application does.
type moduleQuery struct{ *chain }

func (q moduleQuery) answer(request proto.Message) (proto.Message, error) {
	for _, query := range New().Queries() {
		if query.Type == string(request.ProtoReflect().Descriptor().FullName()) {
			return query.Answer(module.QueryCtx{Height: q.Height, TimeMs: q.TimeMs, Store: q.Store}, request)
		}
	}
	q.t.Fatalf("no query %T", request)
	return nil, nil
}

func (q moduleQuery) ask(request proto.Message) proto.Message {
	q.t.Helper()
	answer, err := q.answer(request)
	if err != nil {
		q.t.Fatal(err)
	}
	return answer
}

func (q moduleQuery) refuse(request proto.Message, want error) {
	q.t.Helper()
	if answer, err := q.answer(request); !errors.Is(err, want) {
		q.t.Errorf("%v: expected %v, got %v, %v", request, want, answer, err)
	}
}

func TestQueries(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{
		Nodes: []*gridv1.Node{node("a", 0), node("a1", 0), node("b", 0), node("z", 0)},
		Lines: []*gridv1.Line{line("a", "b", 1_000_000), oneWay(line("b", "a1", 2_000_000))},
	})
	c.must(tariff("home", 3, 2))
	q := moduleQuery{c}
	at := q.ask(&gridv1.QueryNodeRequest{Node: "b"}).(*gridv1.QueryNodeResponse)
	if at.Node.Node != "b" || len(at.Lines) != 2 || at.Lines[0].To != "a1" || at.Lines[1].From != "a" {
		t.Errorf("node b: got %v", at)
	}
	page := q.ask(&gridv1.QueryNodesRequest{After: "a", Limit: 2}).(*gridv1.QueryNodesResponse)
	if len(page.Nodes) != 2 || page.Nodes[0].Node != "a1" || page.Nodes[1].Node != "b" {
		t.Errorf("two nodes after a: got %v", page)
	}
	if all := q.ask(&gridv1.QueryNodesRequest{}).(*gridv1.QueryNodesResponse); len(all.Nodes) != 4 {
		t.Errorf("all nodes: got %v", all)
	}
	loss := q.ask(&gridv1.QueryLossRequest{From: "a", To: "a1"}).(*gridv1.QueryLossResponse)
	if !loss.Reachable || loss.LossPpm != 30_000 || loss.LengthMm != 3_000_000 {
		t.Errorf("loss a to a1: got %v", loss)
	}
	if back := q.ask(&gridv1.QueryLossRequest{From: "a1", To: "a"}).(*gridv1.QueryLossResponse); back.Reachable {
		t.Errorf("loss a1 to a: expected none, got %v", back)
	}
	set := lastTariff(c)
	if got := q.ask(&gridv1.QueryTariffRequest{TariffClass: "home", Period: set.FromPeriod}).(*gridv1.QueryTariffResponse); got.Tariff.FeedInUcoinPerKwh != 2 {
		t.Errorf("tariff: got %v", got)
	}
	q.refuse(&gridv1.QueryTariffRequest{TariffClass: "home"}, ErrUnknownTariff)
	q.refuse(&gridv1.QueryNodeRequest{Node: "x"}, ErrUnknownNode)
	q.refuse(&gridv1.QueryLossRequest{From: "a", To: "x"}, ErrUnknownNode)
	q.refuse(&gridv1.QueryNodesRequest{After: "?"}, ErrField)
}
