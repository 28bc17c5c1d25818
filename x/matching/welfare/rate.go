package welfare

import "github.com/energyd/energyd/x/matching/cmap"

// Rate rates a book as its solver sees it. Errors are those of Clear.
func Rate(p Params, buys []cmap.Buy, sells []cmap.Sell, link func(buy, sell int) Link) (*cmap.Rated, error) {
	b, err := newBook(p, buys, sells, link)
	if err != nil {
		return nil, err
	}
	rated := &cmap.Rated{Buyers: make([]int64, len(b.ofBuyer)), Sellers: make([]int64, len(b.ofSeller)), Problem: b.problem}
	for at := range b.ofBuyer {
		rated.Buyers[at], rated.Sellers[at] = int64(b.ofBuyer[at]), int64(b.ofSeller[at])
	}
	return rated, nil
}
