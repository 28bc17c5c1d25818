package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/testnet"
)

// firstPort is where the ports of a test network begin if they are free, so
// that the first node has the RPC port that clients expect.
const firstPort = 26656

func testnetStartCommand() *cobra.Command {
	manifest := testnet.Simple()
	var dir, file string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run several validators on this machine until Ctrl-C",
		Long: "Run several validators, each a process of its own, on this machine until Ctrl-C. An empty folder is\n" +
			"filled first; one that holds a network goes on with it. A node that dies is started again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				read, err := testnet.ReadManifest(file)
				if err != nil {
					return fail(exitUsage, err, "correct the manifest")
				}
				// Flags that were given take precedence.
				given := manifest
				manifest = read
				keepGiven(cmd, &manifest, given)
			}
			return runTestnet(cmd, dir, file, manifest)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "testnet-data", "folder of the network")
	cmd.Flags().StringVar(&file, "manifest", "", "a file that describes the network, such as testnet/simple.toml")
	manifestFlags(cmd, &manifest)
	return cmd
}

// keepGiven copies what flags were given for.
func keepGiven(cmd *cobra.Command, m *testnet.Manifest, given testnet.Manifest) {
	for name, keep := range map[string]func(){
		"validators":      func() { m.Validators = given.Validators },
		"chain-id":        func() { m.ChainID = given.ChainID },
		"period-length":   func() { m.PeriodLength = given.PeriodLength },
		"timeout-propose": func() { m.TimeoutPropose = given.TimeoutPropose },
		"timeout-commit":  func() { m.TimeoutCommit = given.TimeoutCommit },
		"param":           func() { m.Params = given.Params },
		"seed":            func() { m.Seed = given.Seed },
	} {
		if cmd.Flags().Changed(name) {
			keep()
		}
	}
}

// runTestnet runs the network of a folder; file is the manifest that was read,
// if any.
func runTestnet(cmd *cobra.Command, dir, file string, m testnet.Manifest) error {
	if err := m.Validate(); err != nil {
		return fail(exitUsage, err, "correct the flag")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	empty, err := testnet.Empty(dir)
	switch {
	case err != nil:
		err = fail(exitUsage, fmt.Errorf("--dir: %w", err), "choose another one")
	case empty:
		err = makeTestnet(dir, m, time.Now())
	default:
		err = checkFolder(cmd.Flags(), dir, file, m)
	}
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	var line sync.Mutex
	say := func(text string) {
		line.Lock()
		defer line.Unlock()
		fmt.Fprintln(cmd.OutOrStdout(), text)
	}
	ctx := cmd.Context()
	network, err := testnet.Start(ctx, testnet.Options{
		Binary: binary, Dir: dir, Manifest: m, PreferredPort: firstPort, Supervise: true, Say: say,
	})
	if errors.Is(err, testnet.ErrRunning) {
		return fail(exitUsage, fmt.Errorf("--dir: %w", err), "stop that one with Ctrl-C, or choose another --dir")
	}
	if err != nil {
		return fail(exitError, err, "look into energyd.log in the node's folder below %s", dir)
	}
	if err := network.WaitHeight(ctx, 1); err == nil {
		say(introduce(network))
		follow(ctx, network, say)
	}
	say("stopping")
	return network.Stop()
}

// introduce says where everything is and what to try.
func introduce(network *testnet.Network) string {
	nodes := table.NewWriter()
	nodes.SetStyle(table.StyleLight)
	nodes.AppendHeader(table.Row{"node", "process", "rpc", "home"})
	for _, node := range network.Nodes() {
		nodes.AppendRow(table.Row{node.Name, node.PID, node.RPC, node.Home})
	}
	folder, dir := network.Folder(), network.Dir()
	cli := "energycli --home " + dir + " --node " + network.Nodes()[0].RPC
	return fmt.Sprintf(`%s
chain %s, periods of %s; keys %s and %s.. in %s, passphrase in %s

try:
  %s keys list
  %s query registry account --account %s
  %s query invariants
  %s watch
  energyd status --node %s
kill -9 a process to see it come back; Ctrl-C ends all
`, nodes.Render(), folder.ChainID, time.Duration(folder.PeriodLengthMs)*time.Millisecond,
		testnet.AuthorityKey, testnet.AggregatorKey(0), filepath.Join(dir, testnet.KeysDir), filepath.Join(dir, testnet.PassphraseFile),
		cli, cli, folder.Members[0].Account, cli, cli, network.Nodes()[0].RPC)
}

// follow says every ten seconds how far the chain is, until ctx ends. A node is
// up while its process runs: on a busy machine an answer may take long.
func follow(ctx context.Context, network *testnet.Network, say func(string)) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	best := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		up := 0
		for i, node := range network.Nodes() {
			if node.PID == 0 {
				continue
			}
			up++
			ask, cancel := context.WithTimeout(ctx, time.Second)
			if height, err := network.Height(ask, i); err == nil {
				best = max(best, height)
			}
			cancel()
		}
		say(fmt.Sprintf("%s height %d, %d of %d nodes up", time.Now().Format(time.TimeOnly), best, up, len(network.Nodes())))
	}
}
