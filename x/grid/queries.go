package grid

import (
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/registry"
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryNode),
		module.Answer(queryNodes),
		module.Answer(queryLoss),
		module.Answer(queryTariff),
		module.Answer(queryZoneFee),
	}
}

// queryNode returns a node and the lines that touch it, those that start there
// first.
func queryNode(ctx module.QueryCtx, q *gridv1.QueryNodeRequest) (*gridv1.QueryNodeResponse, error) {
	if !HasNode(ctx.Store, q.Node) {
		return nil, ErrUnknownNode.With("node: no node %q", q.Node)
	}
	node, _ := nodes.Get(ctx.Store, nodes.Key().Name(q.Node))
	answer := &gridv1.QueryNodeResponse{Node: node}
	for _, line := range lines.All(ctx.Store, lines.Key().Name(q.Node)) {
		answer.Lines = append(answer.Lines, line)
	}
	prefix := ends.Key().Name(q.Node)
	for key := range ctx.Store.Range(prefix, nil) {
		from := key[len(prefix):]
		line, ok := lines.Get(ctx.Store, lines.Key().Bytes(from).Name(q.Node))
		if ok {
			answer.Lines = append(answer.Lines, line)
		}
	}
	return answer, nil
}

// Pages are of 100 where the request names no size, and of 1000 at most.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

func queryNodes(ctx module.QueryCtx, q *gridv1.QueryNodesRequest) (*gridv1.QueryNodesResponse, error) {
	limit := int(min(q.Limit, maxLimit))
	if limit <= 0 {
		limit = defaultLimit
	}
	from := nodes.Key()
	if q.After != "" {
		if !validName(q.After) {
			return nil, ErrField.With("after: expected the name of a node, got %q", q.After)
		}
		// A name's key is padded with zero bytes: one more byte follows it.
		from = nodes.Key().Name(q.After).Bytes([]byte{0})
	}
	answer := &gridv1.QueryNodesResponse{}
	for _, node := range nodes.From(ctx.Store, nodes.Key(), from) {
		answer.Nodes = append(answer.Nodes, node)
		if len(answer.Nodes) == limit {
			break
		}
	}
	return answer, nil
}

func queryLoss(ctx module.QueryCtx, q *gridv1.QueryLossRequest) (*gridv1.QueryLossResponse, error) {
	for _, end := range []struct{ field, node string }{{"from", q.From}, {"to", q.To}} {
		if !HasNode(ctx.Store, end.node) {
			return nil, ErrUnknownNode.With("%s: no node %q", end.field, end.node)
		}
	}
	params := registry.ParamsNow(ctx.Store, ctx.TimeMs)
	loss, length, ok := PathsOf(ctx.Store, params.DefaultLossPpmPerKm).Path(q.From, q.To)
	if !ok {
		return &gridv1.QueryLossResponse{}, nil
	}
	return &gridv1.QueryLossResponse{Reachable: true, LossPpm: loss, LengthMm: length}, nil
}

func queryTariff(ctx module.QueryCtx, q *gridv1.QueryTariffRequest) (*gridv1.QueryTariffResponse, error) {
	period := orPresent(ctx, q.Period)
	tariff, ok := TariffAt(ctx.Store, q.TariffClass, period)
	if !ok {
		return nil, ErrUnknownTariff.With("tariff_class: no tariff of class %q rules period %d", q.TariffClass, period)
	}
	return &gridv1.QueryTariffResponse{Tariff: tariff}, nil
}

func queryZoneFee(ctx module.QueryCtx, q *gridv1.QueryZoneFeeRequest) (*gridv1.QueryZoneFeeResponse, error) {
	fee := &gridv1.ZoneFee{FromZone: q.FromZone, ToZone: q.ToZone}
	if err := checkZoneFee(fee); err != nil {
		return nil, ErrField.With("%v", err)
	}
	return &gridv1.QueryZoneFeeResponse{Fee: zoneFeeAt(ctx.Store, q.FromZone, q.ToZone, orPresent(ctx, q.Period))}, nil
}

// orPresent returns a period, for 0 the present one.
func orPresent(ctx module.QueryCtx, period int64) int64 {
	if period == 0 {
		return registry.PeriodOf(ctx.Store, ctx.TimeMs)
	}
	return period
}
