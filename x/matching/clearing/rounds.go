package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/capacity"
)

// pair names a buy and a sell by their places in the clearing.
type pair struct{ buy, sell int }

// standing is a match of a round before: where its energy flows, and what its
// bid exceeds its ask by.
type standing struct {
	from, to int32
	energyWh int64
	gain     int64 // ucoin per kWh
}

// keepOff finds the places of the pairs that are not proposed again. Pairs whose
// orders have nothing left do not matter any more.
func (c *Clearing) keepOff() {
	if len(c.rules.Declined) == 0 {
		return
	}
	buys, sells := map[string]int{}, map[string]int{}
	for i, order := range c.Buys {
		buys[string(order.Id)] = i
	}
	for i, order := range c.Sells {
		sells[string(order.Id)] = i
	}
	c.declined = map[pair]bool{}
	for _, d := range c.rules.Declined {
		buy, hasBuy := buys[string(d.BuyOrder)]
		sell, hasSell := sells[string(d.SellOrder)]
		if hasBuy && hasSell {
			c.declined[pair{buy, sell}] = true
		}
	}
}

// stand looks up what the matches that stand leave of the lines and add to the
// surplus.
func (c *Clearing) stand(sells []*matchingv1.SellOrder, buys []*matchingv1.BuyOrder) {
	if len(c.rules.Standing) == 0 {
		return
	}
	sold, bid := map[string]*matchingv1.SellOrder{}, map[string]*matchingv1.BuyOrder{}
	for _, order := range sells {
		sold[string(order.Id)] = order
	}
	for _, order := range buys {
		bid[string(order.Id)] = order
	}
	for _, match := range c.rules.Standing {
		sell, buy := sold[string(match.SellOrder)], bid[string(match.BuyOrder)]
		if sell == nil || buy == nil {
			continue // of another book
		}
		c.standing = append(c.standing, standing{
			from: c.point(sell.GridNode), to: c.point(buy.GridNode), energyWh: match.EnergyWh,
			gain: buy.PriceUcoinPerKwh - sell.PriceUcoinPerKwh,
		})
	}
}

// Flow is energy on its way between two nodes, by their places in the Paths.
type Flow struct {
	From, To int32
	EnergyWh int64 // at the seller's meter
}

// load puts the matches that stand and those of other markets on the lines.
func (c *Clearing) load(feeder *capacity.Feeder) error {
	var flows []capacity.Trade
	for _, f := range c.rules.Beside {
		flows = append(flows, capacity.Trade{From: int(f.From), To: int(f.To), EnergyWh: f.EnergyWh})
	}
	for _, s := range c.standing {
		if s.from >= 0 && s.to >= 0 { // else the node was removed since
			flows = append(flows, capacity.Trade{From: int(s.from), To: int(s.to), EnergyWh: s.energyWh})
		}
	}
	return feeder.Load(flows)
}

// standingSurplus is what bids exceed asks by over the matches that stand, in
// ucoin.
func (c *Clearing) standingSurplus() (total int64, err error) {
	for _, s := range c.standing {
		gain, err := units.Amount(s.gain, s.energyWh)
		if err != nil {
			return 0, err
		}
		if total, err = units.Add(total, gain); err != nil {
			return 0, err
		}
	}
	return total, nil
}
