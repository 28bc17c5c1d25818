package grid

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

func TestSetTopology(t *testing.T) {
	c := newChain(t)
	if HasNode(c.Store, "a") || HasNode(c.Store, strings.Repeat("x", 40)) {
		t.Error("nodes before any was set")
	}
	c.must(&gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("a", 0), node("b", 0), node("c", 0)}})
	if !Reachable(c.Store, "c") || Reachable(c.Store, "d") {
		t.Error("without lines every node is reachable and no other")
	}
	c.must(&gridv1.MsgSetTopology{Lines: []*gridv1.Line{line("a", "b", 1_000_000)}})
	if !Reachable(c.Store, "a") || !Reachable(c.Store, "b") || Reachable(c.Store, "c") {
		t.Error("with lines exactly the nodes with lines are reachable")
	}
	if got := c.loss("a", "b"); got != 10_000 {
		t.Errorf("a to b: expected 10000 ppm, got %d", got)
	}
	// Replaced line, then all of it removed in one message.
	c.must(&gridv1.MsgSetTopology{Lines: []*gridv1.Line{lossy("a", "b", 1_000_000, 500)}})
	if got := c.loss("b", "a"); got != 500 {
		t.Errorf("b to a: expected 500 ppm, got %d", got)
	}
	c.must(&gridv1.MsgSetTopology{
		RemovedLines: []*gridv1.Line{{From: "a", To: "b"}},
		RemovedNodes: []string{"b"},
		Nodes:        []*gridv1.Node{node("d", 7)},
		Lines:        []*gridv1.Line{line("d", "a", 1)},
	})
	if HasNode(c.Store, "b") || !HasNode(c.Store, "d") || Reachable(c.Store, "b") {
		t.Error("expected b to be gone and d to be there")
	}
	last := c.events[len(c.events)-1]
	if want := (&gridv1.TopologyChanged{Nodes: 2, Lines: 2}); !proto.Equal(last, want) {
		t.Errorf("expected the event %v, got %v", want, last)
	}
}

func TestSetTopologyRefused(t *testing.T) {
	key := bytes.Repeat([]byte{5}, 32)
	address := protocol.KeyAddress(key)
	c := newChain(t, &registryv1.Account{
		Account: address[:], Keys: [][]byte{key}, Identity: make([]byte, 32), GridNode: "home",
		Roles:  []registryv1.Role{registryv1.Role_ROLE_PROSUMER},
		Status: registryv1.Status_STATUS_ACTIVE, ConnectionRatingW: 10_000, TariffClass: "home",
	})
	c.must(&gridv1.MsgSetTopology{
		Nodes: []*gridv1.Node{node("a", 0), node("b", 0), node("home", 0)},
		Lines: []*gridv1.Line{line("a", "b", 1)},
	})
	many := make([]*gridv1.Node, MaxItems+1)
	for i := range many {
		many[i] = node("n", 0)
	}
	for _, test := range []struct {
		name string
		msg  *gridv1.MsgSetTopology
		want error
	}{
		{"empty", &gridv1.MsgSetTopology{}, ErrField},
		{"too many", &gridv1.MsgSetTopology{Nodes: many}, ErrField},
		{"nil node", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{nil}}, ErrField},
		{"nil line", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{nil}}, ErrField},
		{"name", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("A", 0)}}, ErrField},
		{"router loss", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("x", 1_000_001)}}, ErrField},
		{"negative router loss", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("x", -1)}}, ErrField},
		{"path", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{{Node: "x", PathMm: new(int64(-1))}}}, ErrField},
		{"half a place", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{{Node: "x", XMm: new(int64(1))}}}, ErrField},
		{"far away", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{{Node: "x", XMm: new(int64(0)), YMm: new(int64(-1_000_000_001))}}}, ErrField},
		{"length", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{line("a", "b", 1_000_000_001)}}, ErrField},
		{"loss", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{lossy("a", "b", 1, 1_000_001)}}, ErrField},
		{"loop", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{line("a", "a", 1)}}, ErrField},
		{"removed name", &gridv1.MsgSetTopology{RemovedNodes: []string{""}}, ErrField},
		{"removed end", &gridv1.MsgSetTopology{RemovedLines: []*gridv1.Line{{From: "a"}}}, ErrField},
		{"node twice", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("x", 0), node("x", 0)}}, ErrDuplicate},
		{"set and removed", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("x", 0)}, RemovedNodes: []string{"x"}}, ErrDuplicate},
		{"line twice", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{line("a", "b", 1), line("a", "b", 2)}}, ErrDuplicate},
		{"line set and removed", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{line("a", "b", 1)}, RemovedLines: []*gridv1.Line{line("a", "b", 1)}}, ErrDuplicate},
		{"joined again backwards", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{line("b", "a", 1)}}, ErrDuplicate},
		{"one way back beside two ways", &gridv1.MsgSetTopology{Lines: []*gridv1.Line{oneWay(line("b", "a", 1))}}, ErrDuplicate},
		{"unknown end", &gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("x", 0)}, Lines: []*gridv1.Line{line("a", "y", 1)}}, ErrUnknownNode},
		{"unknown removed node", &gridv1.MsgSetTopology{RemovedNodes: []string{"y"}}, ErrUnknownNode},
		{"unknown removed line", &gridv1.MsgSetTopology{RemovedLines: []*gridv1.Line{line("b", "a", 1)}}, ErrUnknownLine},
		{"line ends there", &gridv1.MsgSetTopology{RemovedNodes: []string{"b"}}, ErrNodeInUse},
		{"account is there", &gridv1.MsgSetTopology{RemovedNodes: []string{"home"}}, ErrNodeInUse},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			c.refuse(test.msg, test.want)
		})
	}
	// Two one-way lines of opposite directions may join the same nodes.
	c.t = t
	c.must(&gridv1.MsgSetTopology{Lines: []*gridv1.Line{oneWay(line("a", "b", 1)), oneWay(line("b", "a", 2))}})
}
