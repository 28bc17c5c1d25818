package grid

import (
	"errors"
	"fmt"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// Limits of the fields. With them no sum of losses overflows.
const (
	// MaxItems bounds the nodes, lines, removed nodes and removed lines of one
	// message, each.
	MaxItems = 2000
	// MaxLengthMM bounds lengths (1000 km) and the size of coordinates.
	MaxLengthMM = 1_000_000_000
)

func checkSetTopology(_ string, msg *gridv1.MsgSetTopology) error {
	for _, list := range []struct {
		field string
		size  int
	}{
		{"nodes", len(msg.Nodes)},
		{"lines", len(msg.Lines)},
		{"removed_lines", len(msg.RemovedLines)},
		{"removed_nodes", len(msg.RemovedNodes)},
	} {
		if list.size > MaxItems {
			return ErrField.With("%s: expected at most %d, got %d", list.field, MaxItems, list.size)
		}
	}
	if len(msg.Nodes)+len(msg.Lines)+len(msg.RemovedLines)+len(msg.RemovedNodes) == 0 {
		return ErrField.With("nodes: expected a node, line or removal, got none")
	}
	if err := checkNodes(msg.Nodes, msg.RemovedNodes); err != nil {
		return err
	}
	return checkLines(msg.Lines, msg.RemovedLines)
}

func checkNodes(set []*gridv1.Node, removed []string) error {
	seen := make(map[string]bool, len(set)+len(removed))
	for i, node := range set {
		if err := checkNode(node); err != nil {
			return ErrField.With("nodes[%d].%v", i, err)
		}
		if seen[node.Node] {
			return ErrDuplicate.With("nodes[%d].node: %q is named twice", i, node.Node)
		}
		seen[node.Node] = true
	}
	for i, name := range removed {
		if err := protocol.CheckName(name); err != nil {
			return ErrField.With("removed_nodes[%d]: %v", i, err)
		}
		if seen[name] {
			return ErrDuplicate.With("removed_nodes[%d]: %q is named twice", i, name)
		}
		seen[name] = true
	}
	return nil
}

func checkLines(set, removed []*gridv1.Line) error {
	type pair struct{ from, to string }
	seen := make(map[pair]bool, len(set))
	for i, line := range set {
		if err := checkLine(line); err != nil {
			return ErrField.With("lines[%d].%v", i, err)
		}
		both := pair{line.From, line.To}
		if seen[both] {
			return ErrDuplicate.With("lines[%d]: %s to %s is named twice", i, line.From, line.To)
		}
		seen[both] = true
	}
	gone := make(map[pair]bool, len(removed))
	for i, line := range removed {
		if err := checkEnds(line); err != nil {
			return ErrField.With("removed_lines[%d].%v", i, err)
		}
		both := pair{line.From, line.To}
		if seen[both] || gone[both] {
			return ErrDuplicate.With("removed_lines[%d]: %s to %s is named twice", i, line.From, line.To)
		}
		gone[both] = true
	}
	return nil
}

// checkRange says what is wrong with one field; the caller adds the code and
// the place in the message.
func checkRange(field string, value, low, high int64) error {
	if value < low || value > high {
		return fmt.Errorf("%s: expected %d to %d, got %d", field, low, high, value)
	}
	return nil
}

func checkNode(node *gridv1.Node) error {
	if err := protocol.CheckName(node.GetNode()); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := checkZone(node.Zone); err != nil {
		return fmt.Errorf("zone: %w", err)
	}
	if err := checkRange("router_loss_ppm", node.RouterLossPpm, 0, units.PPM); err != nil {
		return err
	}
	if (node.XMm == nil) != (node.YMm == nil) {
		return errors.New("x_mm: expected both x_mm and y_mm or neither")
	}
	if err := checkRange("path_mm", node.GetPathMm(), 0, MaxLengthMM); err != nil {
		return err
	}
	if err := checkRange("x_mm", node.GetXMm(), -MaxLengthMM, MaxLengthMM); err != nil {
		return err
	}
	return checkRange("y_mm", node.GetYMm(), -MaxLengthMM, MaxLengthMM)
}

// MaxCapacityW bounds a line's capacity: 10 GW.
const MaxCapacityW = 10_000_000_000

func checkLine(line *gridv1.Line) error {
	if err := checkEnds(line); err != nil {
		return err
	}
	if err := checkRange("length_mm", line.LengthMm, 0, MaxLengthMM); err != nil {
		return err
	}
	if err := checkRange("loss_ppm_per_km", line.GetLossPpmPerKm(), 0, units.PPM); err != nil {
		return err
	}
	return checkRange("capacity_w", line.CapacityW, 0, MaxCapacityW)
}

func checkEnds(line *gridv1.Line) error {
	if err := protocol.CheckName(line.GetFrom()); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if err := protocol.CheckName(line.GetTo()); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if line.From == line.To {
		return fmt.Errorf("to: expected another node than from, got %q", line.To)
	}
	return nil
}

// setTopology removes lines, then nodes, then sets nodes, then lines.
func setTopology(ctx *module.Ctx, msg *gridv1.MsgSetTopology) error {
	for _, line := range msg.RemovedLines {
		if !lines.Has(ctx.Store, lineKey(line.From, line.To)) {
			return ErrUnknownLine.With("removed_lines: no line from %q to %q", line.From, line.To)
		}
		lines.Delete(ctx.Store, lineKey(line.From, line.To))
		ends.Delete(ctx.Store, endKey(line.From, line.To))
	}
	if err := removeNodes(ctx, msg.RemovedNodes); err != nil {
		return err
	}
	if err := writeTopology(ctx.Store, msg.Nodes, msg.Lines); err != nil {
		return err
	}
	ctx.Emit(&gridv1.TopologyChanged{
		Nodes: int64(len(msg.Nodes) + len(msg.RemovedNodes)),
		Lines: int64(len(msg.Lines) + len(msg.RemovedLines)),
	})
	return nil
}

func removeNodes(ctx *module.Ctx, names []string) error {
	if len(names) == 0 {
		return nil
	}
	connected := make(map[string]protocol.Address)
	for account := range registry.Accounts(ctx.Store) {
		connected[account.GridNode] = protocol.Address(account.Account)
	}
	for _, name := range names {
		if !HasNode(ctx.Store, name) {
			return ErrUnknownNode.With("removed_nodes: no node %q", name)
		}
		if hasLinesAt(ctx.Store, name) {
			return ErrNodeInUse.With("removed_nodes: a line ends at %q", name)
		}
		if account, ok := connected[name]; ok {
			return ErrNodeInUse.With("removed_nodes: account %s is connected to %q", account, name)
		}
		nodes.Delete(ctx.Store, nodes.Key().Name(name))
	}
	return nil
}

// writeTopology sets nodes, then lines between existing nodes.
func writeTopology(store state.Store, newNodes []*gridv1.Node, newLines []*gridv1.Line) error {
	for _, node := range newNodes {
		nodes.Set(store, nodes.Key().Name(node.Node), node)
	}
	for i, line := range newLines {
		for _, end := range []string{line.From, line.To} {
			if !HasNode(store, end) {
				return ErrUnknownNode.With("lines[%d]: no node %q", i, end)
			}
		}
		lines.Set(store, lineKey(line.From, line.To), line)
		ends.Set(store, endKey(line.From, line.To), &gridv1.Line{})
	}
	for i, line := range newLines {
		back, ok := lines.Get(store, lineKey(line.To, line.From))
		if ok && (!line.OneWay || !back.OneWay) {
			return ErrDuplicate.With("lines[%d]: %s and %s are joined twice: a two-way line needs no second one", i, line.From, line.To)
		}
	}
	return nil
}
