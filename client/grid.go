package client

import (
	"context"
	"slices"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
)

// Grid reads all nodes and lines in the order of their names, from the state of
// a height; 0 asks for the latest. A node tells the lines of one place at a time,
// so that a large grid takes as many questions as it has places.
func (c *Client) Grid(ctx context.Context, height int64) (nodes []*gridv1.Node, lines []*gridv1.Line, err error) {
	const page = 1000
	request := &gridv1.QueryNodesRequest{Limit: page}
	for {
		answer := new(gridv1.QueryNodesResponse)
		if _, err := c.Query(ctx, request, answer, height); err != nil {
			return nil, nil, err
		}
		nodes = append(nodes, answer.Nodes...)
		if len(answer.Nodes) < page {
			break
		}
		request.After = nodes[len(nodes)-1].Node
	}
	leaving := make([][]*gridv1.Line, len(nodes))
	for from := 0; from < len(nodes); from += askedAtOnce {
		if err := together(min(askedAtOnce, len(nodes)-from), func(i int) error {
			name, answer := nodes[from+i].Node, new(gridv1.QueryNodeResponse)
			if _, err := c.Query(ctx, &gridv1.QueryNodeRequest{Node: name}, answer, height); err != nil {
				return err
			}
			for _, line := range answer.Lines {
				if line.From == name { // at its other end it is told again
					leaving[from+i] = append(leaving[from+i], line)
				}
			}
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	for _, some := range leaving {
		lines = append(lines, some...)
	}
	return nodes, lines, nil
}

// ZoneFees reads what energy costs in a period on its way between the zones of
// some nodes, in ucoin per kWh: fees[i][j] is the fee from zones[i] to zones[j].
func (c *Client) ZoneFees(ctx context.Context, nodes []*gridv1.Node, period, height int64) (zones []string, fees [][]int64, err error) {
	for _, node := range nodes {
		if !slices.Contains(zones, node.Zone) {
			zones = append(zones, node.Zone)
		}
	}
	for _, from := range zones {
		row := make([]int64, len(zones))
		for j, to := range zones {
			answer := new(gridv1.QueryZoneFeeResponse)
			if _, err := c.Query(ctx, &gridv1.QueryZoneFeeRequest{FromZone: from, ToZone: to, Period: period}, answer, height); err != nil {
				return nil, nil, err
			}
			row[j] = answer.Fee.GetFeeUcoinPerKwh()
		}
		fees = append(fees, row)
	}
	return zones, fees, nil
}
