// Package concurrency holds what the rules goroutine, select and chanrange
// catch and what they let pass.
package concurrency

import "golang.org/x/sync/errgroup"

func start(f func() error) {
	go f() // want `goroutine: go statement`
	var g errgroup.Group
	g.Go(f)        // want `goroutine: .*errgroup.Group.*Go starts a goroutine`
	_ = g.TryGo(f) // want `goroutine: .*errgroup.Group.*TryGo starts a goroutine`
	defer f()
}

func wait(a, b chan int64) {
	select { // want `select: select statement`
	case <-a:
	case <-b:
	}
	for range a { // want `chanrange: range over a channel`
	}
	switch {
	case len(a) > 0:
	}
}

func drain[C chan int64 | <-chan int64](c C) {
	for range c { // want `chanrange: range over a channel`
	}
}
