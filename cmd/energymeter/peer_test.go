package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests talk to programs that others wrote. Where one is not installed
// its test is skipped; continuous integration installs them.

// want is what testdata/slave.* show.
const want = `"import_wh":4567891,"export_wh":77750,"power_w":-812.25,"quality":"measured","step_wh":1`

// begin starts a program and ends it with the test.
func begin(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// need skips the test unless a command ends well.
func need(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, %s %s: %v %s", name, strings.Join(args, " "), err, out)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// readUntil reads the meter until the slave has started.
func readUntil(t *testing.T, url string) {
	t.Helper()
	var out string
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out, err = run(t.Context(), "read", "--model", "eastron-sdm630", "--url", url, "--json"); err == nil {
			break
		}
	}
	if err != nil || !strings.Contains(out, want) {
		t.Errorf("%s: got %s, %v; want %s", url, out, err, want)
	}
	if out, err = run(t.Context(), "probe", "--url", url); err != nil || !strings.Contains(out, "eastron-sdm630") || strings.Contains(out, "abb") {
		t.Errorf("%s: the probe says %s, %v", url, out, err)
	}
}

// python is Debian's, whose packages the slaves stand on.
const python = "/usr/bin/python3"

func TestPymodbusTCP(t *testing.T) {
	need(t, python, "-c", "import pymodbus.server")
	port := freePort(t)
	begin(t, python, "testdata/slave.py", "tcp", port)
	readUntil(t, "tcp://127.0.0.1:"+port)
}

func TestPymodbusRTU(t *testing.T) {
	need(t, python, "-c", "import pymodbus.server, serial")
	need(t, "socat", "-V")
	ours, theirs := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	begin(t, "socat", "pty,raw,echo=0,link="+ours, "pty,raw,echo=0,link="+theirs)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := filepath.EvalSymlinks(theirs); err == nil {
			break
		}
	}
	begin(t, python, "testdata/slave.py", "rtu", theirs)
	readUntil(t, "rtu://"+ours+"?baud=9600&timeout=300ms")
}

// TestModbusSerial finds the package where NODE_PATH says.
func TestModbusSerial(t *testing.T) {
	need(t, "node", "-e", "require('modbus-serial')")
	port := freePort(t)
	begin(t, "node", "testdata/slave.js", port)
	readUntil(t, "tcp://127.0.0.1:"+port)
}

// TestMbpoll: a master that others wrote reads our simulator.
func TestMbpoll(t *testing.T) {
	need(t, "mbpoll", "-h")
	port := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := run(ctx, "simulate", "--listen", "127.0.0.1:"+port, "--csv", "testdata/still.csv")
		done <- err
	}()
	var out []byte
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		out, err = exec.Command("mbpoll", "-m", "tcp", "-p", port, "-a", "1", "-0", "-t", "3:float", "-B", "-r", "72", "-c", "2", "-1", "127.0.0.1").CombinedOutput()
		if err == nil {
			break
		}
	}
	for at, value := range map[int]string{72: "1234.5", 74: "77.75"} {
		if line := fmt.Sprintf("[%d]: \t%s", at, value); err != nil || !strings.Contains(string(out), line) {
			t.Errorf("mbpoll says %s, %v; want %s", out, err, line)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
