package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/energyd/energyd/client"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/dispatch"
)

const (
	// planEvery is how often the chain is asked what devices are to do; more
	// often where a watchdog is short.
	planEvery = 10 * time.Second
	// planTime is how long the answer may take.
	planTime = 10 * time.Second
	// planPeriods is how many periods are asked for at least, and at most.
	planPeriods, mostPlanPeriods = 4, 32
)

// BusOpener makes the connection to a device. One that is to be closed is also
// an io.Closer.
type BusOpener func(url string) (dispatch.Bus, error)

// runningDevice is a device with the way to end it.
type runningDevice struct {
	output dispatch.Output
	stop   func()
	done   chan struct{}
}

// startDevices starts those that do not run yet.
func (g *Gateway) startDevices(ctx context.Context, outputs []dispatch.Output) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range outputs {
		if g.devices[o.Name] != nil {
			continue
		}
		bus, err := g.openBus(o)
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(ctx)
		running := &runningDevice{output: o, stop: stop, done: make(chan struct{})}
		g.devices[o.Name] = running
		device := dispatch.NewDevice(o, bus, dispatch.Options{
			Timeout: o.Timeout * time.Duration(g.config().sharing(o.URL)), Now: g.now, Plan: g.plan.Load,
			Report:      func(s dispatch.State) { g.state.steered(o.Name, s) },
			Acknowledge: g.acknowledge,
		})
		go func() {
			defer close(running.done)
			device.Run(ctx)
			closeBus(bus, g, o.Name)
		}()
	}
	return nil
}

func (g *Gateway) openBus(o dispatch.Output) (dispatch.Bus, error) {
	if g.options.OpenBus == nil {
		return nil, fmt.Errorf("device %s: this program steers none", o.Name)
	}
	bus, err := g.options.OpenBus(o.URL)
	if err != nil {
		return nil, fmt.Errorf("device %s: url: %w", o.Name, err)
	}
	return bus, nil
}

func closeBus(bus dispatch.Bus, g *Gateway, device string) {
	if closer, ok := bus.(interface{ Close() error }); ok {
		if err := closer.Close(); err != nil {
			g.log.Debug("close a bus", "device", device, "error", err)
		}
	}
}

// stopDevices ends those that choose picks, all at once, and waits until each is
// in its safe state or could not be brought there.
func (g *Gateway) stopDevices(choose func(dispatch.Output) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range g.devices {
		if choose(d.output) {
			d.stop()
		}
	}
	for name, d := range g.devices {
		if choose(d.output) {
			<-d.done
			delete(g.devices, name)
		}
	}
}

// acknowledge keeps what became of a device until a block holds it.
func (g *Gateway) acknowledge(ack *dispatchv1.Acknowledgement) {
	g.log.Info("dispatch", "device", ack.Device, "outcome", ack.Outcome, "applied W", ack.AppliedW, "period", ack.Period)
	g.state.acknowledged(ack)
	if err := g.outbox.Add(ack); err != nil {
		g.log.Error("an acknowledgement is kept in memory only", "device", ack.Device, "error", err)
	}
	g.wake()
}

// follow keeps the plan and the status file until ctx ends.
func (g *Gateway) follow(ctx context.Context) {
	var due time.Time // by the system's clock
	at := 0           // node to ask
	refused := make(map[string]int64)
	for {
		if devices := g.config().Devices; len(devices) > 0 && time.Now().After(due) {
			err := g.renew(ctx, at)
			if err != nil {
				at++
			}
			if news := g.state.planned(err); news && ctx.Err() == nil {
				if err == nil {
					g.log.Info("the schedule is renewed again")
				} else {
					g.log.Warn("the schedule is not renewed", "error", err)
				}
			}
			g.refuseStrangers(refused)
			due = time.Now().Add(planPause(devices))
		}
		if err := g.status.write(g); err != nil {
			g.log.Warn("status file", "error", err)
		}
		if !pause(ctx, time.Second) {
			return
		}
	}
}

// refuseStrangers acknowledges once a period that devices which the chain has
// this gateway steer are not in its configuration; refused is by device.
func (g *Gateway) refuseStrangers(refused map[string]int64) {
	known := make(map[string]bool)
	for _, o := range g.config().Devices {
		known[o.Name] = true
	}
	for _, ack := range g.plan.Load().Strangers(known, g.now()) {
		if refused[ack.Device] != ack.Period {
			refused[ack.Device] = ack.Period
			g.acknowledge(ack)
		}
	}
}

// planPause is how long to wait between two plans: three go into the shortest
// watchdog.
func planPause(devices []dispatch.Output) time.Duration {
	wait := planEvery
	for _, o := range devices {
		wait = min(wait, o.Watchdog/3)
	}
	return wait
}

// renew asks a node what the devices are to do, and follows that if it can be
// right.
func (g *Gateway) renew(ctx context.Context, at int) error {
	ctx, cancel := context.WithTimeout(ctx, planTime)
	defer cancel()
	nodes := g.nodes()
	c, err := client.New(nodes[at%len(nodes)])
	if err != nil {
		return err
	}
	defer c.Close()
	if err := checkNode(ctx, c, g.config().ChainID); err != nil {
		return err
	}
	next, err := g.fetch(ctx, c)
	if err != nil {
		return err
	}
	plan, err := g.plan.Load().Renewed(next)
	g.plan.Store(plan)
	return err
}

// fetch asks for the plan of all devices of the gateway.
func (g *Gateway) fetch(ctx context.Context, c *client.Client) (*dispatch.Plan, error) {
	address := g.key.Address()
	request := &dispatchv1.QueryGatewayDispatchRequest{Gateway: address[:], Periods: g.periodsAhead(), Limit: 1000}
	plan := &dispatch.Plan{Devices: make(map[string]*dispatchv1.DeviceDispatch)}
	for {
		answer := new(dispatchv1.QueryGatewayDispatchResponse)
		if _, err := c.Query(ctx, request, answer, 0); err != nil {
			return nil, err
		}
		if answer.PeriodLengthMs <= 0 {
			return nil, errors.New("the chain does not say how long its periods are")
		}
		plan.At, plan.Block, plan.PeriodMs = g.now(), time.UnixMilli(answer.TimeMs), answer.PeriodLengthMs
		for _, found := range answer.Devices {
			plan.Devices[found.Device.GetDevice()] = found
		}
		if answer.NextAfter == "" || answer.NextAfter == request.After {
			return plan, nil
		}
		request.After = answer.NextAfter
	}
}

// periodsAhead is how many periods of the schedule may be of use before a
// watchdog ends it.
func (g *Gateway) periodsAhead() int64 {
	ahead := int64(planPeriods)
	for _, o := range g.config().Devices {
		if ms := g.learnt.Load().PeriodMs; ms > 0 {
			ahead = max(ahead, o.Watchdog.Milliseconds()/ms+2)
		}
	}
	return min(ahead, mostPlanPeriods)
}
