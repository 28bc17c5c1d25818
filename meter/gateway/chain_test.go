package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit"
	inprocess "github.com/energyd/energyd/internal/testkit/node"
)

// secondKey is that of an aggregator beside the test chain's own.
var secondKey = testkit.NewKey("second aggregator")

func secondAggregator(g *app.Genesis) {
	account := secondKey.Address()
	g.Registry.Accounts = append(g.Registry.Accounts, &registryv1.Account{
		Account: account[:], Identity: make([]byte, 32), Roles: []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR}, Status: registryv1.Status_STATUS_ACTIVE,
		Keys: [][]byte{secondKey.Public()}, HomeAggregator: account[:], ValidatorKey: testkit.NewKey("second consensus").Public(), InitialReputation: 60,
	})
}

// say makes a block with a message; a key of nil proposes it.
func (n *node) say(by *client.Key, msg proto.Message) {
	n.Chain.T.Helper()
	var tx []byte
	n.With(func() {
		if by == nil {
			tx = n.Chain.Propose(msg)
		} else {
			tx = n.Chain.Tx(*by, msg)
		}
	})
	if made := n.Next(tx); len(made.Results) != 1 || made.Results[0].Code != 0 {
		n.Chain.T.Fatalf("%T: %v", msg, made.Results)
	}
}

// writeConfigOf writes a configuration without an interval.
func writeConfigOf(t testing.TB, home string, nodes []string, extra string, meters ...string) {
	t.Helper()
	path := writeConfig(t, home, nodes, extra, meters...)
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(data), "interval: 1s\n", "", 1)), 0o600))
}

// TestFailover: the node of the configuration goes away, and the gateway goes on
// through that of another aggregator, which the chain named; also after a
// restart meanwhile. No reading is lost or doubled.
func TestFailover(t *testing.T) {
	own, home := newNode(t, 1, secondAggregator), t.TempDir()
	other := &node{own.Peer(t)}
	own.say(&secondKey, &registryv1.MsgSetEndpoints{Urls: []string{other.URL}})
	dials, names := newDials(own.Members)
	writeConfig(t, home, []string{own.URL}, "", names...)
	g := open(t, home, dials)
	_, stop := run(t, g)
	eventually(t, "the other node learnt", func() bool { return slices.Equal(g.nodes(), []string{own.URL, other.URL}) })
	eventually(t, "a reading on chain", func() bool { return len(own.sequences(names[0])) > 0 })

	own.With(func() { own.Down = true })
	before := len(own.sequences(names[0]))
	eventually(t, "readings through the other node", func() bool { return len(own.sequences(names[0])) > before+1 })
	stop()
	must(t, g.Close())

	g = open(t, home, dials)
	before = len(own.sequences(names[0]))
	_, stop = run(t, g)
	eventually(t, "readings after a restart", func() bool { return len(own.sequences(names[0])) > before+1 })

	own.With(func() { own.Down = false })
	must(t, g.look(t.Context()))
	if good, err := g.usable(t.Context()); err != nil || !slices.Equal(good, []string{own.URL, other.URL}) {
		t.Errorf("nodes %v, %v, want the configured one first", good, err)
	}
	eventually(t, "nothing that waits", func() bool { return g.spool.Pending() == 0 })
	stop()
	follows(t, own.sequences(names[0]))

	// What the chain names no more is forgotten, also by the next start.
	second := secondKey.Address()
	own.say(nil, &registryv1.MsgRevoke{Account: second[:]})
	must(t, g.look(t.Context()))
	must(t, g.Close())
	if g = open(t, home, dials); !slices.Equal(g.nodes(), []string{own.URL}) {
		t.Errorf("nodes %v after the revocation", g.nodes())
	}
}

// TestSurvey: only nodes of the chain that have caught up are used, whoever
// named them.
func TestSurvey(t *testing.T) {
	own, home := newNode(t, 1), t.TempDir()
	good, foreign, syncing, down := own.Peer(t), own.Peer(t), own.Peer(t), own.Peer(t)
	own.With(func() { foreign.Foreign, syncing.Syncing, down.Down = true, true, true })
	own.say(&own.Chain.Aggregator, &registryv1.MsgSetEndpoints{Urls: []string{foreign.URL, syncing.URL, down.URL, good.URL}})
	writeConfig(t, home, []string{own.URL}, "")
	g := open(t, home, nil)
	must(t, g.look(t.Context()))
	if nodes, err := g.survey(t.Context()); err != nil || !slices.Equal(nodes, []string{own.URL, good.URL}) {
		t.Errorf("%v, %v can be used, want the good ones", nodes, err)
	}
	asked := func() (requests []int) {
		for _, n := range []*inprocess.Node{foreign, syncing} {
			requests = append(requests, n.Asked())
		}
		return requests
	}
	before := asked()
	u := &uplink{Gateway: g}
	sender, err := u.open(t.Context())
	must(t, err)
	defer sender.Close()
	if got := sender.URLs(); !slices.Equal(got, []string{own.URL, good.URL}) {
		t.Errorf("readings go to %v", got)
	}
	if !slices.Equal(before, asked()) {
		t.Error("a node that cannot be used was asked again")
	}
	own.With(func() { own.Down, good.Down = true, true })
	if nodes, err := g.survey(t.Context()); err == nil || !strings.Contains(err.Error(), "none of 5 nodes") || !strings.Contains(err.Error(), "no node answers") {
		t.Errorf("%v, %v, want none", nodes, err)
	}
	if g.good.Load() != nil {
		t.Error("nodes that went away are used")
	}
}

// TestRotation: after a failure the next node comes first; when other nodes can
// be used than before, the first.
func TestRotation(t *testing.T) {
	own, home := newNode(t, 1), t.TempDir()
	other := own.Peer(t)
	writeConfig(t, home, []string{own.URL, other.URL}, "")
	g := open(t, home, nil)
	u := &uplink{Gateway: g}
	first := func() string {
		t.Helper()
		sender, err := u.open(t.Context())
		must(t, err)
		defer sender.Close()
		return sender.URLs()[0]
	}
	if got := first(); got != own.URL {
		t.Errorf("at first %s", got)
	}
	u.at++
	if got := first(); got != other.URL {
		t.Errorf("after a failure %s", got)
	}
	own.With(func() { other.Down = true })
	g.good.Store(nil)
	if got := first(); got != own.URL || u.at != 0 {
		t.Errorf("when the other is away %s, at %d", got, u.at)
	}
}

// TestDiscoverNo: a gateway that is told so uses its own nodes only.
func TestDiscoverNo(t *testing.T) {
	own, home := newNode(t, 1), t.TempDir()
	own.say(&own.Chain.Aggregator, &registryv1.MsgSetEndpoints{Urls: []string{"http://10.0.0.1:1"}})
	for _, tc := range []struct {
		extra string
		want  []string
	}{{"discover: no\n", []string{own.URL}}, {"discover: yes\n", []string{own.URL, "http://10.0.0.1:1"}}} {
		writeConfig(t, home, []string{own.URL}, tc.extra)
		g := open(t, home, nil)
		g.learn(mustAsk(t, g, own))
		if got := g.nodes(); !slices.Equal(got, tc.want) {
			t.Errorf("%q: nodes %v, want %v", tc.extra, got, tc.want)
		}
		must(t, g.Close())
	}
}

func mustAsk(t *testing.T, g *Gateway, n *node) *learnt {
	t.Helper()
	c, err := client.New(n.URL)
	must(t, err)
	defer c.Close()
	found, err := g.ask(t.Context(), c)
	must(t, err)
	return found
}

// TestAnotherChain: an answer of another chain is not used, though the node
// says it is of the right one; nor a gateway's settings that the chain lacks.
func TestAnotherChain(t *testing.T) {
	own, home := newNode(t, 1), t.TempDir()
	writeConfigOf(t, home, []string{own.URL}, "")
	g := open(t, home, nil)
	config := *g.config()
	config.ChainID = "region-1"
	g.current.Store(&config)
	c, err := client.New(own.URL)
	must(t, err)
	defer c.Close()
	if found, err := g.ask(t.Context(), c); err == nil || !strings.Contains(err.Error(), `of chain "`+testkit.ChainID) {
		t.Errorf("%v, %v, want a refusal", found, err)
	}
	config.ChainID = testkit.ChainID
	g.key = testkit.NewKey("stranger")
	if found := mustAsk(t, g, own); found.PeriodMs != testkit.Period.Milliseconds() || found.ReadingMs != 0 {
		t.Errorf("a stranger learns %+v", found)
	}
}

// TestSettings: a change on chain is followed without stopping a meter, and no
// reading is lost by it: while each second is to have one, what the meter shows
// first in it is on chain, and each sequence is there once.
func TestSettings(t *testing.T) {
	own, home := newNode(t, 1), t.TempDir()
	dials, names := newDials(own.Members)
	writeConfigOf(t, home, []string{own.URL}, "", names...)
	g := open(t, home, dials)
	ctx, stop := run(t, g)
	eventually(t, "a reading on chain", func() bool { return len(own.sequences(names[0])) > 0 })
	if g.interval() != testkit.Period {
		t.Errorf("interval %v before the change", g.interval())
	}
	kept := g.running()
	gateway := own.Chain.Gateway.Address()
	own.say(&own.Chain.Aggregator, &registryv1.MsgSetGateway{Gateway: gateway[:], ReadingIntervalMs: 1000, UploadIntervalMs: 2000})
	must(t, g.look(ctx))
	from := own.Now().UnixMilli()
	eventually(t, "five readings more", func() bool { return len(own.sequences(names[0])) > 5 })
	until := own.Now().UnixMilli()
	own.say(&own.Chain.Aggregator, &registryv1.MsgSetGateway{Gateway: gateway[:]})
	must(t, g.look(ctx))
	if g.interval() != testkit.Period || g.learnt.Load().UploadMs != 0 {
		t.Errorf("interval %v after it was taken back", g.interval())
	}
	if now := g.running(); len(now) != 1 || now[0] != kept[0] {
		t.Error("the meter's poller was started again")
	}
	eventually(t, "nothing that waits", func() bool { return g.spool.Pending() == 0 })
	stop()
	follows(t, own.sequences(names[0]))
	// What the meter showed first in each second between the changes is on chain.
	signed := make(map[int64]bool)
	for _, r := range own.accepted() {
		signed[r.TimeMs] = true
	}
	var second int64
	for _, at := range dials[names[0]].shown {
		ms := at.UnixMilli()
		if ms < from+1000 || ms >= until-1000 || ms/1000 == second {
			continue
		}
		if second = ms / 1000; !signed[ms] && second > from/1000+1 {
			t.Errorf("what the meter showed at %d is not on chain", ms)
		}
	}
	if second == 0 {
		t.Error("the meter was not read between the changes")
	}
}

// TestInterval: the configuration is a bound of what the chain asks, and holds
// where the chain asks nothing.
func TestInterval(t *testing.T) {
	home := t.TempDir()
	writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "")
	g := open(t, home, nil)
	for _, tc := range []struct {
		local               time.Duration
		periodMs, readingMs int64
		want                time.Duration
	}{
		{0, 0, 0, unknownInterval},
		{0, 900_000, 0, 15 * time.Minute},
		{0, 900_000, 60_000, time.Minute},
		{5 * time.Minute, 0, 0, 5 * time.Minute},
		{5 * time.Minute, 900_000, 0, 5 * time.Minute},
		{5 * time.Minute, 900_000, 60_000, 5 * time.Minute},
		{5 * time.Minute, 900_000, 900_000, 15 * time.Minute},
	} {
		config := *g.config()
		config.Interval = tc.local
		g.current.Store(&config)
		g.learnt.Store(&learnt{PeriodMs: tc.periodMs, ReadingMs: tc.readingMs})
		if got := g.interval(); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// TestBoundaries: whatever the interval, also one that changes and does not
// divide the period, the first snapshot after each boundary is signed, and the
// first one of each interval.
func TestBoundaries(t *testing.T) {
	home := t.TempDir()
	writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "")
	g := open(t, home, nil)
	p := &poller{Gateway: g}
	const period = int64(10_000)
	start := testkit.Start.UnixMilli()
	signed := make(map[int64]bool)
	for ms := start; ms < start+120_000; ms += 500 {
		interval := []int64{0, 1000, 0, 2500, 7000, 20_000}[(ms-start)/20_000]
		config := *g.config()
		config.Interval, config.Poll = 0, time.Hour
		if interval > period || interval == 7000 { // nothing that the chain would ask
			config.Interval, interval = inMs(interval), 0
		}
		g.current.Store(&config)
		g.learnt.Store(&learnt{PeriodMs: period, ReadingMs: interval})
		if p.due(time.UnixMilli(ms)) {
			signed[ms], p.lastMs = true, ms
		}
		every := p.interval().Milliseconds()
		if want := ms%period == 0 || ms%every == 0; signed[ms] != want && every != 7000 {
			t.Errorf("at %d with an interval of %d: signed %t, want %t", ms-start, every, signed[ms], want)
		}
	}
	for ms := start; ms < start+120_000; ms += period {
		if !signed[ms] {
			t.Errorf("no reading at the boundary %d", ms-start)
		}
	}
}

// TestUploadInterval: what waits is sent when its time has come, at once when the
// gateway starts.
func TestUploadInterval(t *testing.T) {
	home := t.TempDir()
	writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "")
	g := open(t, home, nil)
	u := &uplink{Gateway: g}
	if u.idle() != time.Second {
		t.Errorf("idle %v with nothing to send", u.idle())
	}
	must(t, g.spool.Append(&meteringv1.Reading{Meter: "m", Sequence: 1, TimeMs: 1, Quality: meteringv1.Quality_QUALITY_MEASURED}))
	for _, tc := range []struct {
		uploadMs int64
		sent     time.Duration // ago; 0: never
		idle     bool
	}{{0, 0, false}, {0, time.Nanosecond, false}, {60_000, 0, false}, {60_000, time.Second, true}, {60_000, time.Hour, false}} {
		g.learnt.Store(&learnt{UploadMs: tc.uploadMs})
		if u.sentAt = (time.Time{}); tc.sent > 0 {
			u.sentAt = time.Now().Add(-tc.sent)
		}
		if got := u.idle(); got > 0 != tc.idle || got > time.Second {
			t.Errorf("%+v: idle %v", tc, got)
		}
	}
}

// TestLearntFile: what was learnt outlives a restart; what is damaged, open to
// others, of another chain, or what no chain would say, is not used, and no
// reason not to start.
func TestLearntFile(t *testing.T) {
	good := learnt{ChainID: testkit.ChainID, PeriodMs: 10_000, ReadingMs: 2000, UploadMs: 3000, Nodes: []string{"https://a.example:443", "http://10.0.0.1:26657"}}
	text := func(edit func(*learnt)) string {
		l := good
		l.Nodes = slices.Clone(l.Nodes)
		edit(&l)
		data, err := json.Marshal(l)
		must(t, err)
		return string(data)
	}
	nothing := learnt{}
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("http://n%d:1", i)
	}
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		want       learnt
	}{
		{"good", text(func(*learnt) {}), 0o600, good},
		{"empty", "", 0o600, nothing},
		{"cut off", text(func(*learnt) {})[:40], 0o600, nothing},
		{"another type", `{"nodes": 7}`, 0o600, nothing},
		{"null", "null", 0o600, nothing},
		{"zeros", strings.Repeat("\x00", 300), 0o600, nothing},
		{"another chain", text(func(l *learnt) { l.ChainID = "another" }), 0o600, nothing},
		{"others may write", text(func(*learnt) {}), 0o602, nothing},
		{"the group may write", text(func(*learnt) {}), 0o620, nothing},
		{"hostile nodes", text(func(l *learnt) {
			l.Nodes = append([]string{"ftp://a:1", "http://user:word@h:1", "file:///etc/passwd", "unix:///run/x", "http://h:1/../x", "", "http://h:1,http://i:1"}, l.Nodes...)
		}), 0o600, good},
		{"the same again", text(func(l *learnt) { l.Nodes = append(l.Nodes, l.Nodes...) }), 0o600, good},
		{"many", text(func(l *learnt) { l.Nodes = many }), 0o600, learnt{good.ChainID, 10_000, 2000, 3000, many[:maxLearnt]}},
		{"no divisor", text(func(l *learnt) { l.ReadingMs = 3000 }), 0o600, learnt{good.ChainID, 10_000, 0, 3000, good.Nodes}},
		{"too often", text(func(l *learnt) { l.ReadingMs = 1 }), 0o600, learnt{good.ChainID, 10_000, 0, 3000, good.Nodes}},
		{"negative", text(func(l *learnt) { l.PeriodMs, l.ReadingMs, l.UploadMs = -1, -1000, -1 }), 0o600, learnt{good.ChainID, 0, 0, 0, good.Nodes}},
		{"never sent", text(func(l *learnt) { l.UploadMs = 1 << 60 }), 0o600, learnt{good.ChainID, 10_000, 2000, 5000, good.Nodes}},
		{"endless periods", text(func(l *learnt) { l.PeriodMs = 1 << 60 }), 0o600, learnt{good.ChainID, 0, 0, 0, good.Nodes}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home := t.TempDir()
			writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "")
			must(t, os.WriteFile(learntFile(home), []byte(tc.text), tc.mode))
			must(t, os.Chmod(learntFile(home), tc.mode))
			g := open(t, home, nil)
			if got := g.learnt.Load(); fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", tc.want) {
				t.Errorf("learnt %+v, want %+v", *got, tc.want)
			}
			if want := append([]string{"tcp://127.0.0.1:1"}, tc.want.Nodes...); !slices.Equal(g.nodes(), want) {
				t.Errorf("nodes %v, want %v", g.nodes(), want)
			}
			// The chain's next word replaces it.
			g.learn(&good)
			if again, err := readLearnt(learntFile(home), testkit.ChainID); tc.mode == 0o600 && (err != nil || fmt.Sprintf("%+v", *again) != fmt.Sprintf("%+v", good)) {
				t.Errorf("kept %+v, %v", again, err)
			}
		})
	}
}

// TestReloadAsks: after a reload the chain is asked again, through the new nodes.
func TestReloadAsks(t *testing.T) {
	own, home := newNode(t, 1), t.TempDir()
	writeConfigOf(t, home, []string{"tcp://127.0.0.1:1"}, "")
	g := open(t, home, nil)
	if err := g.look(t.Context()); err == nil {
		t.Error("a node that is none answers")
	}
	writeConfigOf(t, home, []string{own.URL}, "")
	must(t, g.Reload(t.Context()))
	if len(g.reloaded) != 1 || g.good.Load() != nil {
		t.Error("nobody is told of the reload")
	}
	must(t, g.look(t.Context()))
	if g.interval() != testkit.Period {
		t.Errorf("interval %v", g.interval())
	}
}

// TestDoctorLearnt: the doctor shows what was learnt, and what cannot be used.
func TestDoctorLearnt(t *testing.T) {
	home := t.TempDir()
	writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "")
	g := open(t, home, nil)
	check := func() Check {
		d := &doctor{config: g.config(), options: g.options}
		d.learnt()
		return d.checks[0]
	}
	if c := check(); !c.OK || c.Found != "nothing yet" {
		t.Errorf("at first %+v", c)
	}
	g.learn(&learnt{ChainID: testkit.ChainID, PeriodMs: 10_000, ReadingMs: 2000, UploadMs: 3000, Nodes: []string{"http://h:1"}})
	if c := check(); !c.OK || c.Found != "periods of 10s, a reading every 2s, sent after 3s at most, 1 endpoints of aggregators" {
		t.Errorf("learnt %+v", c)
	}
	must(t, os.WriteFile(filepath.Join(home, "chain.json"), []byte("x"), 0o600))
	if c := check(); c.OK || !strings.Contains(c.Found, "is damaged") {
		t.Errorf("damaged %+v", c)
	}
}
