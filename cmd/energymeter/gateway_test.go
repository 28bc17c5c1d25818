package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/gateway"
	"github.com/energyd/energyd/meter/spool"
)

// try runs a command line.
func try(ctx context.Context, args ...string) (out string, code int, text string) {
	var stdout, stderr bytes.Buffer
	root := newRoot(func(string) (string, bool) { return "", false })
	root.SetArgs(args)
	root.SetIn(strings.NewReader(""))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	cmd, err := root.ExecuteContextC(ctx)
	text = stderr.String()
	if err != nil {
		text += describe(cmd, err)
	}
	return stdout.String(), exitCode(err), text
}

// made returns a home that init made, with a CSV meter of now.
func made(t *testing.T) (home string) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "home")
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte("words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code, text := try(t.Context(), "init", "--home", home, "--chain-id", "region-1", "--node", "tcp://127.0.0.1:1", "--passphrase-file", passphrase)
	if code != exitOK || !strings.Contains(out, "account        energy1") {
		t.Fatalf("init: exit code %d, %s %s", code, out, text)
	}
	path := filepath.Join(home, "energymeter.yaml")
	if _, err := gateway.ReadConfig(path); err != nil {
		t.Fatalf("what init writes is refused: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	_ = l.Close()
	config := fmt.Sprintf("chain_id: region-1\nnodes: [tcp://127.0.0.1:1]\npassphrase_file: %s\nlisten: %s\npoll: 100ms\ninterval: 1s\nmeters:\n- {name: m-1, source: csv, file: m.csv}\n", passphrase, listen)
	rows := fmt.Sprintf("time_ms,import_wh,export_wh\n%d,1500,20\n", time.Now().UnixMilli())
	for name, data := range map[string]string{path: config, filepath.Join(home, "m.csv"): rows} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// TestInitKeyOnly: beside a configuration that a package installed init makes the
// key alone, once.
func TestInitKeyOnly(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte("words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		more []string
		code int
		says string
	}{
		{[]string{"--chain-id", "region-1"}, exitUsage, "--key-only: expected no --chain-id"},
		{nil, exitOK, "account     energy1"},
		{nil, exitKey, "never overwritten"},
	} {
		out, code, text := try(t.Context(), append([]string{"init", "--key-only", "--home", home, "--passphrase-file", passphrase}, tc.more...)...)
		if code != tc.code || !strings.Contains(out+text, tc.says) {
			t.Errorf("init --key-only %q: exit code %d, %s %s; want %d, %q", tc.more, code, out, text, tc.code, tc.says)
		}
	}
	if _, err := os.Stat(filepath.Join(home, "energymeter.yaml")); !os.IsNotExist(err) {
		t.Errorf("it wrote a configuration: %v", err)
	}
}

// TestSample: what the package installs is what init writes, for one chain.
func TestSample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "energymeter.yaml")
	if err := os.WriteFile(path, []byte(configuration("other-2", []string{"tcp://a:1", "tcp://b:2"})), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := gateway.ReadConfig(path)
	if err != nil || config.ChainID != "other-2" || strings.Join(config.Nodes, " ") != "tcp://a:1 tcp://b:2" || len(config.Meters) != 0 {
		t.Errorf("%+v, %v", config, err)
	}
}

// TestRunCommand: run signs and keeps readings without a chain, reads its
// configuration again, ends in good order, and the other commands say so.
func TestRunCommand(t *testing.T) {
	home := made(t)
	config, err := gateway.ReadConfig(filepath.Join(home, "energymeter.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	type ended struct {
		code int
		text string
	}
	done := make(chan ended, 1)
	go func() {
		_, code, text := try(ctx, "run", "--home", home)
		done <- ended{code, text}
	}()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		status, _, _ := spool.Inspect(gateway.SpoolDir(home))
		if status.Pending > 0 {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("nothing was signed")
		}
	}
	if _, code, text := try(t.Context(), "spool", "retry", "--home", home); code != exitError || !strings.Contains(text, "stop it first") {
		t.Errorf("retry beside run: %d %s", code, text)
	}
	answer, err := http.Get("http://" + config.Listen + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if answer.StatusCode != 200 || !strings.Contains(string(body), `"m-1":{"quality":"measured"`) {
		t.Errorf("health %d: %s", answer.StatusCode, body)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	cancel()
	if end := <-done; end.code != exitOK || !strings.Contains(end.text, "the configuration was read again") {
		t.Errorf("run ended with %d: %s", end.code, end.text)
	}
	if out, code, _ := try(t.Context(), "spool", "status", "--home", home, "--json"); code != exitOK || !strings.Contains(out, `"pending": 1`) {
		t.Errorf("status: %d %s", code, out)
	}
	out, code, text := try(t.Context(), "doctor", "--home", home)
	if code != exitError || !strings.Contains(out, "ok  meter m-1: import 1500 Wh") || !strings.Contains(out, "NO  node tcp://127.0.0.1:1") || !strings.Contains(text, "say NO") {
		t.Errorf("doctor: %d %s %s", code, out, text)
	}
}

// TestRefusals: each mistake has its exit code, a line what and a line what to
// do.
func TestRefusals(t *testing.T) {
	home := made(t)
	loose := made(t)
	if err := os.Chmod(filepath.Join(loose, "keys", "gateway.key.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	open := made(t)
	if err := os.Chmod(filepath.Join(open, "energymeter.yaml"), 0o666); err != nil {
		t.Fatal(err)
	}
	broken := made(t)
	if err := os.WriteFile(filepath.Join(broken, "energymeter.yaml"), []byte("chain_id: x\nnodes: [y]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"init --home " + home + " --chain-id c --node tcp://h:1 --passphrase-file " + wrong, exitUsage, "expected a new folder"},
		{"init --home /nowhere/x --node tcp://h:1", exitUsage, "--chain-id"},
		{"init --home /nowhere/x --chain-id c", exitUsage, "--node: expected at least one"},
		{"init --home /nowhere/x --chain-id c --node h:1", exitUsage, "--node: expected tcp://HOST:PORT"},
		{"init --home " + filepath.Join(t.TempDir(), "n") + " --chain-id c --node tcp://h:1", exitKey, "give --passphrase-file"},
		{"run --home " + home + " --passphrase-file " + wrong, exitKey, "wrong passphrase"},
		{"run --home " + home + " --passphrase-file " + wrong + " --passphrase-fd 3", exitUsage, "only one"},
		{"run --home " + loose, exitKey, "chmod go="},
		{"run --home " + open, exitKey, "chmod go="},
		{"run --home " + broken, exitUsage, "energymeter.yaml:2: nodes: line 2: expected tcp://HOST:PORT"},
		{"run --home " + filepath.Join(home, "none"), exitError, "no such file"},
		{"run x", exitUsage, "expected no argument"},
		{"spool status --home " + filepath.Join(home, "none"), exitUsage, "--home"},
		{"spool stat", exitUsage, `unknown command "stat"`},
		{"doctor --home " + broken, exitUsage, "energymeter doctor"},
	} {
		_, code, text := try(t.Context(), strings.Fields(tc.args)...)
		if code != tc.code || !strings.Contains(text, tc.says) || strings.Count(text, "\n") > 1 {
			t.Errorf("%s: exit code %d, %s; want %d, %q", tc.args, code, text, tc.code, tc.says)
		}
	}
}

// TestBusesAreShared: meters on one line share a bus until the last leaves.
func TestBusesAreShared(t *testing.T) {
	shared := &buses{open: make(map[string]*sharedBus)}
	m := gateway.Meter{Name: "m", URL: "tcp://127.0.0.1:1", Model: "eastron-sdm630", Unit: 1}
	var meters []io.Closer
	for range 2 {
		source, err := shared.meter(m)
		if err != nil {
			t.Fatal(err)
		}
		meters = append(meters, source.(io.Closer))
	}
	for i, want := range []int{1, 0} {
		if err := meters[i].Close(); err != nil || len(shared.open) != want {
			t.Errorf("after %d left: %v, %d buses", i+1, err, len(shared.open))
		}
	}
	for _, bad := range []gateway.Meter{{URL: "x", Model: "eastron-sdm630"}, {URL: m.URL, Model: "none"}} {
		if _, err := shared.meter(bad); err == nil || len(shared.open) != 0 {
			t.Errorf("%+v: %v, %d buses", bad, err, len(shared.open))
		}
	}
}
