package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/energyd/energyd/client"
)

// Options say which network to run and how.
type Options struct {
	// Binary is the energyd to run.
	Binary string
	// Dir is the network's folder. One that is empty or does not exist is made
	// as Manifest says; one that holds a network goes on with it, whatever the
	// manifest says.
	Dir      string
	Manifest Manifest
	// PreferredPort is where the block of ports should start, if it is free; 0
	// draws one.
	PreferredPort int
	// Supervise starts nodes again that die.
	Supervise bool
	// Say, if set, gets a line for people about each death and restart. It may
	// be called from several goroutines.
	Say func(line string)
}

// Network is a running network. Its methods may be called from several
// goroutines.
type Network struct {
	dir    string
	folder *Folder
	nodes  []*process
	rpc    []*client.Client
	// held keeps others from running the folder, until Stop.
	held *os.File
}

// Node is a member as it is at the moment.
type Node struct {
	Name string
	Home string
	// RPC is its address, http://127.0.0.1:port; it stays the same as long as
	// the Network runs.
	RPC string
	// PID of its process, 0 if it is down.
	PID int
	// Log is the file that holds what it wrote.
	Log string
}

// startTime is how long a node may take until its RPC answers.
const startTime = 60 * time.Second

// Start makes the folder if need be, starts all nodes and waits until each
// answers. The nodes live until Stop, or until this process dies (on Linux). A
// folder whose network runs already is ErrRunning.
func Start(ctx context.Context, o Options) (*Network, error) {
	folder, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	held, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	network, err := startNodes(ctx, o, folder)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	network.held = held
	return network, nil
}

func startNodes(ctx context.Context, o Options, folder *Folder) (*Network, error) {
	// A port may be taken between the choice and the node's start.
	for attempt := 0; ; attempt++ {
		network, err := newNetwork(o, folder)
		if err != nil {
			return nil, err
		}
		if err = network.begin(ctx); err == nil {
			return network, nil
		}
		err = errors.Join(err, network.Stop())
		if attempt == 2 || !strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			return nil, err
		}
		o.PreferredPort = 0
	}
}

// prepare returns the network in the folder, after making it if there is none.
func prepare(ctx context.Context, o Options) (*Folder, error) {
	empty, err := Empty(o.Dir)
	if err != nil {
		return nil, err
	}
	if !empty {
		folder, err := ReadFolder(o.Dir)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s holds something that is not a test network: %w", o.Dir, err)
		}
		return folder, err
	}
	if err := o.Manifest.Validate(); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, o.Binary, o.Manifest.initArgs(o.Dir)...).CombinedOutput()
	if err != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return nil, fmt.Errorf("make the network: %w: %s", err, text)
	}
	return ReadFolder(o.Dir)
}

func newNetwork(o Options, folder *Folder) (*Network, error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	ports, err := pickPorts(len(folder.Members), o.PreferredPort)
	if err != nil {
		return nil, err
	}
	n := &Network{dir: o.Dir, folder: folder}
	for i, member := range folder.Members {
		var peers []string
		for j, other := range folder.Members {
			if j != i {
				peers = append(peers, other.NodeID+"@"+loopback(ports[2*j]))
			}
		}
		home, at := filepath.Join(o.Dir, member.Name), loopback(ports[2*i+1])
		p := &process{
			name: member.Name, binary: o.Binary, logFile: filepath.Join(home, "energyd.log"), supervise: o.Supervise, say: o.Say,
			args: []string{
				"start", "--home", home, "--rpc-laddr", "tcp://" + at, "--p2p-laddr", "tcp://" + loopback(ports[2*i]),
				"--persistent-peers", strings.Join(peers, ","),
			},
		}
		rpc, err := client.New("http://" + at)
		if err != nil {
			return nil, err
		}
		n.nodes, n.rpc = append(n.nodes, p), append(n.rpc, rpc)
	}
	return n, nil
}

// begin starts every node and waits for their answers.
func (n *Network) begin(ctx context.Context) error {
	for _, p := range n.nodes {
		if err := p.launch(); err != nil {
			return err
		}
	}
	for i := range n.nodes {
		if err := n.answers(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// answers waits until node i's RPC does; a node that ends meanwhile is an error.
func (n *Network) answers(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	p := n.nodes[i]
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		if p.pid() == 0 {
			return false, fmt.Errorf("it ended: %s", p.lastWords())
		}
		_, err := n.rpc[i].Status(ctx)
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", p.name, err)
	}
	return nil
}

// poll calls done until it says so, fails, or ctx ends.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// Folder returns what is known of the network beside its processes.
func (n *Network) Folder() *Folder { return n.folder }

// Dir returns the network's folder.
func (n *Network) Dir() string { return n.dir }

// Nodes returns all members, those that are down included.
func (n *Network) Nodes() []Node {
	nodes := make([]Node, len(n.nodes))
	for i, p := range n.nodes {
		nodes[i] = Node{Name: p.name, Home: filepath.Dir(p.logFile), RPC: n.rpc[i].URLs()[0], PID: p.pid(), Log: p.logFile}
	}
	return nodes
}

// Addresses returns the RPC addresses of all members, for client.New.
func (n *Network) Addresses() []string {
	addresses := make([]string, len(n.nodes))
	for i := range n.nodes {
		addresses[i] = n.rpc[i].URLs()[0]
	}
	return addresses
}

// Kill kills node i at once, as kill -9 does. A supervised network starts it
// again by itself.
func (n *Network) Kill(i int) error { return n.nodes[i].signal(syscall.SIGKILL, true) }

// Shutdown stops node i in good order, and it stays down until Restart.
func (n *Network) Shutdown(i int) error { return n.nodes[i].signal(syscall.SIGTERM, false) }

// Restart starts node i, which is down, and waits until it answers.
func (n *Network) Restart(ctx context.Context, i int) error {
	if err := n.nodes[i].launch(); err != nil {
		return err
	}
	return n.answers(ctx, i)
}

// Stop stops all nodes in good order and waits for their end.
func (n *Network) Stop() error {
	errs := make([]error, len(n.nodes))
	var wait sync.WaitGroup
	for i, p := range n.nodes {
		wait.Go(func() { errs[i] = p.signal(syscall.SIGTERM, false) })
	}
	wait.Wait()
	_ = n.held.Close() // nothing is written to it
	return errors.Join(errs...)
}
