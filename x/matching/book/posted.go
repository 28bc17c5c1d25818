package book

import (
	"fmt"
	"strconv"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/allocation"
	"github.com/energyd/energyd/x/matching/posted"
)

// Posted is a price that the aggregator posts for the period (SPEC 6.6): given,
// or set by the ratio of supply to demand between the grid's prices. Those who
// accept it trade, the side that has more is rationed.
type Posted struct {
	Price        *int64 `json:"price,omitempty"` // ucoin per kWh; or else
	Retail       *int64 `json:"retail,omitempty"`
	FeedIn       *int64 `json:"feed_in,omitempty"`
	Fee          int64  `json:"fee,omitempty"`             // ucoin per kWh on top of the price
	LossPPMPerKM int64  `json:"loss_ppm_per_km,omitempty"` // for the statistics; left out: no loss
}

// Name returns "posted".
func (Posted) Name() string { return "posted" }

func (p Posted) terms() terms { return terms{p.Fee, p.LossPPMPerKM} }

func (Posted) needs() (ofBuys, ofSells []string) { return nil, nil }

// atPrice is a book that is cleared at a posted price.
type atPrice struct {
	*priced
	price int64
}

func (p Posted) prepare(b *Book) (solver, *mistake) {
	s, m := b.price()
	if m != nil {
		return nil, m
	}
	price, m := p.posted(s)
	return &atPrice{s, price}, m
}

// posted returns the price that is given or that follows from the ratio.
func (p Posted) posted(s *priced) (int64, *mistake) {
	switch {
	case p.Price != nil && (p.Retail != nil || p.FeedIn != nil):
		return 0, &mistake{field: "params.price", expected: "either price or retail and feed_in", got: "both"}
	case p.Price != nil:
		return *p.Price, mistakeOf("params.", allocation.CheckPrice("price", *p.Price))
	case p.Retail == nil && p.FeedIn == nil:
		return 0, missing("params.price")
	case p.Retail == nil:
		return 0, missing("params.retail")
	case p.FeedIn == nil:
		return 0, missing("params.feed_in")
	case *p.FeedIn < 0 || *p.FeedIn > *p.Retail:
		return 0, &mistake{field: "params.feed_in", expected: "0 to the retail price " + strconv.FormatInt(*p.Retail, 10), got: strconv.FormatInt(*p.FeedIn, 10)}
	}
	price, err := posted.RatioPrice(*p.Retail, *p.FeedIn, sum(s.sells), sum(s.buys))
	if err != nil { // unreachable while the cases above say what RatioPrice refuses
		return 0, &mistake{field: "params", expected: "prices that make a ratio price", got: err.Error()}
	}
	return price, nil
}

// sum returns the energy of orders that allocation.Check has passed.
func sum(orders []allocation.Order) (total int64) {
	for _, o := range orders {
		total += o.EnergyWh
	}
	return total
}

func (s *atPrice) clear() (*clearing, error) {
	a, err := posted.Clear(s.price, s.fee, s.buys, s.sells)
	if err != nil {
		return nil, err
	}
	return s.clearing(s.price, pairs(a), s.verifyRationed), nil
}

// verifyRationed checks that those who accept the price trade all that the
// scarcer side has, each in proportion but for less than a Wh.
func (s *atPrice) verifyRationed(price int64, deals []deal) error {
	bought, sold, total := s.traded(deals)
	demand := s.accepting(s.buys, func(limit int64) bool { return limit-s.fee >= price })
	supply := s.accepting(s.sells, func(limit int64) bool { return limit <= price })
	if want := min(sum(demand), sum(supply)); total != want {
		return fmt.Errorf("%d Wh trade, expected %d", total, want)
	}
	if err := inProportion("buy", demand, bought, total); err != nil {
		return err
	}
	return inProportion("sell", supply, sold, total)
}

// accepting returns the orders with no energy for those who do not accept.
func (s *atPrice) accepting(orders []allocation.Order, accepts func(limit int64) bool) []allocation.Order {
	out := make([]allocation.Order, len(orders))
	for i, o := range orders {
		if accepts(o.Price) {
			out[i] = o
		}
	}
	return out
}

func inProportion(kind string, orders []allocation.Order, got []int64, total int64) error {
	all := max(sum(orders), 1)
	for i, o := range orders {
		share, err := units.MulDiv(o.EnergyWh, total, all)
		if err != nil {
			return err
		}
		if got[i] < share || got[i] > share+1 {
			return fmt.Errorf("%s %d trades %d Wh, expected %d or one more", kind, i, got[i], share)
		}
	}
	return nil
}
