package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/meter/gateway"
)

// gatewayCommands are those of a gateway that runs.
func gatewayCommands() []*cobra.Command {
	return []*cobra.Command{initCommand(), runCommand(), spoolCommand(), doctorCommand()}
}

func runCommand() *cobra.Command {
	h := &home{}
	var verbose bool
	cmd := &cobra.Command{
		Use: "run", Short: "Poll meters, sign readings and bring them on chain", Args: noArguments,
		Long: `Run polls the meters of the configuration, signs a reading of each at the end of
every interval, and keeps it on disk until a block holds it. How often it signs and
sends may be set on chain (energycli tx registry set-gateway). SIGHUP makes it read
the configuration again; meters that did not change are polled on.`,
		Example: "  energymeter run --home /var/lib/energymeter",
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := gateway.ReadConfig(h.configFile())
			if err != nil {
				return err
			}
			key, err := h.unlock(cmd, config)
			if err != nil {
				return err
			}
			// Gateways are small machines: unlocking took memory that is not needed
			// again, and what is allocated per poll is cheap to collect.
			debug.SetGCPercent(40)
			debug.FreeOSMemory()
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			g, err := gateway.New(gateway.Options{Home: h.dir, ConfigFile: h.configFile(), Key: key, Open: openers(), Log: log})
			if err != nil {
				return err
			}
			return errors.Join(serve(cmd.Context(), g, config.Listen, log), g.Close())
		},
	}
	h.register(cmd)
	h.registerKey(cmd)
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log what is of use to developers, too")
	return cmd
}

// serve runs a gateway with its HTTP answers, reloads and systemd's watchdog.
func serve(ctx context.Context, g *gateway.Gateway, listen string, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if listen != "" {
		listener, err := net.Listen("tcp", listen)
		if err != nil {
			return usage("listen: %w", err)
		}
		server := &http.Server{Handler: g.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				log.Error("metrics and health do not answer any more", "error", err)
			}
		}()
		defer server.Close()
		log.Info("metrics and health", "address", listener.Addr().String())
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	go reload(ctx, g, hangups, log)
	go watchdog(ctx, g, log)
	if err := gateway.Notify("READY=1"); err != nil {
		log.Warn("systemd", "error", err)
	}
	return g.Run(ctx)
}

func reload(ctx context.Context, g *gateway.Gateway, hangups <-chan os.Signal, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		if err := g.Reload(ctx); err != nil {
			log.Error("the configuration stays as it was", "error", err)
			continue
		}
		log.Info("the configuration was read again")
	}
}

// watchdog tells systemd that the gateway lives, as often as it wants to hear.
func watchdog(ctx context.Context, g *gateway.Gateway, log *slog.Logger) {
	every := gateway.WatchdogEvery()
	if every == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !g.Alive(every) {
			log.Error("the recorder does not answer")
			continue
		}
		if err := gateway.Notify("WATCHDOG=1"); err != nil {
			log.Warn("systemd", "error", err)
		}
	}
}
