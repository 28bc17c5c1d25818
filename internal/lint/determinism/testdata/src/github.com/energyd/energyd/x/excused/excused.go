// Package excused has an exception for rule goroutine and for nothing else.
package excused

import "time"

func start(f func()) {
	go f()
	_ = time.Now() // want `clock: time.Now`
}
