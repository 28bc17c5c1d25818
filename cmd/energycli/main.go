// Command energycli is the client of members, operators and auditors: keys,
// transactions, queries, bills and their proof. It knows the nodes' RPC only.
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
	cmd, err := newRoot(os.LookupEnv).ExecuteContextC(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, describe(cmd, err))
	}
	os.Exit(exitCode(err))
}
