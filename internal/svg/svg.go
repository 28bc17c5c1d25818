// Package svg draws the plots of the command line: the frame that they have in
// common, and charts of lines. It exists so that plots look alike and need no
// library; what it writes is for eyes only.
package svg

import (
	"fmt"
	"io"
	"strings"
)

// Palette is that of Okabe and Ito, which people with any kind of colour
// blindness can tell apart. Names stand beside what is coloured nevertheless.
var Palette = []string{"#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#666666", "#BBBBBB"}

// TitleHeight is what a picture's title takes, in pixels.
const TitleHeight = 60

// Write writes a picture of a width and height in pixels with a title above what
// draw adds.
func Write(w io.Writer, width, height int, title string, draw func(b *strings.Builder)) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", Escape(title))
	fmt.Fprintf(&b, `<text x="20" y="32" font-size="18">%s</text>`+"\n", Escape(title))
	draw(&b)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Escape makes text safe within an element or attribute.
var Escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace
