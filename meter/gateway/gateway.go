package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/spool"
)

// Opener makes the source of a meter. A source that holds a connection of its
// own is also an io.Closer.
type Opener func(Meter) (device.Source, error)

// Options of a gateway.
type Options struct {
	// Home is the folder of the spool and of what else the gateway keeps.
	Home string
	// ConfigFile is read again by Reload.
	ConfigFile string
	// Key signs readings and envelopes.
	Key client.Key
	// Open makes sources, by the name of their kind.
	Open map[string]Opener
	Log  *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Gateway is an open gateway.
type Gateway struct {
	options Options
	key     client.Key
	log     *slog.Logger
	now     func() time.Time
	spool   *spool.Spool
	serials *serials
	state   *state

	current  atomic.Pointer[Config]
	learnt   atomic.Pointer[learnt]
	good     atomic.Pointer[[]string] // nodes that can be used, as the last survey found; nil without one
	limit    atomic.Int64             // readings an envelope may hold, as the chain's refusals taught; 0 without
	taken    chan kept
	awake    chan struct{}
	reloaded chan struct{}

	mu      sync.Mutex
	pollers map[string]*runningPoller
}

// runningPoller is a poller with the way to end it.
type runningPoller struct {
	*poller
	stop func()
	done chan struct{}
}

// SpoolDir returns the spool's folder within a home.
func SpoolDir(home string) string { return filepath.Join(home, "spool") }

// New opens a gateway. Run runs it, Close closes it.
func New(o Options) (*Gateway, error) {
	config, err := ReadConfig(o.ConfigFile)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gateway{
		options: o, key: o.Key, log: o.Log, now: o.Now, state: newState(),
		taken: make(chan kept), awake: make(chan struct{}, 1), reloaded: make(chan struct{}, 1), pollers: make(map[string]*runningPoller),
	}
	g.current.Store(config)
	known, err := readLearnt(learntFile(o.Home), config.ChainID)
	if err != nil {
		o.Log.Warn("what the chain said before is not used", "error", err)
	}
	g.learnt.Store(known)
	if g.serials, err = openSerials(filepath.Join(o.Home, "serials.json")); err != nil {
		return nil, err
	}
	g.spool, err = spool.Open(SpoolDir(o.Home), spool.Options{MaxBytes: config.SpoolBytes})
	return g, err
}

// Close closes the spool.
func (g *Gateway) Close() error { return g.spool.Close() }

func (g *Gateway) config() *Config { return g.current.Load() }

// wake tells the uplink that something waits.
func (g *Gateway) wake() {
	select {
	case g.awake <- struct{}{}:
	default:
	}
}

// Run polls, signs and sends until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	stopRecorder := make(chan struct{})
	var recorder, others sync.WaitGroup
	recorder.Go(func() { g.record(stopRecorder) })
	up := &uplink{Gateway: g, pauses: backoff{first: firstPause, longest: longestPause}, retry: backoff{first: firstRetry, longest: longestRetry}}
	others.Go(func() { up.run(ctx) })
	others.Go(func() { g.watch(ctx) })
	err := g.startPollers(ctx, g.config().Meters)
	if err == nil {
		<-ctx.Done()
	}
	g.stopPollers(func(Meter) bool { return true })
	close(stopRecorder)
	recorder.Wait()
	if err == nil {
		others.Wait()
	}
	return err
}

// startPollers starts those meters that do not run yet.
func (g *Gateway) startPollers(ctx context.Context, meters []Meter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range meters {
		if g.pollers[m.Name] != nil {
			continue
		}
		source, err := g.open(m)
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(ctx)
		p := &runningPoller{poller: g.newPoller(m, source), stop: stop, done: make(chan struct{})}
		g.pollers[m.Name] = p
		go func() {
			defer close(p.done)
			p.run(ctx)
			if closer, ok := p.source.(interface{ Close() error }); ok {
				if err := closer.Close(); err != nil {
					g.log.Debug("close a source", "meter", m.Name, "error", err)
				}
			}
		}()
	}
	return nil
}

func (g *Gateway) open(m Meter) (device.Source, error) {
	open, ok := g.options.Open[m.Source]
	if !ok {
		return nil, fmt.Errorf("meter %s: source: this program has none of kind %q", m.Name, m.Source)
	}
	source, err := open(m)
	if err != nil {
		return nil, fmt.Errorf("meter %s: %w", m.Name, err)
	}
	return source, nil
}

// stopPollers ends those that choose picks, and waits for them.
func (g *Gateway) stopPollers(choose func(Meter) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, p := range g.pollers {
		if choose(p.meter) {
			p.stop()
			<-p.done
			delete(g.pollers, name)
			g.state.forget(name)
		}
	}
}

// running returns the pollers.
func (g *Gateway) running() []*poller {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*poller
	for _, p := range g.pollers {
		all = append(all, p.poller)
	}
	return all
}

// ErrRestart says that a change of the configuration needs a restart.
var ErrRestart = errors.New("takes a restart to change")

// Reload reads the configuration again. Meters whose entry did not change are
// polled on without a break. What is wrong changes nothing. The chain is asked
// again, too. ctx is Run's.
func (g *Gateway) Reload(ctx context.Context) error {
	next, err := ReadConfig(g.options.ConfigFile)
	if err != nil {
		return err
	}
	old := g.config()
	for _, fixed := range []struct {
		field    string
		old, new any
	}{
		{"chain_id", old.ChainID, next.ChainID},
		{"key", old.Key, next.Key},
		{"listen", old.Listen, next.Listen},
		{"spool_mib", old.SpoolBytes, next.SpoolBytes},
	} {
		if fixed.old != fixed.new {
			return fmt.Errorf("%s: %s %w", g.options.ConfigFile, fixed.field, ErrRestart)
		}
	}
	keep := make(map[string]Meter)
	for _, m := range next.Meters {
		keep[m.Name] = m
		// A mistake in a meter is found before anything is stopped.
		if g.isRunning(m) {
			continue
		}
		source, err := g.open(m)
		if err != nil {
			return err
		}
		if closer, ok := source.(interface{ Close() error }); ok {
			if err := closer.Close(); err != nil {
				return fmt.Errorf("meter %s: %w", m.Name, err)
			}
		}
	}
	g.current.Store(next)
	g.good.Store(nil)
	select {
	case g.reloaded <- struct{}{}:
	default:
	}
	g.stopPollers(func(m Meter) bool { return keep[m.Name] != m })
	return g.startPollers(ctx, next.Meters)
}

func (g *Gateway) isRunning(m Meter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.pollers[m.Name]
	return p != nil && p.meter == m
}
