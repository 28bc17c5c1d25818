package testnet

import (
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeNode makes this test's own binary behave as a node: it lives until
// SIGTERM, or SIGKILL.
const fakeNode = "TESTNET_FAKE_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(fakeNode) != "" {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		<-signals
		os.Exit(0)
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // only a copy of what make build makes
	}
	os.Exit(code)
}

func listen(t *testing.T, port int) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// said collects the lines of Options.Say.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *said) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func newFake(t *testing.T, supervise bool) (*process, *said) {
	t.Helper()
	t.Setenv(fakeNode, "node")
	lines := new(said)
	p := &process{name: "node0", logFile: filepath.Join(t.TempDir(), "energyd.log"), binary: os.Args[0], supervise: supervise, say: lines.say}
	t.Cleanup(func() { _ = p.signal(syscall.SIGKILL, false) })
	if err := p.launch(); err != nil {
		t.Fatal(err)
	}
	return p, lines
}

// eventually waits at most five seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 5 s: %s", what)
}

func TestProcessLife(t *testing.T) {
	p, lines := newFake(t, false)
	first := p.pid()
	if first == 0 {
		t.Fatal("no process")
	}
	if err := p.launch(); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("second launch: %v", err)
	}
	if err := p.signal(syscall.SIGKILL, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the death is told", func() bool { return strings.Contains(lines.all(), "node0 died: signal: killed") })
	if p.pid() != 0 {
		t.Error("a killed process has an id")
	}
	if err := p.launch(); err != nil {
		t.Fatal(err)
	}
	// The fake must have its handler before it gets the signal.
	time.Sleep(200 * time.Millisecond)
	last := p.life
	if err := p.signal(syscall.SIGTERM, false); err != nil {
		t.Fatal(err)
	}
	if code := last.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	if got := strings.Count(lines.all(), "died"); got != 1 {
		t.Errorf("%d deaths told, want 1: a wanted end is none\n%s", got, lines.all())
	}
}

func TestProcessSupervised(t *testing.T) {
	p, lines := newFake(t, true)
	first := p.pid()
	if err := p.signal(syscall.SIGKILL, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() bool { return p.pid() != 0 && p.pid() != first })
	eventually(t, "which is told", func() bool { return strings.Contains(lines.all(), "node0 runs again") })
	// Stopped for good while the next start waits: it stays down.
	if err := p.signal(syscall.SIGKILL, true); err != nil {
		t.Fatal(err)
	}
	if err := p.signal(syscall.SIGTERM, false); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2*firstPause + 500*time.Millisecond)
	if p.pid() != 0 {
		t.Error("a node that was stopped for good came back")
	}
}

func TestLastWords(t *testing.T) {
	p := &process{logFile: filepath.Join(t.TempDir(), "energyd.log")}
	if got := p.lastWords(); got != "" {
		t.Errorf("without a log: %q", got)
	}
	if err := os.WriteFile(p.logFile, []byte("a\nb\nc\nd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := p.lastWords(); got != "b | c | d" {
		t.Errorf("got %q, want the last three lines", got)
	}
}
