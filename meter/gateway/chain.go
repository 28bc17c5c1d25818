package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/protocol"
)

const (
	// unknownInterval is how often readings are signed until the chain has said
	// how long its periods are.
	unknownInterval = time.Minute
	// watchEvery is how often the chain is asked for what the gateway follows.
	watchEvery = time.Minute
	// nodeTime is how long a node may take to say who it is.
	nodeTime = 5 * time.Second
)

// interval is how often a reading is signed: what the chain asks, but not more
// often than the configuration allows. Where either is silent, the other holds.
func (g *Gateway) interval() time.Duration {
	learnt, local := g.learnt.Load(), g.config().Interval
	switch {
	case learnt.ReadingMs > 0:
		return max(inMs(learnt.ReadingMs), local)
	case local > 0:
		return local
	case learnt.PeriodMs > 0:
		return inMs(learnt.PeriodMs)
	}
	return unknownInterval
}

func inMs(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// watch follows what the chain says, and the swaps of meters that are withheld,
// until ctx ends.
func (g *Gateway) watch(ctx context.Context) {
	for {
		wait := watchEvery
		if err := g.look(ctx); err != nil {
			wait = min(wait, 10*time.Second)
			g.log.Debug("the chain does not answer", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-g.reloaded:
		case <-time.After(wait):
		}
	}
}

// look asks the chain once.
func (g *Gateway) look(ctx context.Context) error {
	nodes, err := g.survey(ctx)
	if err != nil {
		return err
	}
	c, err := client.New(nodes...)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := g.ask(ctx, c)
	if err != nil {
		return err
	}
	g.learn(found)
	return g.lookForSwaps(ctx, c)
}

// ask returns what the chain says of the gateway. One that it does not know yet
// has no settings.
func (g *Gateway) ask(ctx context.Context, c *client.Client) (*learnt, error) {
	params := new(registryv1.QueryParamsResponse)
	if _, err := c.Query(ctx, &registryv1.QueryParamsRequest{}, params, 0); err != nil {
		return nil, err
	}
	if got := params.Chain.GetChainId(); got != g.config().ChainID {
		return nil, fmt.Errorf("the answer is of chain %q, expected chain_id %q", got, g.config().ChainID)
	}
	own := protocol.KeyAddress(g.key.Public())
	settings := new(registryv1.QueryGatewayResponse)
	endpoints := new(registryv1.QueryEndpointsResponse)
	for _, q := range []struct{ request, answer proto.Message }{
		{&registryv1.QueryGatewayRequest{Gateway: own[:]}, settings},
		{&registryv1.QueryEndpointsRequest{}, endpoints},
	} {
		_, err := c.Query(ctx, q.request, q.answer, 0)
		if _, refused := errors.AsType[*client.Rejected](err); err != nil && !refused {
			return nil, err
		}
	}
	found := &learnt{
		ChainID: g.config().ChainID, PeriodMs: params.Chain.PeriodLengthMs,
		ReadingMs: settings.Settings.GetReadingIntervalMs(), UploadMs: settings.Settings.GetUploadIntervalMs(),
	}
	for _, e := range endpoints.Endpoints {
		found.Nodes = append(found.Nodes, e.Urls...)
	}
	return found, nil
}

func (g *Gateway) lookForSwaps(ctx context.Context, c *client.Client) error {
	for _, p := range g.running() {
		if !withheld[g.state.quality(p.meter.Name)] {
			continue
		}
		state := new(meteringv1.QueryMeterStateResponse)
		if _, err := c.Query(ctx, &meteringv1.QueryMeterStateRequest{Meter: p.meter.Name}, state, 0); err != nil {
			return err
		}
		if at := state.State.GetSwappedMs(); at > 0 {
			select {
			case p.swaps <- at:
			default:
			}
		}
	}
	return nil
}

// withheld are the states that only a swap on chain ends.
var withheld = map[device.Quality]bool{device.WentBack: true, device.Replaced: true, device.RolledOver: true}

// usable returns the nodes that the last survey found good, or surveys them.
func (g *Gateway) usable(ctx context.Context) ([]string, error) {
	if nodes := g.good.Load(); nodes != nil {
		return *nodes, nil
	}
	return g.survey(ctx)
}

// survey asks all nodes at once who they are, and returns those that can be
// used: of the chain, and not behind. The configured ones come first.
func (g *Gateway) survey(ctx context.Context) ([]string, error) {
	nodes := g.nodes()
	verdicts := make([]error, len(nodes))
	var asked sync.WaitGroup
	for i, node := range nodes {
		asked.Go(func() { verdicts[i] = checkAddress(ctx, node, g.config().ChainID) })
	}
	asked.Wait()
	var good []string
	for i, node := range nodes {
		if verdicts[i] == nil {
			good = append(good, node)
		}
	}
	if len(good) == 0 {
		g.good.Store(nil)
		return nil, fmt.Errorf("none of %d nodes can be used; %s: %w", len(nodes), nodes[0], verdicts[0])
	}
	g.good.Store(&good)
	return good, nil
}

// checkAddress demands a node of the chain that has caught up.
func checkAddress(ctx context.Context, node, chainID string) error {
	c, err := client.New(node)
	if err != nil {
		return err
	}
	defer c.Close()
	return checkNode(ctx, c, chainID)
}

// checkNode demands the chain and a node that has caught up.
func checkNode(ctx context.Context, c *client.Client, chainID string) error {
	ctx, cancel := context.WithTimeout(ctx, nodeTime)
	defer cancel()
	status, err := c.Status(ctx)
	switch {
	case err != nil:
		return err
	case status.ChainID != chainID:
		return fmt.Errorf("the node is of chain %q, expected chain_id %q", status.ChainID, chainID)
	case status.CatchingUp:
		return fmt.Errorf("the node is still syncing, at height %d", status.Height)
	}
	return nil
}
