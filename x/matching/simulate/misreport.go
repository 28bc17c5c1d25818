package simulate

import (
	"fmt"

	"github.com/energyd/energyd/x/matching/book"
)

// Shades are by how many per cent a seller changes its ask.
var Shades = []int64{-20, -10, 10, 20, 40}

// Misreport is what a seller gains by asking for something else than it costs
// it, the others doing as they do.
type Misreport struct {
	Books int             `json:"books"`
	Size  int             `json:"size"` // orders on each side
	Seed  uint64          `json:"seed"`
	Lines []MisreportLine `json:"mechanisms"`
}

// MisreportLine is a mechanism's part, in ucoin in the mean over all books.
type MisreportLine struct {
	Name        string `json:"name"`
	HonestUcoin int64  `json:"honest_ucoin"` // the seller's surplus with an honest ask
	// GainsUcoin are what its surplus grows by, by Shades.
	GainsUcoin []int64 `json:"gains_ucoin"`
	// GainingPPM are the shares of books in which it gains.
	GainingPPM []int64 `json:"gaining_ppm"`
}

// misreported are the mechanisms that RunMisreport compares: the published rules
// as they are and with limits, and the market's own.
var misreported = []string{"kprototypes", "kprototypes-limit", "cmap", "cmap-limit", "welfare", "auction"}

// RunMisreport draws books of S3 4.4 with so many orders on each side and lets
// the first seller of each shade its ask. Errors are those of Run.
func RunMisreport(books, size int, seed uint64) (*Misreport, error) {
	if books < 1 {
		return nil, fmt.Errorf("runs: expected 1 or more, got %d", books)
	}
	draw, err := NewDraw(S3Ch4, size, size)
	if err != nil {
		return nil, err
	}
	variants, err := choose(draw.Variants(), misreported)
	if err != nil {
		return nil, err
	}
	out := &Misreport{Books: books, Size: size, Seed: seed}
	for _, v := range variants {
		out.Lines = append(out.Lines, MisreportLine{Name: v.Name, GainsUcoin: make([]int64, len(Shades)), GainingPPM: make([]int64, len(Shades))})
	}
	r := newRandom(seed)
	for range books {
		buys, sells, err := draw.Orders(r)
		if err != nil {
			return nil, err
		}
		for i, v := range variants {
			if err := out.Lines[i].add(v, buys, sells); err != nil {
				return nil, err
			}
		}
	}
	n := int64(books)
	for i := range out.Lines {
		l := &out.Lines[i]
		l.HonestUcoin /= n
		for k := range Shades {
			l.GainsUcoin[k] /= n
			l.GainingPPM[k] = l.GainingPPM[k] * 1_000_000 / n
		}
	}
	return out, nil
}

// add adds what the first seller of a book gets by each ask. A book's surplus is
// at most some 10^9 ucoin, so that sums fit.
func (l *MisreportLine) add(v Variant, buys, sells []book.Order) error {
	cost := sells[0].Price
	honest, err := surplus(v, buys, sells, cost)
	if err != nil {
		return err
	}
	l.HonestUcoin += honest
	for k, shade := range Shades {
		changed := append([]book.Order(nil), sells...)
		changed[0].Price = cost * (100 + shade) / 100
		got, err := surplus(v, buys, changed, cost)
		if err != nil {
			return err
		}
		l.GainsUcoin[k] += got - honest
		if got > honest {
			l.GainingPPM[k]++
		}
	}
	return nil
}

// surplus clears and returns what the first seller gets above its cost per kWh.
func surplus(v Variant, buys, sells []book.Order, cost int64) (ucoin int64, err error) {
	r, err := clear(v, buys, sells)
	if err != nil {
		return 0, err
	}
	for _, t := range r.Trades {
		if t.Sell == sells[0].ID {
			ucoin += amount(t.Price-cost, t.EnergyWh)
		}
	}
	return ucoin, nil
}
