package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/grid/paths"
	"github.com/energyd/energyd/x/matching/clearing"
)

// errNoData is returned where the chain, or the node that was asked, has nothing
// of what is asked for.
var errNoData = errors.New("not on the chain, or no longer at this node")

// gathered is a period's market as blocks and state tell it, with all that is
// needed to clear its book again.
type gathered struct {
	trading *client.Trading
	// rules are those of the period; each round adds its own.
	rules  clearing.Rules
	rounds []round
	// remark says what had to be taken from another height than the clearing's.
	remark string
}

// round is the clearing of a round with the rules that it was made by.
type round struct {
	*client.Clearing
	rules clearing.Rules
	// certificate is nil where there is none, or none any more.
	certificate *matchingv1.Certificate
}

// readBook reads the flags --period and --market of a command that has them.
func (l *link) readBook(cmd *cobra.Command, all []leaf) (period, market int64, err error) {
	asked := new(matchingv1.QueryBookRequest)
	if _, err := l.reader().apply(cmd.Flags(), all, asked); err != nil {
		return 0, 0, err
	}
	return asked.Period, asked.Market, nil
}

// trading reads what blocks say of a market's book of a period. Period and
// parameters go into the rules by which it was, or will be, cleared.
func (l *link) trading(period, number int64) (*gathered, error) {
	params, market := new(registryv1.QueryParamsResponse), new(matchingv1.QueryMarketResponse)
	if _, err := l.Query(l.ctx, &registryv1.QueryParamsRequest{Period: period}, params, 0); err != nil {
		return nil, err
	}
	if length := params.Chain.GetPeriodLengthMs(); period <= 0 || period%length != 0 {
		return nil, usage("--period: expected the start of a period such as %s, got %s", units.FormatTime(period-period%length), units.FormatTime(period))
	}
	if _, err := l.Query(l.ctx, &matchingv1.QueryMarketRequest{Period: period, Market: number}, market, 0); err != nil {
		return nil, err
	}
	p := params.Params
	found, err := l.Trading(l.ctx, period, number, period-p.GateLeadMs-p.OrderHorizonMs)
	if err != nil {
		return nil, err
	}
	if len(found.Sells)+len(found.Buys)+len(found.Seals) == 0 {
		return nil, fmt.Errorf("orders for the period %s in market %d: %w", units.FormatTime(period), number, errNoData)
	}
	return &gathered{trading: found, rules: clearing.Rules{
		Period: period, PeriodLengthMs: params.Chain.PeriodLengthMs, Params: p, Market: market.Entry.Market,
	}}, nil
}

// gather reads all that is needed to clear a period's book again.
func (l *link) gather(period, market int64) (*gathered, error) {
	g, err := l.trading(period, market)
	if err != nil {
		return nil, err
	}
	if len(g.trading.Clearings) == 0 {
		return nil, fmt.Errorf("a clearing of the period %s, which was %s: %w", units.FormatTime(period), g.uncleared(), errNoData)
	}
	return g, l.prepare(g)
}

// uncleared says why a period has no clearing.
func (g *gathered) uncleared() string {
	switch {
	case g.trading.Failed != "":
		return "not cleared: " + g.trading.Failed
	case g.trading.Final.GetMissed():
		return "not cleared, as no block came between its gate and its start"
	case g.trading.Final == nil && (len(g.trading.Cancelled) < len(g.trading.Sells)+len(g.trading.Buys) || g.sealed()):
		return "not cleared yet"
	}
	return "not cleared, as all orders were cancelled"
}

// sealed says whether some order still is.
func (g *gathered) sealed() bool {
	for _, seal := range g.trading.Seals {
		if seal == client.Sealed {
			return true
		}
	}
	return false
}

// prepare adds to a market the rules of its rounds: the hash that decided ties,
// from a header whose signatures it checks, grid and certificate.
func (l *link) prepare(g *gathered) error {
	for _, found := range g.trading.Clearings {
		decides := found.Height
		if g.trading.Revealing > 0 { // the hash was fixed before orders were revealed
			decides = g.trading.Revealing
		}
		header, err := proof.FetchHeader(l.ctx, l.Client, decides)
		if err != nil {
			return err
		}
		if err := header.Verify(l.chainID); err != nil {
			return err
		}
		r := round{Clearing: found, rules: g.rules}
		r.rules.PrevAppHash, r.rules.Declined, r.rules.Standing = header.Signed.AppHash, found.Declined, found.Standing
		if err := l.putOnGrid(g, &r); err != nil {
			return err
		}
		if r.certificate, err = l.certificate(found); err != nil {
			return err
		}
		g.rounds = append(g.rounds, r)
	}
	return nil
}

// putOnGrid adds to a round the ways, their fees and what other markets had on the
// lines, as they were at its height, or else of now.
func (l *link) putOnGrid(g *gathered, r *round) error {
	height := r.Height
	nodes, lines, err := l.Grid(l.ctx, height)
	if is[*client.Rejected](err) {
		g.remark = fmt.Sprintf("the node no longer has the state of height %d: the grid is that of now, which may have changed since", height)
		height = 0
		nodes, lines, err = l.Grid(l.ctx, height)
	}
	if err != nil {
		return err
	}
	zones, fees, err := l.ZoneFees(l.ctx, nodes, r.rules.Period, height)
	if err != nil {
		return err
	}
	ways := paths.New(nodes, lines, r.rules.Params.DefaultLossPpmPerKm)
	r.rules.Paths, r.rules.Fees = ways, ways.Fees(zones, func(from, to int) int64 { return fees[from][to] })
	for _, flow := range r.Beside {
		from, isFrom := ways.Place(flow.From)
		to, isTo := ways.Place(flow.To)
		if isFrom && isTo {
			r.rules.Beside = append(r.rules.Beside, clearing.Flow{From: from, To: to, EnergyWh: flow.EnergyWh})
		}
	}
	return nil
}

// certificate reads that of a round, nil where there is none any more: settlement
// may have closed the book since.
func (l *link) certificate(found *client.Clearing) (*matchingv1.Certificate, error) {
	request := &matchingv1.QueryCertificateRequest{Period: found.Book.Period, Market: found.Book.Market, Round: found.Book.Round}
	for _, at := range []int64{found.Height, 0} {
		answer := new(matchingv1.QueryCertificateResponse)
		_, err := l.Query(l.ctx, request, answer, at)
		if err == nil {
			return answer.Certificate, nil
		}
		if !is[*client.Rejected](err) {
			return nil, err
		}
	}
	return nil, nil
}
