package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/grid/paths"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// network is the grid as the books of one period see it, which a block clears one
// after the other: paths that one market asked for serve the next, and the lines
// carry what all of them trade. It is read once for a period and block.
type network struct {
	period int64
	paths  *paths.Paths
	fees   *paths.Fees
	// standing are the period's confirmed matches by market.
	standing map[int64][]*matchingv1.Match
	// limited: some line has a limit; flows are what matches and pre-matches of
	// the period have on the lines then.
	limited bool
	flows   []flow
}

// flow is energy of a market on the lines.
type flow struct {
	market int64
	clearing.Flow
}

// at turns to a period.
func (n *network) at(r state.Reader, period int64) {
	if n.paths != nil && n.period == period {
		return
	}
	ways := grid.PathsOf(r, registry.ParamsAt(r, period).DefaultLossPpmPerKm)
	*n = network{period: period, paths: ways, fees: grid.FeesOf(r, ways, period), limited: ways.Limited(), standing: map[int64][]*matchingv1.Match{}}
	for match := range Matches(r, period) {
		n.standing[match.Market] = append(n.standing[match.Market], match)
		n.occupy(r, match)
	}
	for match := range values(prematches.All(r, prematches.Key().Int64(period))) {
		n.occupy(r, match)
	}
}

// occupy puts a match on the lines between the connection points of its accounts.
func (n *network) occupy(r state.Reader, match *matchingv1.Match) {
	if !n.limited {
		return
	}
	from, isFrom := n.place(r, match.Seller)
	to, isTo := n.place(r, match.Buyer)
	if isFrom && isTo {
		n.flows = append(n.flows, flow{match.Market, clearing.Flow{From: from, To: to, EnergyWh: match.EnergyWh}})
	}
}

func (n *network) place(r state.Reader, account []byte) (int32, bool) {
	record, _ := registry.AccountOf(r, protocol.Address(account))
	return n.paths.Place(record.GetGridNode())
}

// zoneFee takes down what of a match's fee is that of the zones of its two nodes.
func (n *network) zoneFee(match *matchingv1.Match, seller, buyer string) {
	from, known := n.paths.Place(seller)
	to, knownTo := n.paths.Place(buyer)
	if !known || !knownTo {
		return
	}
	if fee := n.fees.Between(from, to); fee > 0 {
		match.FromZone, match.ToZone, match.ZoneFeeUcoinPerKwh = n.paths.Zone(from), n.paths.Zone(to), fee
	}
}

// beside returns what other markets have on the lines. What lapses in this block
// is on them until the next one, as if it flowed.
func (n *network) beside(market int64) (others []clearing.Flow) {
	for _, f := range n.flows {
		if f.market != market {
			others = append(others, f.Flow)
		}
	}
	return others
}
