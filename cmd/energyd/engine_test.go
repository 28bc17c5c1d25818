package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

func TestEngineLog(t *testing.T) {
	var out bytes.Buffer
	stopping := make(chan struct{})
	ctx, failed := failureContext(t.Context())
	l := engineLog{logger: slog.New(slog.NewTextHandler(&out, nil)), failed: failed, stopping: stopping}.With("module", "p2p")
	said := func() string { defer out.Reset(); return out.String() }

	l.Debug("a")
	l.Info("b")
	if got := said(); got != "" {
		t.Errorf("at level info the engine's information is heard: %q", got)
	}
	l.Error("c", "k", 1)
	if got := said(); !strings.Contains(got, "level=WARN msg=c module=p2p k=1") {
		t.Errorf("got %q, want a warning", got)
	}
	if ctx.Err() != nil {
		t.Error("an error of the engine is not its end")
	}
	close(stopping)
	l.Error("d")
	if got := said(); got != "" {
		t.Errorf("errors while stopping are heard: %q", got)
	}
	l.Error(consensusFailure, "err", "wrong app hash", "stack", "...")
	if got := said(); !strings.Contains(got, "level=ERROR") {
		t.Errorf("got %q, want an error", got)
	}
	if cause := context.Cause(ctx); cause == nil || cause.Error() != "consensus stopped: wrong app hash" {
		t.Errorf("cause %v, want what the engine said", cause)
	}
}
