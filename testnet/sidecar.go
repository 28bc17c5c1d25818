package testnet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/energyd/energyd/client"
)

// SidecarOptions say what a gateway beside a test network is.
type SidecarOptions struct {
	// Name is what Say calls it.
	Name string
	// Binary is the energymeter to run, Home the folder to make for it.
	Binary, Home string
	// Key is that of the gateway's account.
	Key client.Key
	// ChainID that readings are signed for, and Nodes that they are sent to.
	ChainID string
	Nodes   []string
	// Poll is how often meters are read, Interval how often a reading is
	// signed; 0: at the end of each of the chain's periods.
	Poll, Interval time.Duration
	Meters         []SidecarMeter
	// Supervise starts it again when it dies; Say, if set, gets a line for
	// people about that.
	Supervise bool
	Say       func(line string)
}

// SidecarMeter is a Modbus meter that a gateway reads: its name on chain, the
// address of its bus, its unit there and its model.
type SidecarMeter struct {
	Name, URL string
	Unit      int
	Model     string
}

// Sidecar is a gateway as a process of its own, dead or alive. Its methods may
// be called from several goroutines.
type Sidecar struct {
	process *process
}

// sidecarPassphrase unlocks the keys of test networks, which are for tests
// alone.
const sidecarPassphrase = "test network"

// NewSidecar makes a gateway's home: key, passphrase, configuration. Start
// starts it.
func NewSidecar(o SidecarOptions) (*Sidecar, error) {
	if err := os.MkdirAll(o.Home, 0o700); err != nil {
		return nil, err
	}
	store, err := client.OpenKeystore(filepath.Join(o.Home, "keys"))
	if err != nil {
		return nil, err
	}
	if err := store.Import("gateway", sidecarPassphrase, client.ScryptLight, o.Key); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"passphrase": sidecarPassphrase + "\n", "energymeter.yaml": o.config()} {
		if err := os.WriteFile(filepath.Join(o.Home, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	return &Sidecar{&process{
		name: o.Name, binary: o.Binary, args: []string{"run", "--home", o.Home},
		logFile: filepath.Join(o.Home, "energymeter.log"), supervise: o.Supervise, say: o.Say,
	}}, nil
}

func (o SidecarOptions) config() string {
	var out strings.Builder
	fmt.Fprintf(&out, "chain_id: %s\nnodes: [%s]\npassphrase_file: passphrase\nlisten: 127.0.0.1:0\npoll: %s\n",
		o.ChainID, strings.Join(o.Nodes, ", "), o.Poll)
	if o.Interval > 0 {
		fmt.Fprintf(&out, "interval: %s\n", o.Interval)
	}
	if len(o.Meters) == 0 {
		return out.String() + "meters: []\n"
	}
	out.WriteString("meters:\n")
	for _, m := range o.Meters {
		fmt.Fprintf(&out, "- {name: %s, source: modbus, url: \"%s\", unit: %d, model: %s}\n", m.Name, m.URL, m.Unit, m.Model)
	}
	return out.String()
}

// Start starts the gateway. It is an error if it runs.
func (s *Sidecar) Start() error { return s.process.launch() }

// Kill kills the gateway at once, as kill -9 does. A supervised one comes back
// by itself.
func (s *Sidecar) Kill() error { return s.process.signal(syscall.SIGKILL, true) }

// Stop stops the gateway in good order and waits for its end.
func (s *Sidecar) Stop() error { return s.process.signal(syscall.SIGTERM, false) }

// PID of the process, 0 if it is down.
func (s *Sidecar) PID() int { return s.process.pid() }

// LastWords is the end of what it wrote.
func (s *Sidecar) LastWords() string { return s.process.lastWords() }

// answersAt finds in what a gateway wrote where it answers.
var answersAt = regexp.MustCompile(`msg="metrics and health" address=(\S+)`)

// Count returns a metric of the running process, summed over its labels; 0 for
// one that was not counted yet. A process that just begins does not answer.
func (s *Sidecar) Count(ctx context.Context, metric string) (int64, error) {
	log, err := os.ReadFile(s.process.logFile)
	if err != nil {
		return 0, err
	}
	found := answersAt.FindAllSubmatch(log, -1)
	if len(found) == 0 {
		return 0, fmt.Errorf("%s has not said where its metrics are: %s", s.process.name, s.LastWords())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(found[len(found)-1][1])+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	var sum float64
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		value, ok := valueOf(lines.Text(), metric)
		if ok {
			sum += value
		}
	}
	return int64(sum), errors.Join(lines.Err(), answer.Body.Close())
}

// valueOf reads a line of the Prometheus text format, such as
// name{label="x"} 3.
func valueOf(line, metric string) (float64, bool) {
	rest, ok := strings.CutPrefix(line, metric)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
		return 0, false
	}
	value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
	return value, err == nil
}
