package demo

import (
	"slices"
	"strings"
)

// Story is what a run with a disturbance came to: what happened to whom, what it
// cost, by which rule, and whether the chain kept to it.
type Story struct {
	Name     string      `json:"name"`
	About    string      `json:"about"`
	Cast     []Role      `json:"cast"`
	Happened []Happening `json:"happened"`
	Rules    []string    `json:"rules"`
	Laws     []Law       `json:"laws"`
}

// Role is a household that the disturbance is about.
type Role struct {
	Member string `json:"member"`
	Does   string `json:"does"`

	participant int
}

// Happening is something that happened to somebody because of a period.
type Happening struct {
	Period    int64  `json:"period"` // start on the chain, ms
	LocalTime string `json:"local_time"`
	Who       string `json:"who"`
	What      string `json:"what"`
	EnergyWh  int64  `json:"energy_wh"`
	// Ucoin is what it brought the household, below 0 what it cost.
	Ucoin int64 `json:"ucoin"`
	// Rule is the number of the rule that it follows from, from 1.
	Rule int `json:"rule"`
}

// Law is what must be so in a story. Broken says why it is not.
type Law struct {
	Text   string `json:"text"`
	Broken string `json:"broken,omitempty"`
}

// story is a disturbance: how it is laid out on a market and how it is told.
type story struct {
	name, about string
	// periods tell it; a longer run goes on as usual.
	periods int
	rules   []string
	// plan lays it out on p's market at the best of some starts, and says whether
	// any suits.
	plan func(p *plan, starts []int, periods int) bool
	tell func(*teller)
}

var stories = []story{outageStory, lateStory, coinsStory, deviationStory}

// StoryNames are the disturbances that Options.Story knows.
func StoryNames() []string {
	var names []string
	for _, s := range stories {
		names = append(names, s.name)
	}
	return names
}

func findStory(name string) (story, error) {
	i := slices.IndexFunc(stories, func(s story) bool { return s.name == name })
	if i < 0 {
		return story{}, badOption("scenario", "expected %s, got %q", strings.Join(StoryNames(), ", "), name)
	}
	return stories[i], nil
}

// plan is what a story does to the ordinary run: all of it follows from market
// and seed. Participants and periods are numbers; period 0 replays the interval
// first.
type plan struct {
	story  story
	market *Market
	first  int
	params map[string]int64
	cast   []Role

	// offers are orders over another energy than the meter will count.
	offers []offer
	// quiet are participants that place no orders before a period.
	quiet []quiet
	// held are meters whose readings come late.
	held []hold
	// misread are meters of which a gateway sends a wrong register.
	misread []misreading
	// down, if set, is when all nodes are stopped and when they start again.
	down *outage
	// coins are what participants are recharged with at the start, ucoin, if not
	// the usual.
	coins map[int]int64
	// borrowers state a demand to their home aggregator's credit bank.
	borrowers []int
	// fund is what the guarantee fund has at the start, ucoin.
	fund int64
	// rescues pay coins in, for who owes, before a period's orders.
	rescues []rescue
}

// offer is an order over ppm of what the participant's meter will count.
type offer struct{ participant, period, ppm int }

// quiet keeps a participant from ordering for the periods before until.
type quiet struct{ participant, until int }

// hold keeps back the readings of the boundaries [from, until), the starts of
// those periods, and sends them with that of until.
type hold struct{ participant, from, until int }

// misreading shows so many Wh too little exported at a boundary; the next reading
// is right again. It is corrected with that of boundary until.
type misreading struct {
	participant, boundary, until int
	wh                           int64
}

// outage stops all nodes shortly before the start of period from and starts them
// again at that of until.
type outage struct{ from, until int }

// rescue recharges a participant before it orders for a period.
type rescue struct {
	participant, period int
	ucoin               int64
}

// anyStart leaves it to the story where it begins.
const anyStart = -1

// newPlan lays a story out. start is the interval that period 0 is to replay,
// anyStart: where the story is told best.
func newPlan(name string, m *Market, start, periods int) (*plan, error) {
	s, err := findStory(name)
	if err != nil {
		return nil, err
	}
	if periods < s.periods {
		return nil, badOption("periods", "expected at least %d, which %s takes, got %d", s.periods, name, periods)
	}
	var starts []int
	for at := m.Scenario.firstForecast(); at+periods <= m.Scenario.Intervals(); at++ {
		if start == anyStart || at == start {
			starts = append(starts, at)
		}
	}
	p := &plan{story: s, market: m}
	if !s.plan(p, starts, periods) {
		return nil, badOption("start", "expected a time with households that %s can be told of, which this scenario has not; leave --start out, or take another --data or --seed", name)
	}
	return p, nil
}

func (p *plan) role(participant int, does string) {
	p.cast = append(p.cast, Role{Member: p.market.Participants[participant].Name, Does: does, participant: participant})
}

func (p *plan) isCast(participant int) bool {
	return p != nil && slices.ContainsFunc(p.cast, func(r Role) bool { return r.participant == participant })
}

// holds says whether a participant's reading of a boundary is kept back.
func (p *plan) holds(participant, boundary int) bool {
	return p != nil && slices.ContainsFunc(p.held, func(h hold) bool {
		return h.participant == participant && h.from <= boundary && boundary < h.until
	})
}

// misses is what a participant's reading of a boundary leaves out of its export, Wh.
func (p *plan) misses(participant, boundary int) (wh int64) {
	if p == nil {
		return 0
	}
	for _, m := range p.misread {
		if m.participant == participant && m.boundary == boundary {
			wh += m.wh
		}
	}
	return wh
}

// startCoins are what a participant is recharged with, ucoin.
func (p *plan) startCoins(participant int) int64 {
	if p != nil {
		if ucoin, ok := p.coins[participant]; ok {
			return ucoin
		}
	}
	return startCoins
}

// mostOffered is by how much orders exceed what meters count, ppm.
func (p *plan) mostOffered() int64 {
	most := int64(wholeOffer)
	if p != nil {
		for _, o := range p.offers {
			most = max(most, int64(o.ppm))
		}
	}
	return most
}

// wholeOffer is the ppm of an order over exactly what the meter will count.
const wholeOffer = 1_000_000

// order is a participant's order for a period of a story. Everybody knows what
// its meter will count, so that nothing deviates but what the story wants; the
// cast asks feed-in or bids retail and consents to anything, so that it trades.
func (p *plan) order(participant, period int) (Order, bool) {
	if slices.ContainsFunc(p.quiet, func(q quiet) bool { return q.participant == participant && period < q.until }) {
		return Order{}, false
	}
	m, interval := p.market, p.first+period
	importWh, exportWh := m.Meter(participant, interval)
	o, ok := m.draw(participant, interval, importWh, exportWh)
	if !ok || !p.isCast(participant) {
		return o, ok
	}
	o.Standing, o.Price = true, m.Tariff.Retail
	if o.Sell {
		o.Price = m.Tariff.FeedIn
	}
	for _, other := range p.offers {
		if other.participant == participant && other.period == period {
			o.EnergyWh = o.EnergyWh * int64(other.ppm) / wholeOffer
		}
	}
	return o, true
}

// check adds the laws of the story, if there was one.
func (s *Story) check(c *checker) {
	if s == nil {
		return
	}
	for _, law := range s.Laws {
		c.require(law.Broken == "", "%s: expected: %s; %s", s.Name, law.Text, law.Broken)
	}
}
