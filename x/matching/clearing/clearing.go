// Package clearing clears a period's book by the mechanism of its market
// (SPEC 6): it turns orders, rules and the grid into trades within both sides'
// limits and the lines'. It knows no chain, so that whoever has the book can
// clear it again and compare (energycli audit clearing).
package clearing

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/x/grid/paths"
	"github.com/energyd/energyd/x/matching/kproto"
)

// Rules are what a book is cleared by.
type Rules struct {
	Period         int64 // Unix ms
	PeriodLengthMs int64
	// PrevAppHash is the app hash of the block before the one that clears: it
	// decides ties and who is served first.
	PrevAppHash []byte
	Params      *registryv1.Params
	Market      *matchingv1.Market
	Paths       *paths.Paths
	// Fees of the ways in Paths on top of the chain's; nil for none.
	Fees *paths.Fees
	// Of the rounds before: pairs that are not proposed again, and matches of the
	// book that stand, which use the lines.
	Declined []*matchingv1.Declined
	Standing []*matchingv1.Match
	// Beside is what other markets have on the lines in the period.
	Beside []Flow
}

// Clearing is a book laid out for a mechanism: orders with energy left in the
// order of service, whose they are, and what lies between them.
type Clearing struct {
	Sells           []*matchingv1.SellOrder
	Buys            []*matchingv1.BuyOrder
	rules           Rules
	sellers, buyers []party // of the orders
	declined        map[pair]bool
	standing        []standing
}

// party is who stands behind an order: identity and connection point are numbers
// that equal ones share.
type party struct{ identity, point int32 }

// New lays out a book of all orders of the period; those with energy left are
// cleared.
func New(rules Rules, sells []*matchingv1.SellOrder, buys []*matchingv1.BuyOrder) *Clearing {
	c := &Clearing{rules: rules}
	for _, order := range sells {
		if order.AvailableWh > 0 {
			c.Sells = append(c.Sells, order)
		}
	}
	for _, order := range buys {
		if order.OpenWh > 0 {
			c.Buys = append(c.Buys, order)
		}
	}
	sortByService(c.Sells, rules.Period, rules.PrevAppHash)
	sortByService(c.Buys, rules.Period, rules.PrevAppHash)
	identities := numbering{}
	for _, order := range c.Sells {
		c.sellers = append(c.sellers, party{identities.of(string(order.Identity)), c.point(order.GridNode)})
	}
	for _, order := range c.Buys {
		c.buyers = append(c.buyers, party{identities.of(string(order.Identity)), c.point(order.GridNode)})
	}
	c.keepOff()
	c.stand(sells, buys)
	return c
}

// sortByService orders those with priority before all others, and either by
// SHA-256(period | previous app hash | order id) (SPEC 5): nobody who orders
// knows the hash of the block before the gate.
func sortByService[O interface {
	GetId() []byte
	GetPriority() bool
}](orders []O, period int64, appHash []byte) {
	type ranked struct {
		priority bool
		rank     [sha256.Size]byte
		order    O
	}
	all := make([]ranked, len(orders))
	data := append(binary.BigEndian.AppendUint64(nil, uint64(period)), appHash...)
	for i, order := range orders {
		data = append(data[:8+len(appHash)], order.GetId()...)
		all[i] = ranked{order.GetPriority(), sha256.Sum256(data), order}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		switch {
		case a.priority != b.priority && a.priority:
			return -1
		case a.priority != b.priority:
			return 1
		}
		if by := bytes.Compare(a.rank[:], b.rank[:]); by != 0 {
			return by
		}
		return bytes.Compare(a.order.GetId(), b.order.GetId())
	})
	for i := range all {
		orders[i] = all[i].order
	}
}

// point numbers an order's connection point; kproto.None if the node was removed
// since.
func (c *Clearing) point(node string) int32 {
	place, ok := c.rules.Paths.Place(node)
	if !ok {
		return kproto.None
	}
	return place
}

// loss is what is lost between a pair, in ppm. A pair that was declined has no
// way to each other, like one without a path: so no mechanism proposes it.
func (c *Clearing) loss(buy, sell int) (ppm int64, ok bool) {
	from, to := c.sellers[sell].point, c.buyers[buy].point
	if from == kproto.None || to == kproto.None || c.haveDeclined(buy, sell) {
		return 0, false
	}
	return c.rules.Paths.LossBetween(from, to)
}

func (c *Clearing) haveDeclined(buy, sell int) bool {
	return len(c.declined) > 0 && c.declined[pair{buy, sell}]
}

// fee is what energy costs the buyer on its way on top of its price, in ucoin per
// kWh: the chain's fee, and that of the zones. Both are prices that are bounded.
func (c *Clearing) fee(buy, sell int) int64 {
	from, to := c.sellers[sell].point, c.buyers[buy].point
	if from == kproto.None || to == kproto.None {
		return c.rules.Params.FeeUcoinPerKwh
	}
	return c.rules.Params.FeeUcoinPerKwh + c.rules.Fees.Between(from, to)
}

// affords says whether the buyer can pay a price and the fee of the way.
func (c *Clearing) affords(buy, sell int, price int64) bool {
	return price+c.fee(buy, sell) <= c.Buys[buy].PriceUcoinPerKwh
}

// eligible says whether a pair may trade at all, and what is lost on its way:
// two identities, two connection points, neither declined the other, a path
// whose loss both the chain and the buyer accept.
func (c *Clearing) eligible(buy, sell int) (lossPPM int64, ok bool) {
	if !c.apart(buy, sell) {
		return 0, false
	}
	lossPPM, ok = c.loss(buy, sell)
	return lossPPM, ok && lossPPM <= c.maxLoss(c.Buys[buy])
}

// apart says whether a pair has two identities and two connection points.
func (c *Clearing) apart(buy, sell int) bool {
	b, s := c.buyers[buy], c.sellers[sell]
	return b.identity != s.identity && b.point != s.point
}

// maxLoss is the greatest loss at which an order may be served, in ppm.
func (c *Clearing) maxLoss(order *matchingv1.BuyOrder) int64 {
	if order.MaxLossPpm != nil {
		return min(*order.MaxLossPpm, c.rules.Params.MaxLossPpm)
	}
	return c.rules.Params.MaxLossPpm
}

// numbering gives equal texts equal numbers, from 0 in order of appearance.
type numbering map[string]int32

func (n numbering) of(text string) int32 {
	number, known := n[text]
	if !known {
		number = int32(len(n))
		n[text] = number
	}
	return number
}
