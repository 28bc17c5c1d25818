package svg

import (
	"fmt"
	"strings"
)

// Size of a chart, in pixels.
const (
	ChartWidth  = 900
	ChartHeight = 240
)

// Layout of a chart, in pixels. Left of the plot are the values, right of it the
// names of the lines.
const (
	plotLeft, plotRight   = 110, 190
	plotTop, plotBottom   = 30, 40
	plotWidth, plotHeight = ChartWidth - plotLeft - plotRight, ChartHeight - plotTop - plotBottom
	mostTicks             = 6
)

// Point is a point of a line. After a gap a line begins anew.
type Point struct {
	X, Y int64
	Gap  bool
}

// Line is a line of a chart. One without points is left out.
type Line struct {
	Name, Colour string
	Points       []Point
}

// Chart is lines over one axis.
type Chart struct {
	Title, Across string // of the chart, and of its axis
	X, Y          func(int64) string
	Lines         []Line
	Mark          int64 // where on the axis a vertical line stands, if it has a name; the axis reaches it
	MarkName      string
}

// Draw adds the chart with its left upper corner at x, y.
func (c *Chart) Draw(b *strings.Builder, x, y int) {
	across, up, ok := c.ranges()
	if !ok {
		return
	}
	fmt.Fprintf(b, `<g transform="translate(%d,%d)">`+"\n", x, y)
	fmt.Fprintf(b, `<text x="%d" y="16" font-weight="bold">%s</text>`+"\n", plotLeft, Escape(c.Title))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft+plotWidth, ChartHeight-6, Escape(c.Across))
	for _, v := range across.ticks() {
		at := plotLeft + across.share(v)*plotWidth
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#EEEEEE"/>`, at, plotTop, at, plotTop+plotHeight)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", at, plotTop+plotHeight+16, Escape(c.X(v)))
	}
	for _, v := range up.ticks() {
		at := plotTop + (1-up.share(v))*plotHeight
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#EEEEEE"/>`, plotLeft, at, plotLeft+plotWidth, at)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", plotLeft-6, at+4, Escape(c.Y(v)))
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999999"/>`+"\n", plotLeft, plotTop, plotWidth, plotHeight)
	c.drawMark(b, across)
	c.drawLines(b, across, up)
	b.WriteString("</g>\n")
}

func (c *Chart) drawMark(b *strings.Builder, across span) {
	if c.MarkName == "" {
		return
	}
	at := plotLeft + across.share(c.Mark)*plotWidth
	fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="black" stroke-dasharray="4 3"/>`, at, plotTop, at, plotTop+plotHeight)
	fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`+"\n", at+4, plotTop+12, Escape(c.MarkName))
}

func (c *Chart) drawLines(b *strings.Builder, across, up span) {
	named := 0
	for _, l := range c.Lines {
		if len(l.Points) == 0 {
			continue
		}
		fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="2" d="`, l.Colour)
		for i, p := range l.Points {
			command := "L"
			if i == 0 || p.Gap {
				command = "M"
			}
			fmt.Fprintf(b, "%s%.1f %.1f", command, plotLeft+across.share(p.X)*plotWidth, plotTop+(1-up.share(p.Y))*plotHeight)
		}
		top := plotTop + 12 + 18*named
		fmt.Fprintf(b, `"/><rect x="%d" y="%d" width="14" height="4" fill="%s"/>`, plotLeft+plotWidth+12, top-6, l.Colour)
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", plotLeft+plotWidth+32, top, Escape(l.Name))
		named++
	}
}

// ranges returns what the axes span: all points, the mark, a value of 0 and, so
// that no line runs through the mark's name, some room above. ok is false if there
// are no points.
func (c *Chart) ranges() (across, up span, ok bool) {
	across = span{c.Mark, c.Mark}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			across = span{min(across.low, p.X), max(across.high, p.X)}
			up = span{min(up.low, p.Y), max(up.high, p.Y)}
			ok = true
		}
	}
	up.high += int64(up.length() / 12)
	return across, up, ok
}

// span is the range of an axis.
type span struct{ low, high int64 }

func (s span) length() float64 { return max(1, float64(s.high)-float64(s.low)) }

// share returns where in the span a value lies, 0 to 1.
func (s span) share(v int64) float64 { return (float64(v) - float64(s.low)) / s.length() }

// ticks returns round numbers within the span, at most mostTicks.
func (s span) ticks() (list []int64) {
	step, next := 1.0, 0
	for factors := []float64{2, 2.5, 2}; s.length()/step > mostTicks-1; next++ { // 1, 2, 5, 10
		step *= factors[next%3]
	}
	for v := float64(int64(float64(s.low)/step)) * step; v <= float64(s.high) && v < 1<<62; v += step {
		if v >= float64(s.low) {
			list = append(list, int64(v))
		}
	}
	return list
}
