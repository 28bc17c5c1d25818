package testnet

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Supervision of a node that dies.
const (
	firstPause = time.Second
	longPause  = 30 * time.Second
	// healthy is how long a node must run for its next death to count as the
	// first.
	healthy = time.Minute
	// stopTime is how long a node may take to stop before it is killed.
	stopTime = 20 * time.Second
)

// process is one node's energyd, or a gateway's energymeter, dead or alive.
type process struct {
	name   string
	binary string
	args   []string
	// logFile collects what it writes, over all its lives.
	logFile   string
	supervise bool
	say       func(string)

	mu sync.Mutex
	// life is the present or last one; nil before the first.
	life *life
	// wanted: it should be running, so that its end is a death.
	wanted bool
}

// life is one process of them.
type life struct {
	cmd     *exec.Cmd
	began   time.Time
	stopped chan struct{} // closed when the process is gone
}

func (l *life) alive() bool {
	if l == nil {
		return false
	}
	select {
	case <-l.stopped:
		return false
	default:
		return true
	}
}

// launch starts it. It is an error if it runs.
func (p *process) launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.alive() {
		return fmt.Errorf("%s runs already, process %d", p.name, p.life.cmd.Process.Pid)
	}
	p.wanted = true
	return p.begin(firstPause)
}

// begin starts the process; pause is what a death will be answered with.
func (p *process) begin(pause time.Duration) error {
	out, err := os.OpenFile(p.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer func() { _ = out.Close() }() // the child has its own
	cmd := exec.Command(p.binary, p.args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.life = &life{cmd: cmd, began: time.Now(), stopped: make(chan struct{})}
	go p.await(p.life, pause)
	return nil
}

// await sees a process out and, under supervision, starts the next one.
func (p *process) await(l *life, pause time.Duration) {
	err := l.cmd.Wait()
	close(l.stopped)
	p.mu.Lock()
	died := p.wanted
	p.mu.Unlock()
	if !died {
		return
	}
	if !p.supervise {
		p.say(fmt.Sprintf("%s died: %v (log: %s)", p.name, exitText(err), p.logFile))
		return
	}
	if time.Since(l.began) > healthy {
		pause = firstPause
	}
	p.say(fmt.Sprintf("%s died: %v; starting it again in %s", p.name, exitText(err), pause))
	time.Sleep(pause)
	p.mu.Lock()
	defer p.mu.Unlock()
	// Meanwhile somebody may have stopped it or started it by hand.
	if !p.wanted || p.life != l {
		return
	}
	if err := p.begin(min(2*pause, longPause)); err != nil {
		p.say(fmt.Sprintf("%s does not start: %v", p.name, err))
		return
	}
	p.say(fmt.Sprintf("%s runs again, process %d", p.name, p.life.cmd.Process.Pid))
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// signal sends a signal and waits until the process is gone; one that takes
// longer than stopTime is killed. keep says whether it is still wanted, so that
// a supervised one comes back.
func (p *process) signal(signal os.Signal, keep bool) error {
	p.mu.Lock()
	l := p.life
	p.wanted = p.wanted && keep
	p.mu.Unlock()
	if !l.alive() {
		return nil
	}
	if err := l.cmd.Process.Signal(signal); err != nil && l.alive() {
		return fmt.Errorf("%s: process %d: %w", p.name, l.cmd.Process.Pid, err)
	}
	select {
	case <-l.stopped:
		return nil
	case <-time.After(stopTime):
	}
	if err := l.cmd.Process.Signal(syscall.SIGKILL); err != nil && l.alive() {
		return fmt.Errorf("%s: process %d: %w", p.name, l.cmd.Process.Pid, err)
	}
	<-l.stopped
	return fmt.Errorf("%s: did not stop within %s and was killed (log: %s)", p.name, stopTime, p.logFile)
}

// pid returns the running process's id, 0 if there is none.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.life.alive() {
		return 0
	}
	return p.life.cmd.Process.Pid
}

// lastWords returns the end of the log, for error texts.
func (p *process) lastWords() string {
	data, err := os.ReadFile(p.logFile)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}
