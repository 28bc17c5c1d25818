package allocation

import "slices"

// Trade is energy that one buy takes from one sell.
type Trade struct {
	Buy, Sell int   // positions
	EnergyWh  int64 // at the seller's meter
}

// Pairing is an allocation as trades, and what of it found no partner.
type Pairing struct {
	Trades           []Trade // by position of the buy, then of the sell
	Unbought, Unsold []int64 // Wh by position; both sum to the same
}

// Pair assigns what the buys were given to what the sells were, by the northwest
// corner: each buy in turn takes from the sells in turn. It passes over sells
// that eligible refuses (same identity, same connection point, no path).
//
// If every pair is eligible, nothing stays unpaired. Otherwise no two orders
// stay unpaired that may trade with each other, so what is paired is at least
// half of the most that any pairing of this allocation reaches; the rest may
// have been lost to the order of service. Where few pairs are refused eligible
// is asked about once per trade, at worst once per pair.
func (a *Allocation) Pair(eligible func(buy, sell int) bool) Pairing {
	p := Pairing{Unbought: slices.Clone(a.Bought), Unsold: slices.Clone(a.Sold)}
	// next leads from each sell with energy left to the next such sell, and
	// from the place before the first, the last element, to the first.
	none := len(a.Sold)
	next := make([]int, none+1)
	last := none
	for s, energy := range a.Sold {
		if energy > 0 {
			next[last], last = s, s
		}
	}
	next[last] = none
	for b := range p.Unbought {
		before := none
		for s := next[none]; s != none && p.Unbought[b] > 0; s = next[s] {
			if !eligible(b, s) {
				before = s
				continue
			}
			energy := min(p.Unbought[b], p.Unsold[s])
			p.Trades = append(p.Trades, Trade{b, s, energy})
			p.Unbought[b] -= energy
			p.Unsold[s] -= energy
			if p.Unsold[s] == 0 {
				next[before] = next[s]
			}
		}
	}
	return p
}

// Reason says why energy of an order did not trade.
type Reason uint8

const (
	// NothingTraded says that no two orders' limits met, or that one
	// side had no orders.
	NothingTraded Reason = iota + 1
	// BeyondLimit says that the price is above what the buy pays or below what the sell
	// takes.
	BeyondLimit
	// Rationed says that the other side's energy did not suffice at this price,
	// and this is what the order's share left.
	Rationed
	// Unpaired says that the order was given the energy, but no eligible partner
	// had any left.
	Unpaired
)

var reasons = [...]string{"unknown", "nothing traded", "beyond its limit", "rationed", "no eligible partner"}

func (r Reason) String() string {
	if int(r) >= len(reasons) {
		r = 0
	}
	return reasons[r]
}

// Rest is energy of an order that did not trade.
type Rest struct {
	At       int // position
	EnergyWh int64
	Reason   Reason
}

// Rests lists by position what of each order did not trade, and why: traded and
// unpaired energy and all rests of an order make its energy. An order that was
// rationed and did not find partners for all of its share has two. fee and
// orders are those the allocation was made of, p is its pairing.
func (a *Allocation) Rests(fee int64, buys, sells []Order, p Pairing) (ofBuys, ofSells []Rest) {
	ofBuys = a.rests(buys, a.Bought, p.Unbought, func(bid int64) bool { return bid-fee >= a.Price })
	ofSells = a.rests(sells, a.Sold, p.Unsold, func(ask int64) bool { return ask <= a.Price })
	return ofBuys, ofSells
}

func (a *Allocation) rests(orders []Order, given, unpaired []int64, within func(limit int64) bool) []Rest {
	var list []Rest
	for i, o := range orders {
		if short := o.EnergyWh - given[i]; short > 0 {
			reason := Rationed
			switch {
			case a.EnergyWh == 0:
				reason = NothingTraded
			case !within(o.Price):
				reason = BeyondLimit
			}
			list = append(list, Rest{i, short, reason})
		}
		if unpaired[i] > 0 {
			list = append(list, Rest{i, unpaired[i], Unpaired})
		}
	}
	return list
}
