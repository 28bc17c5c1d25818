// Command energymeter is the gateway's program at the meters: it reads them,
// names them and simulates them.
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
