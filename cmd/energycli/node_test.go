package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/internal/testkit"
	inprocess "github.com/energyd/energyd/internal/testkit/node"
)

// node is a node in process whose members send messages.
type node struct{ *inprocess.Node }

// newNode starts a node of a chain with two members that hold 100 coins.
func newNode(t *testing.T, edits ...func(*app.Genesis)) *node { return newNodeOf(t, 2, edits...) }

// newNodeOf starts one of a chain with so many members.
func newNodeOf(t *testing.T, members int, edits ...func(*app.Genesis)) *node {
	t.Helper()
	return &node{inprocess.New(t, members, 100_000_000, edits...)}
}

// must makes a block in which members' messages succeed, each in a transaction of
// its own; the number -1 is the authority, which proposes.
func (n *node) must(msgs ...sent) {
	var txs [][]byte
	n.With(func() {
		for _, m := range msgs {
			if m.by < 0 {
				txs = append(txs, n.Chain.Propose(m.msg))
			} else {
				txs = append(txs, n.Chain.Tx(n.Members[m.by].Key, m.msg))
			}
		}
	})
	made := n.Block(time.Second, txs...)
	if len(made.Txs) != len(txs) {
		n.Chain.T.Fatalf("%d of %d messages are in the block", len(made.Txs), len(txs))
	}
	for i, result := range made.Results {
		if result.Code != 0 {
			n.Chain.T.Fatalf("transaction %d: %s", i, result.Log)
		}
	}
}

// sent is a message of the member with a number.
type sent struct {
	by  int
	msg proto.Message
}

// be makes the node silent or syncing.
func (n *node) be(silent, syncing bool) {
	n.With(func() { n.Silent, n.Syncing = silent, syncing })
}

// user is somebody at the command line with a home of their own.
type user struct {
	t    *testing.T
	node *node
	home string
	env  map[string]string
}

// newUser has the keys of the test chain in the keystore: authority,
// aggregator, and member0 and member1, all under one passphrase.
func newUser(t *testing.T, n *node) *user {
	t.Helper()
	u := &user{t: t, node: n, home: t.TempDir(), env: map[string]string{}}
	passphrase := filepath.Join(u.home, "passphrase")
	if err := os.WriteFile(passphrase, []byte("words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := client.OpenKeystore(filepath.Join(u.home, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]client.Key{"authority": n.Chain.Authority, "aggregator": n.Chain.Aggregator, "stranger": testkit.NewKey("stranger")}
	for i, m := range n.Members {
		keys[fmt.Sprintf("member%d", i)] = m.Key
	}
	for name, key := range keys {
		if err := store.Import(name, "words", 16, key); err != nil {
			t.Fatal(err)
		}
	}
	u.env = map[string]string{
		"ENERGYD_HOME": u.home, "ENERGYD_NODE": n.URL, "ENERGYD_PASSPHRASE_FILE": passphrase, "ENERGYD_TIMEOUT": "20s",
	}
	return u
}

// run runs a command line, its arguments separated by spaces.
func (u *user) run(stdin, line string) (out string, code int, text string) {
	u.t.Helper()
	return u.runContext(context.Background(), stdin, line)
}

func (u *user) runContext(ctx context.Context, stdin, line string) (out string, code int, text string) {
	u.t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRoot(func(name string) (string, bool) { value, ok := u.env[name]; return value, ok })
	root.SetArgs(strings.Fields(line))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	cmd, err := root.ExecuteContextC(ctx)
	text = stderr.String()
	if err != nil {
		text += describe(cmd, err)
	}
	return stdout.String(), exitCode(err), text
}

// must runs a command that succeeds, and returns what it prints.
func (u *user) must(line string) string {
	u.t.Helper()
	out, code, text := u.run("", line)
	if code != exitOK {
		u.t.Fatalf("%s: exit code %d: %s", line, code, text)
	}
	return out
}
