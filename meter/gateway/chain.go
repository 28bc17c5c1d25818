package gateway

import (
	"context"
	"time"

	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/meter/device"
)

const (
	// unknownInterval is how often readings are signed until the chain has said
	// how long its periods are.
	unknownInterval = time.Minute
	// watchEvery is how often the chain is asked for what the gateway follows.
	watchEvery = time.Minute
)

// interval is how often a reading is signed.
func (g *Gateway) interval() time.Duration {
	if set := g.config().Interval; set > 0 {
		return set
	}
	if ms := g.periodMs.Load(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return unknownInterval
}

// watch follows the chain's period length, and the swaps of meters that are
// withheld, until ctx ends.
func (g *Gateway) watch(ctx context.Context) {
	for {
		wait := watchEvery
		if err := g.look(ctx); err != nil {
			wait = min(wait, 10*time.Second)
			g.log.Debug("the chain does not answer", "error", err)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

func (g *Gateway) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.New(g.config().Nodes...)
	if err != nil {
		return err
	}
	params := new(registryv1.QueryParamsResponse)
	if _, err := c.Query(ctx, &registryv1.QueryParamsRequest{}, params, 0); err != nil {
		return err
	}
	if params.Chain.GetChainId() == g.config().ChainID && params.Chain.PeriodLengthMs > 0 {
		g.periodMs.Store(params.Chain.PeriodLengthMs)
	}
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
