package kproto

import "github.com/energyd/energyd/units"

// Losses answers for the losses of pairs.
type Losses interface {
	// Between returns the loss from a sell to a buy, which go by their positions
	// in the book, in ppm; false if no path leads there.
	Between(buy, sell int) (ppm int64, ok bool)
}

// LossFunc is Losses of which nothing is known but the answers.
type LossFunc func(buy, sell int) (ppm int64, ok bool)

// Between calls f.
func (f LossFunc) Between(buy, sell int) (ppm int64, ok bool) { return f(buy, sell) }

// Plane is Losses that grow with the straight distance (matching.md 2). As
// farther never loses less, a search need not look at places too far away.
type Plane struct {
	Buys, Sells []Place // one for each order, by position in the book
	PPMPerKM    int64   // 0..10^6
}

// Place is a place in the plane, in m, at most 10^9 either way, so that the
// square of a distance fits int64.
type Place struct{ X, Y int64 }

// Between returns PPMPerKM * isqrt(dx^2 + dy^2) / 1000.
func (p *Plane) Between(buy, sell int) (ppm int64, ok bool) {
	from, to := p.Sells[sell], p.Buys[buy]
	return p.over(from.X-to.X, from.Y-to.Y), true
}

// over returns the loss over a distance, at most 2.9 * 10^12 ppm. It does not
// fall as |dx| or |dy| grows.
func (p *Plane) over(dx, dy int64) int64 {
	return p.PPMPerKM * int64(units.Sqrt(uint64(dx*dx+dy*dy))) / 1000
}

// atLeast returns a loss that over does not fall below, without a root, which
// takes longer than all else in a search: a*cos(f) + b*sin(f) is at most
// sqrt(a^2 + b^2) for every angle f. With 0, 19.6 and 40.2 degrees it lies at
// most 2 % below; it does not fall as |dx| or |dy| grows either.
func (p *Plane) atLeast(dx, dy int64) int64 {
	dx, dy = max(dx, -dx), max(dy, -dy)
	a, b := max(dx, dy), min(dx, dy)
	return p.PPMPerKM * max(a, (241*a+86*b)>>8, (195*a+165*b)>>8) / 1000
}
