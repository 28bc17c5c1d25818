package simulate

import (
	"fmt"
	"io"
	"strings"

	"github.com/energyd/energyd/internal/svg"
)

// Layout of the plot, in pixels.
const (
	panelWidth, panelsPerRow = 420, 3
	labelWidth, valueWidth   = 120, 80
	barHeight, barStep       = 13, 18
	headHeight               = 30
	barWidth                 = panelWidth - labelWidth - valueWidth - 20
)

// WriteSVG draws a comparison: a panel of bars for each measure.
func (r *Report) WriteSVG(w io.Writer) error {
	rows := (len(Measures) + panelsPerRow - 1) / panelsPerRow
	panelHeight := headHeight + barStep*len(r.Mechanisms) + 20
	width, height := panelWidth*panelsPerRow+20, svg.TitleHeight+rows*panelHeight
	title := fmt.Sprintf("%s: %d buys, %d sells, mean of %d runs, seed %d", r.Draws, r.Buys, r.Sells, r.Runs, r.Seed)
	return svg.Write(w, width, height, title, func(b *strings.Builder) {
		for i, m := range Measures {
			r.panel(b, m, 20+i%panelsPerRow*panelWidth, svg.TitleHeight+i/panelsPerRow*panelHeight)
		}
	})
}

// panel draws the bars of a measure. Lengths are relative to the greatest; those
// of negative values are hollow.
func (r *Report) panel(b *strings.Builder, m Measure, x, y int) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", x, y+16, svg.Escape(m.Name))
	greatest := int64(1)
	for i := range r.Mechanisms {
		greatest = max(greatest, magnitude(m.of(&r.Mechanisms[i].Figures)))
	}
	for i := range r.Mechanisms {
		l := &r.Mechanisms[i]
		value, text := m.of(&l.Figures), m.Text(l)
		top, colour := y+headHeight+i*barStep, svg.Palette[i%len(svg.Palette)]
		length := scaled(magnitude(value), greatest)
		fill := colour
		if value < 0 {
			fill = "none"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, x+labelWidth-6, top+11, svg.Escape(l.Name))
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="%s"/>`, x+labelWidth, top, length, barHeight, fill, colour)
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", x+labelWidth+length+5, top+11, svg.Escape(text))
	}
}

func magnitude(v int64) int64 { return max(v, -v) }

// scaled returns the length of a bar of value <= greatest.
func scaled(value, greatest int64) int {
	for greatest > 1<<40 { // so that the product fits; a bar has few pixels
		value, greatest = value>>1, greatest>>1
	}
	return int(value * barWidth / greatest)
}
