package simulate

import (
	"fmt"
	"io"
	"strings"
)

// Layout of the plot, in pixels.
const (
	panelWidth, panelsPerRow = 420, 3
	labelWidth, valueWidth   = 120, 80
	barHeight, barStep       = 13, 18
	headHeight, titleHeight  = 30, 60
	barWidth                 = panelWidth - labelWidth - valueWidth - 20
)

// palette is that of Okabe and Ito, which people with any kind of colour
// blindness can tell apart; names stand beside all bars nevertheless.
var palette = []string{"#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#666666", "#BBBBBB"}

// WriteSVG draws a comparison: a panel of bars for each measure.
func (r *Report) WriteSVG(w io.Writer) error {
	rows := (len(Measures) + panelsPerRow - 1) / panelsPerRow
	panelHeight := headHeight + barStep*len(r.Mechanisms) + 20
	width, height := panelWidth*panelsPerRow+20, titleHeight+rows*panelHeight
	var b strings.Builder
	title := fmt.Sprintf("%s: %d buys, %d sells, mean of %d runs, seed %d", r.Draws, r.Buys, r.Sells, r.Runs, r.Seed)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", escape(title))
	fmt.Fprintf(&b, `<text x="20" y="32" font-size="18">%s</text>`+"\n", escape(title))
	for i, m := range Measures {
		r.panel(&b, m, 20+i%panelsPerRow*panelWidth, titleHeight+i/panelsPerRow*panelHeight)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// panel draws the bars of a measure. Lengths are relative to the greatest; those
// of negative values are hollow.
func (r *Report) panel(b *strings.Builder, m Measure, x, y int) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", x, y+16, escape(m.Name))
	greatest := int64(1)
	for i := range r.Mechanisms {
		greatest = max(greatest, magnitude(m.of(&r.Mechanisms[i].Figures)))
	}
	for i := range r.Mechanisms {
		l := &r.Mechanisms[i]
		value, text := m.of(&l.Figures), m.Text(l)
		top, colour := y+headHeight+i*barStep, palette[i%len(palette)]
		length := scaled(magnitude(value), greatest)
		fill := colour
		if value < 0 {
			fill = "none"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, x+labelWidth-6, top+11, escape(l.Name))
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="%s"/>`, x+labelWidth, top, length, barHeight, fill, colour)
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", x+labelWidth+length+5, top+11, escape(text))
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

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace
