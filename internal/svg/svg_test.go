package svg

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestChart: a well-formed picture with the names, the gap, and no lines for what
// has no points.
func TestChart(t *testing.T) {
	number := func(v int64) string { return fmt.Sprint(v) }
	c := Chart{
		Title: "profit <&>", Across: "rate", X: number, Y: number, Mark: 40, MarkName: "best",
		Lines: []Line{
			{"bank", Palette[0], []Point{{X: 0}, {X: 40, Y: 100}, {X: 60, Y: 50, Gap: true}, {X: 100, Y: -50}}},
			{"nobody", Palette[1], nil},
		},
	}
	var out strings.Builder
	if err := Write(&out, ChartWidth, ChartHeight+TitleHeight, `"quoted"`, func(b *strings.Builder) { c.Draw(b, 0, TitleHeight) }); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
	}
	for _, text := range []string{"profit &lt;&amp;&gt;", "&quot;quoted&quot;", ">bank<", ">best<", ">100<", ">-50<", `d="M110.0 `} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %s in\n%s", text, out.String())
		}
	}
	if strings.Contains(out.String(), "nobody") || strings.Count(out.String(), "M") != 2 {
		t.Errorf("got\n%s", out.String())
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		span span
		want []int64
	}{
		{span{0, 0}, []int64{0}},
		{span{0, 5}, []int64{0, 1, 2, 3, 4, 5}},
		{span{0, 6}, []int64{0, 2, 4, 6}},
		{span{-20, 100}, []int64{0, 50, 100}},
		{span{-100, 30}, []int64{-100, -50, 0}},
		{span{1000, 1999}, []int64{1000, 1200, 1400, 1600, 1800}},
	} {
		if got := c.span.ticks(); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.span, got, c.want)
		}
	}
	if got := (span{math.MinInt64, math.MaxInt64}).ticks(); len(got) == 0 || len(got) > mostTicks {
		t.Errorf("got %v", got)
	}
}

func TestEmptyChart(t *testing.T) {
	var b strings.Builder
	(&Chart{}).Draw(&b, 0, 0)
	if b.Len() != 0 {
		t.Errorf("got %s", b.String())
	}
}
