// Package app may import what x/ may not, but follows the other rules.
package app

import (
	"context"
	_ "crypto/rand" // want `rand: import of crypto/rand`
	_ "log/slog"
	_ "os"
	"reflect"
	"sync"

	_ "github.com/cometbft/cometbft/abci/types"
)

func verify(mu *sync.Mutex, wg *sync.WaitGroup, f func()) {
	mu.Lock()
	defer mu.Unlock()
	go f()                                     // want `goroutine: go statement`
	wg.Go(f)                                   // want `goroutine: .*sync.WaitGroup.*Go starts a goroutine`
	context.AfterFunc(context.Background(), f) // want `goroutine: context.AfterFunc starts a goroutine`
}

func iterate(m *sync.Map, v reflect.Value) {
	m.Range(func(k, v any) bool { return true }) // want `maprange: .*sync.Map.*Range yields in random order`
	_ = v.MapKeys()                              // want `maprange: .*reflect.Value.*MapKeys yields in random order`
	_ = v.MapRange()                             // want `maprange: .*reflect.Value.*MapRange yields in random order`
	_ = v.Seq()                                  // want `maprange: .*reflect.Value.*Seq yields in random order`
	_ = v.Seq2()                                 // want `maprange: .*reflect.Value.*Seq2 yields in random order`
}
