package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/dispatch"
)

// state is what the gateway says of itself.
type state struct {
	mu       sync.Mutex
	meters   map[string]*meterState
	devices  map[string]dispatch.State
	planErr  error
	storeErr error
	sendErr  error
	sendAt   time.Time // since when sendErr stands

	registry *prometheus.Registry
	polls    *prometheus.CounterVec
	signed   prometheus.Counter
	blocks   prometheus.Counter
	aside    *prometheus.CounterVec
	attempts *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	setW     *prometheus.GaugeVec
}

// meterState is how a meter was found by its latest poll.
type meterState struct {
	Quality  string    `json:"quality"`
	Reason   string    `json:"reason,omitempty"`
	PolledAt time.Time `json:"polled_at"`
	ImportWh int64     `json:"import_wh"`
	ExportWh int64     `json:"export_wh"`
	code     device.Quality
}

func newState() *state {
	s := &state{
		meters: make(map[string]*meterState), devices: make(map[string]dispatch.State), registry: prometheus.NewRegistry(),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "energymeter_polls_total", Help: "Reads of a meter by the quality of what they gave.",
		}, []string{"meter", "quality"}),
		signed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "energymeter_readings_signed_total", Help: "Readings signed and stored.",
		}),
		blocks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "energymeter_readings_committed_total", Help: "Readings that a block holds.",
		}),
		aside: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "energymeter_readings_refused_total", Help: "Readings set aside by the chain's code.",
		}, []string{"code"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "energymeter_sessions_total", Help: "Attempts to empty the spool by how they ended.",
		}, []string{"result"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "energymeter_dispatch_total", Help: "Outcomes of what the chain asked of a device.",
		}, []string{"device", "outcome"}),
		setW: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "energymeter_device_set_watts", Help: "What a device is set to, positive feeds out; absent while that is not known.",
		}, []string{"device"}),
	}
	s.registry.MustRegister(s.polls, s.signed, s.blocks, s.aside, s.attempts, s.outcomes, s.setW)
	return s
}

func (s *state) polled(meter string, snapshot device.Snapshot, quality device.Quality, err error, at time.Time) {
	found := &meterState{Quality: quality.String(), PolledAt: at, ImportWh: snapshot.ImportWh, ExportWh: snapshot.ExportWh, code: quality}
	if err != nil {
		found.Reason = err.Error()
	}
	s.polls.WithLabelValues(meter, found.Quality).Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meters[meter] = found
}

func (s *state) quality(meter string) device.Quality {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.meters[meter]; found != nil {
		return found.code
	}
	return device.Unread
}

func (s *state) forget(meter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.meters, meter)
}

func (s *state) stored(readings int, err error) {
	if err == nil {
		s.signed.Add(float64(readings))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storeErr = err
}

func (s *state) committed(readings int) { s.blocks.Add(float64(readings)) }

func (s *state) refused(code string) { s.aside.WithLabelValues(code).Inc() }

func (s *state) sent(err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	s.attempts.WithLabelValues(result).Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.sendErr == nil {
		s.sendAt = time.Now()
	}
	s.sendErr = err
}

// Health is the answer of /healthz.
type Health struct {
	OK bool `json:"ok"`
	// Problems in words, each with what it concerns.
	Problems []string `json:"problems"`
	Pending  uint64   `json:"pending"`
	Refused  int      `json:"refused"`
	// Meters by name.
	Meters map[string]*meterState `json:"meters"`
	// Devices by name.
	Devices map[string]dispatch.State `json:"devices,omitempty"`
}

// steered is told of each change of a device.
func (s *state) steered(device string, now dispatch.State) {
	if now.Set != nil {
		s.setW.WithLabelValues(device).Set(float64(now.Set.PowerW))
	} else {
		s.setW.DeleteLabelValues(device)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[device] = now
}

func (s *state) acknowledged(ack *dispatchv1.Acknowledgement) {
	s.outcomes.WithLabelValues(ack.Device, strings.ToLower(strings.TrimPrefix(ack.Outcome.String(), "OUTCOME_"))).Inc()
}

// forgetDevices forgets those that choose picks.
func (s *state) forgetDevices(choose func(name string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.devices {
		if choose(name) {
			s.setW.DeleteLabelValues(name)
			delete(s.devices, name)
		}
	}
}

// planned is told how the latest question for the plan ended, and says whether
// that is new.
func (s *state) planned(err error) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = (err == nil) != (s.planErr == nil)
	s.planErr = err
	return news
}

func (s *state) devicesNow() (map[string]dispatch.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.devices), s.planErr
}

// sendPatience is how long the chain may be away before the gateway says that
// it is not well; nothing is lost meanwhile.
const sendPatience = 15 * time.Minute

// Health says how the gateway is. A meter whose value cannot be signed, or that
// was not polled for three polls and a time-out, is a problem, and so is one whose
// latest reading the chain refused; older refusals are shown only.
func (g *Gateway) Health() Health {
	pending, refused := g.spool.Pending(), len(g.spool.Refused())
	config := g.config()
	lastRefused := make(map[string]string)
	for _, m := range config.Meters {
		lastRefused[m.Name] = g.spool.LastRefused(m.Name)
	}
	s := g.state
	s.mu.Lock()
	defer s.mu.Unlock()
	h := Health{Pending: pending, Refused: refused, Meters: maps.Clone(s.meters), Devices: maps.Clone(s.devices)}
	if s.storeErr != nil {
		h.Problems = append(h.Problems, "spool: "+s.storeErr.Error())
	}
	if s.sendErr != nil && time.Since(s.sendAt) > sendPatience {
		h.Problems = append(h.Problems, fmt.Sprintf("chain: since %s: %v", s.sendAt.UTC().Format(time.RFC3339), s.sendErr))
	}
	for _, m := range config.Meters {
		found := s.meters[m.Name]
		switch {
		case found == nil:
			h.Problems = append(h.Problems, "meter "+m.Name+": not polled yet")
		case g.now().Sub(found.PolledAt) > 3*config.Poll+config.timeout(m):
			h.Problems = append(h.Problems, "meter "+m.Name+": last polled at "+found.PolledAt.UTC().Format(time.RFC3339))
		case found.code != device.Measured && found.code != device.Gap:
			h.Problems = append(h.Problems, "meter "+m.Name+": "+found.Reason)
		case lastRefused[m.Name] != "":
			h.Problems = append(h.Problems, "meter "+m.Name+": the chain refused its latest reading: "+lastRefused[m.Name])
		}
	}
	for _, o := range config.Devices {
		if found := s.devices[o.Name]; found.Reason != "" {
			h.Problems = append(h.Problems, fmt.Sprintf("device %s: %s: %s", o.Name, found.Outcome, found.Reason))
		}
	}
	slices.Sort(h.Problems)
	h.OK = len(h.Problems) == 0
	return h
}

// Handler answers /metrics and /healthz, the latter with 503 where there is a
// problem.
func (g *Gateway) Handler() http.Handler {
	pending := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "energymeter_readings_pending", Help: "Readings that wait for a block.",
	}, func() float64 { return float64(g.spool.Pending()) })
	unacknowledged := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "energymeter_acknowledgements_pending", Help: "Acknowledgements of dispatch that wait for a block.",
	}, func() float64 { return float64(g.outbox.Waiting()) })
	// A second call registers nothing new.
	_ = g.state.registry.Register(pending)
	_ = g.state.registry.Register(unacknowledged)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(g.state.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		h := g.Health()
		w.Header().Set("Content-Type", "application/json")
		if !h.OK {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(h) // the caller may have gone
	})
	return mux
}
