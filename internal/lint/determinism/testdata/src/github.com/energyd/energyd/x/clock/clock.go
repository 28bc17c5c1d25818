// Package clock holds what rule clock catches and what it lets pass.
package clock

import "time"

func caught(t time.Time) {
	_ = time.Now()                       // want `clock: time.Now: take the time from the block header`
	_ = time.Since(t)                    // want `clock: time.Since`
	_ = time.Until(t)                    // want `clock: time.Until`
	_ = time.After(time.Second)          // want `clock: time.After`
	_ = time.AfterFunc(time.Second, nil) // want `clock: time.AfterFunc`
	_ = time.Tick(time.Second)           // want `clock: time.Tick`
	_ = time.NewTicker(time.Second)      // want `clock: time.NewTicker`
	_ = time.NewTimer(time.Second)       // want `clock: time.NewTimer`
	time.Sleep(time.Second)              // want `clock: time.Sleep`
	now := time.Now                      // want `clock: time.Now`
	_ = now
}

// sinceEpoch uses names of the clock on values that are given.
func sinceEpoch(ms int64, header time.Time) (time.Duration, bool) {
	start := time.UnixMilli(ms)
	return header.Sub(start), header.After(start)
}
