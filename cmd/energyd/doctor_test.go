package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// verdicts maps what was found to "verdict: detail; todo".
func verdicts(findings []finding) map[string]string {
	found := make(map[string]string)
	for _, f := range findings {
		found[f.What] += f.Verdict + ": " + f.Detail + "; " + f.Todo + "\n"
	}
	return found
}

func TestDoctor(t *testing.T) {
	h, _ := grown(t)
	s := recommended()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	s.RPC.Laddr, s.P2P.Laddr = "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"
	write := func() {
		if err := os.WriteFile(h.settingsFile(), []byte(s.text()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	for what, found := range verdicts(examine(h, time.Now())) {
		if what != "disk" && !strings.HasPrefix(found, "ok: ") {
			t.Errorf("a sound home: %s: %s", what, found)
		}
	}

	s.RPC.Laddr = "tcp://0.0.0.0:0"
	s.P2P.Laddr = "tcp://" + listener.Addr().String()
	s.P2P.SendRate = 5
	write()
	if err := os.Chmod(h.validatorFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.nodeKeyFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := verdicts(examine(h, time.Unix(1, 0)))
	for what, want := range map[string]string{
		"modes":    "fail: " + h.validatorFile() + ": mode 0644",
		"keys":     "fail: ",
		"settings": "warn: p2p.send_rate is 5, recommended is 200000000",
		"port":     "fail: p2p.laddr",
		"clock":    "fail: shows 1970-01-01T00:00:01Z, before the genesis",
	} {
		if !strings.Contains(found[what], want) {
			t.Errorf("%s: got %q, want %q", what, found[what], want)
		}
	}
	if !strings.Contains(found["settings"], "can be reached from outside") {
		t.Errorf("settings: got %q, want a warning of an open RPC", found["settings"])
	}
	out, text, code := energyd(t, "doctor", "--home", string(h))
	if code != exitError || !strings.Contains(text, "checks failed") || !strings.Contains(out, "fail  port: p2p.laddr") {
		t.Errorf("exit code %d, %q\n%s", code, text, out)
	}
}

func TestHomeInUse(t *testing.T) {
	h, _ := grown(t)
	application, err := openApp(h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = application.Close() }()
	_, text, code := energyd(t, "start", "--home", string(h))
	if want := fmt.Sprintf("%s: another process uses this home", h); code != exitError || !strings.Contains(text, want) {
		t.Errorf("exit code %d, %q; want 1 and %q", code, text, want)
	}
	if found := verdicts(examine(h, time.Now()))["databases"]; !strings.HasPrefix(found, "warn: in use") {
		t.Errorf("doctor said %q", found)
	}
}
