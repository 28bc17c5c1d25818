package kproto

import "math"

// search looks for the sells of one buy.
type search struct {
	*tree
	b          int
	buy        *Buy
	demand     int64 // what it still wants
	maxAsk     int64
	maxLoss    int64 // ppm
	wantedLoss int64 // scaled
	place      Place // in the plane, if there is one
	best       found
}

// found is an eligible sell.
type found struct {
	d       int64
	lossPPM int64
	sell    int32
	offer   int // its place in the tree
	leaf    int
}

func newSearch(t *tree, b int, buy *Buy) search {
	s := search{tree: t, b: b, buy: buy, demand: buy.EnergyWh, maxAsk: math.MaxInt64}
	if t.p.RespectLimits {
		s.maxAsk = buy.Price - t.p.Fee
	}
	s.maxLoss = MaxRanges * t.p.RangeLossPPM
	if buy.MaxLossPPM >= 0 {
		s.maxLoss = min(s.maxLoss, buy.MaxLossPPM)
	}
	s.wantedLoss = t.loss.scaled(buy.WantedLossPPM)
	if t.plane != nil {
		s.place = t.plane.Buys[b]
	}
	return s
}

// nearest returns the eligible sell of least dissimilarity.
func (s *search) nearest() (nearest found, ok bool) {
	s.best = found{d: math.MaxInt64, sell: -1}
	s.visit(1)
	return s.best, s.best.sell >= 0
}

// improves says whether a sell would be taken instead of the best so far.
func (s *search) improves(d int64, sell int32) bool {
	return d < s.best.d || d == s.best.d && sell < s.best.sell
}

// visit searches below a node, first where the better sells may be.
func (s *search) visit(n int) {
	if n >= s.leaves {
		s.compare(n)
		return
	}
	near, far := 2*n, 2*n+1
	dNear, dFar := s.least(near), s.least(far)
	if dFar < dNear || dFar == dNear && s.nodes[far].first < s.nodes[near].first {
		near, far, dNear, dFar = far, near, dFar, dNear
	}
	if s.improves(dNear, s.nodes[near].first) {
		s.visit(near)
	}
	if s.improves(dFar, s.nodes[far].first) {
		s.visit(far)
	}
}

// least returns a dissimilarity that no eligible sell below a node falls below:
// that of the nearest point of its box. It is MaxInt64 if none can be taken.
func (s *search) least(n int) int64 {
	box, w := &s.nodes[n], &s.buy.Weights
	if box.first == nobody || box.low[price] > s.maxAsk {
		return math.MaxInt64
	}
	d := w.Price*square(s.price.scaled(box.gap(price, s.buy.Price))) +
		w.Energy*square(s.energy.scaled(box.gap(energy, s.demand))) +
		w.Environment*square(box.gap(environment, s.buy.Environment)*Q) +
		w.Credit*square(s.credit.scaled(box.gap(credit, s.buy.Credit)))
	if box.types&typeBit(s.buy.EnergyType) == 0 {
		d += w.EnergyType * Q * Q
	}
	if s.plane == nil || d > s.best.d {
		return d
	}
	return s.leastOver(box, d)
}

// leastOver adds the term of the loss to a dissimilarity d.
func (s *search) leastOver(box *node, d int64) int64 {
	near := s.plane.atLeast(box.gap(eastward, s.place.X), box.gap(northward, s.place.Y))
	if near > s.maxLoss {
		return math.MaxInt64
	}
	off := s.loss.scaled(near) - s.wantedLoss
	if off < 0 { // perhaps the farthest place still loses less than is wanted
		far := s.plane.over(box.reach(eastward, s.place.X), box.reach(northward, s.place.Y))
		off = max(0, s.wantedLoss-s.loss.scaled(min(far, s.maxLoss)))
	}
	return d + s.buy.Weights.Loss*square(off)
}

// gap returns how far a value lies from the nearest one of a box.
func (box *node) gap(attribute int, value int64) int64 {
	return max(box.low[attribute]-value, value-box.high[attribute], 0)
}

// reach returns how far a value lies from the farthest one of a box.
func (box *node) reach(attribute int, value int64) int64 {
	return max(value-box.low[attribute], box.high[attribute]-value)
}

// compare compares the sells of a leaf. What is quick to find out comes first.
func (s *search) compare(leaf int) {
	w := &s.buy.Weights
	start := s.start(leaf - s.leaves)
	live := s.offers[start : start+int(s.nodes[leaf].live)]
	for i := range live {
		o := &live[i]
		if o.at[price] > s.maxAsk {
			continue
		}
		d := w.Price*square(s.price.scaled(s.buy.Price-o.at[price])) +
			w.Energy*square(s.energy.scaled(s.demand-o.at[energy])) +
			w.Environment*square((s.buy.Environment-o.at[environment])*Q) +
			w.Credit*square(s.credit.scaled(s.buy.Credit-o.at[credit]))
		if s.buy.EnergyType != o.energyType {
			d += w.EnergyType * Q * Q
		}
		if !s.improves(d, o.sell) || sameParty(s.buy, &s.sells[o.sell]) {
			continue
		}
		loss, ok := s.lossFrom(o, d)
		if !ok || loss < 0 || loss > s.maxLoss {
			continue
		}
		if d += w.Loss * square(s.wantedLoss-s.loss.scaled(loss)); s.improves(d, o.sell) {
			s.best = found{d, loss, o.sell, start + i, leaf}
		}
	}
}

// lossFrom returns the loss from a sell that without it has dissimilarity d,
// false if there is no path or the sell is surely not the best.
func (s *search) lossFrom(o *offer, d int64) (ppm int64, ok bool) {
	if s.plane == nil {
		return s.losses.Between(s.b, int(o.sell))
	}
	dx, dy := s.place.X-o.at[eastward], s.place.Y-o.at[northward]
	ppm = s.plane.atLeast(dx, dy)
	if ppm > s.maxLoss {
		return 0, false
	}
	if off := s.loss.scaled(ppm) - s.wantedLoss; off > 0 && !s.improves(d+s.buy.Weights.Loss*square(off), o.sell) {
		return 0, false
	}
	return s.plane.over(dx, dy), true
}

func sameParty(buy *Buy, sell *Sell) bool {
	return buy.Identity != None && buy.Identity == sell.Identity || buy.Point != None && buy.Point == sell.Point
}
