package testnet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the folder of the binary that the tests run; TestMain removes it.
var built string

// buildEnergyd builds the real binary once for all tests.
var buildEnergyd = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "energyd-")
	if err != nil {
		return "", err
	}
	built = dir
	binary := filepath.Join(dir, "energyd")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/energyd").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build energyd: %w\n%s", err, out)
	}
	return binary, nil
})

// energyd returns the binary, and skips the test where only quick ones run.
func energyd(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a network of real processes: make e2e")
	}
	binary, err := buildEnergyd()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// start runs a network that ends with the test. Its folder is kept if the
// test fails.
func start(t *testing.T, o Options) *Network {
	t.Helper()
	dir, err := os.MkdirTemp("", "testnet-")
	if err != nil {
		t.Fatal(err)
	}
	o.Binary, o.Dir = energyd(t), filepath.Join(dir, "net")
	o.Say = func(line string) { t.Log(line) }
	network, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("%v (folder: %s)", err, o.Dir)
	}
	t.Cleanup(func() {
		if err := network.Stop(); err != nil {
			t.Error(err)
		}
		for _, node := range network.Nodes() {
			if log, err := os.ReadFile(node.Log); err != nil || bytes.Contains(log, []byte("panic")) {
				t.Errorf("%s: panic in its log, or none: %v", node.Name, err)
			}
		}
		if t.Failed() {
			t.Logf("folder kept: %s", o.Dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return network
}

// reach waits for a height at all nodes that run.
func reach(t *testing.T, n *Network, height int64, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := n.WaitHeight(ctx, height); err != nil {
		t.Fatal(err)
	}
}

// same demands one app hash and one block from all nodes at a height.
func same(t *testing.T, n *Network, height int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	hash, err := n.AppHash(ctx, height)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("app hash at height %d: %X", height, hash)
}

func heightOf(t *testing.T, n *Network, i int) int64 {
	t.Helper()
	height, err := n.Height(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return height
}

func TestNetwork(t *testing.T) {
	network := start(t, Options{Manifest: Simple()})
	reach(t, network, 5, 30*time.Second)
	same(t, network, 4)
	followed := follow(t, network)

	t.Run("results are there", func(t *testing.T) { resultsAreThere(t, network) })
	t.Run("kill one", func(t *testing.T) { killOne(t, network) })
	t.Run("kill all", func(t *testing.T) { killAll(t, network) })
	t.Run("roll one back", func(t *testing.T) { rollOneBack(t, network) })
	followed()
	t.Run("home in use", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), energyd(t), "start", "--home", network.Nodes()[0].Home).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "another process uses this home") {
			t.Errorf("a second process on one home: %v, %s", err, out)
		}
	})
}

// killOne is F1 once: the three others go on, the fourth comes back.
func killOne(t *testing.T, network *Network) {
	if err := network.Kill(1); err != nil {
		t.Fatal(err)
	}
	reach(t, network, heightOf(t, network, 0)+5, 30*time.Second)
	if err := network.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	head := heightOf(t, network, 0)
	reach(t, network, head+1, 10*time.Second)
	same(t, network, head)
}

// killAll is F2 once: all die at once, and the chain goes on.
func killAll(t *testing.T, network *Network) {
	before := heightOf(t, network, 0)
	same(t, network, before-1)
	for i := range network.Nodes() {
		if err := network.Kill(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range network.Nodes() {
		if err := network.Restart(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	reach(t, network, before+1, 15*time.Second)
	same(t, network, before)
}

// rollOneBack stops a node, takes its last block back, and lets it return.
func rollOneBack(t *testing.T, network *Network) {
	node := network.Nodes()[2]
	if err := network.Shutdown(2); err != nil {
		t.Fatal(err)
	}
	if code := network.nodes[2].life.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	first := run(t, 0, "rollback", "--home", node.Home)
	if !strings.Contains(first, "state is at height") {
		t.Errorf("rollback said %q", first)
	}
	run(t, 1, "rollback", "--home", node.Home) // once more would leave no block to execute
	doctor := run(t, 0, "doctor", "--home", node.Home)
	if strings.Contains(doctor, "fail ") || !strings.Contains(doctor, "application state") {
		t.Errorf("doctor said\n%s", doctor)
	}
	export := run(t, 0, "export", "--home", node.Home)
	file := filepath.Join(t.TempDir(), "genesis.json")
	if err := os.WriteFile(file, []byte(export), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, 0, "genesis", "validate", file)
	if err := network.Restart(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	head := heightOf(t, network, 0)
	reach(t, network, head+1, 10*time.Second)
	same(t, network, head)
	// The engine looks once a second whether it has caught up.
	for end := time.Now().Add(10 * time.Second); exec.CommandContext(t.Context(), energyd(t), "status", "--node", node.RPC).Run() != nil; {
		if time.Now().After(end) {
			break // status below says why
		}
		time.Sleep(200 * time.Millisecond)
	}
	if out := run(t, 0, "status", "--node", node.RPC); !strings.Contains(out, "catching up    no") || !strings.Contains(out, "voting power   10") {
		t.Errorf("status said\n%s", out)
	}
}

// run runs an energyd command that must end with this exit code.
func run(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), energyd(t), args...)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("energyd %s: exit code %d, want %d: %v\n%s%s", strings.Join(args, " "), got, code, err, out.String(), text.String())
	}
	return out.String()
}

// A supervised node that is killed comes back by itself.
func TestSupervision(t *testing.T) {
	m := Simple()
	m.Validators = 1
	network := start(t, Options{Manifest: m, Supervise: true})
	before := network.Nodes()[0].PID
	if err := network.Kill(0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() bool { pid := network.Nodes()[0].PID; return pid != 0 && pid != before })
	height := int64(0)
	eventually(t, "it answers", func() bool {
		var err error
		height, err = network.Height(t.Context(), 0)
		return err == nil
	})
	reach(t, network, height+2, 15*time.Second)
}

// The nodes of a runner that is killed die with it.
func TestRunnerKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can tie the life of a process to another's")
	}
	dir := filepath.Join(t.TempDir(), "net")
	cmd := exec.Command(energyd(t), "testnet", "start", "--dir", dir, "--validators", "2")
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var pids []int
	for end := time.Now().Add(30 * time.Second); len(pids) < 2 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		pids = childrenOf(t, cmd.Process.Pid)
	}
	if len(pids) != 2 {
		t.Fatalf("runner %d has the children %v, want two", cmd.Process.Pid, pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("node %d is gone", pid), func() bool { return !running(pid) })
	}
}

// childrenOf reads the children that are nodes from /proc.
func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the thread ended
		}
		for word := range strings.FieldsSeq(string(data)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err == nil && bytes.Contains(command, []byte("\x00start\x00--home")) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// running says whether the process exists and is more than a remainder that
// waits to be collected.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
