// Package api lies outside the replicated rooms: nothing is reported.
package api

import (
	"math/rand"
	"time"
)

func latency(m map[string]float64, c chan int) (worst float64) {
	go time.Sleep(time.Duration(rand.Int()))
	for _, v := range m {
		worst = max(worst, v*1.5)
	}
	select {
	case <-c:
	default:
	}
	return worst
}
