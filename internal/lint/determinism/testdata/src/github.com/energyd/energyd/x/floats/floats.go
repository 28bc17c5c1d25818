// Package floats holds what rule float catches and what it lets pass.
package floats

import (
	"strconv"
	"time"
)

type price float64 // want `float: float64 is a float or complex`

type order struct {
	quantity int64
	loss     float32   // want `float: float32 is a float or complex`
	phases   []float64 // want `float: float64 is a float or complex`
}

type number interface {
	~int64 | ~float64 // want `float: float64 is a float or complex`
}

const (
	million  = 1e6         // want `float: 1e6 is a float or complex`
	half     = 1.0 / 2     // want `float: 1.0 / 2 is a float or complex`
	impedant = 2i          // want `float: 2i is a float or complex`
	whole    = 1_000_000   // an integer
	hex      = 0x1e6       // an integer
	interval = time.Second // an integer
)

func convert(wh int64) int64 {
	return int64(float64(wh) * 1.5) // want `float: float64\(wh\) \* 1.5 is a float or complex`
}

func exactLiteral() int64 {
	return 2e3 // want `float: 2e3 is a float or complex`
}

func named(p price) bool { // want `float: price is a float or complex`
	return p > 0 // want `float: p is a float or complex` `float: 0 is a float or complex`
}

func fromLibrary(d time.Duration, s string) {
	_ = d.Seconds()                     // want `float: d.Seconds\(\) is a float or complex`
	x, err := strconv.ParseFloat(s, 64) // want `float: strconv.ParseFloat\(s, 64\) is a float or complex`
	_, _ = x, err                       // want `float: x is a float or complex`
}

func complexNumbers(c complex128) { // want `float: complex128 is a float or complex`
	_ = real(c) // want `float: real\(c\) is a float or complex`
}

func integers(d time.Duration, wh int64) int64 {
	at := time.UnixMilli(wh).Add(d)
	return at.UnixMilli()/int64(time.Hour) + whole*wh
}
