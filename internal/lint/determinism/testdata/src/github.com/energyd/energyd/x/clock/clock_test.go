package clock

import (
	"math/rand"
	"os"
	"testing"
	"time"
)

// Test files are exempt from every rule.
func TestExempt(t *testing.T) {
	for range map[int]float64{} {
		go time.Sleep(time.Duration(rand.Int()))
	}
	_ = os.Args
}
