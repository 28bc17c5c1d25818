// Command energyd is the node: it validates blocks, keeps the state and serves
// it, and it makes, checks and mends the folder (home) that a node runs from.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, describe(err))
		os.Exit(exitCode(err))
	}
}
