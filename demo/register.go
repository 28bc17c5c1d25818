package demo

import (
	"context"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/units"
)

const (
	// tariffClass is the class that every new chain knows.
	tariffClass = "household"
	// startCoins is what each member is recharged with.
	startCoins = 200 * units.UcoinPerCoin
	// batch is how many registrations travel in one envelope.
	batch = 20
	// topologyBatch is how many nodes or lines a message carries.
	topologyBatch = 500
)

// register brings the scenario on chain: the feeder by the authority, a
// gateway for each aggregator, then the members with their meters, which the
// aggregators apply for and the authority approves and recharges.
func (d *driver) register(ctx context.Context) error {
	if err := d.clock.waitUntil(ctx, func(int64) bool { return true }); err != nil {
		return err
	}
	if err := d.registerGrid(ctx); err != nil {
		return fmt.Errorf("grid: %w", err)
	}
	if err := d.registerGateways(ctx); err != nil {
		return fmt.Errorf("gateways: %w", err)
	}
	for i := range d.market.Participants {
		m, err := d.newMember(i)
		if err != nil {
			return err
		}
		d.members = append(d.members, m)
	}
	for at := 0; at < len(d.members); at += batch {
		end := min(at+batch, len(d.members))
		d.options.progress(at, len(d.members), "registering members")
		if err := d.registerMembers(ctx, at, end); err != nil {
			return fmt.Errorf("members %d to %d: %w", at+1, end, err)
		}
	}
	return nil
}

// propose sends messages in the authority's name.
func (d *driver) propose(ctx context.Context, msgs ...proto.Message) error {
	packed, err := client.Pack(msgs...)
	if err != nil {
		return err
	}
	return d.send(ctx, d.authority, &registryv1.MsgPropose{Msgs: packed})
}

// registerGrid registers the buses and lines, or, where the scenario has no
// lines, each member's path to the transformer.
func (d *driver) registerGrid(ctx context.Context) error {
	var topology []proto.Message
	var nodes []*gridv1.Node
	seen := make(map[string]bool)
	add := func(node *gridv1.Node) {
		if !seen[node.Node] {
			seen[node.Node] = true
			nodes = append(nodes, node)
		}
	}
	for _, line := range d.market.Lines {
		add(&gridv1.Node{Node: nodeName(line.FromBus)})
		add(&gridv1.Node{Node: nodeName(line.ToBus)})
	}
	for _, p := range d.market.Participants {
		add(&gridv1.Node{Node: nodeName(p.Bus), PathMm: &p.PathMM})
	}
	for at := 0; at < len(nodes); at += topologyBatch {
		topology = append(topology, &gridv1.MsgSetTopology{Nodes: nodes[at:min(at+topologyBatch, len(nodes))]})
	}
	var lines []*gridv1.Line
	for _, line := range d.market.Lines {
		lines = append(lines, &gridv1.Line{
			From: nodeName(line.FromBus), To: nodeName(line.ToBus), LengthMm: line.LengthMM, LossPpmPerKm: &d.options.LossPPMPerKm,
		})
	}
	for at := 0; at < len(lines); at += topologyBatch {
		topology = append(topology, &gridv1.MsgSetTopology{Lines: lines[at:min(at+topologyBatch, len(lines))]})
	}
	for i, msg := range topology {
		d.options.progress(i, len(topology), "registering the grid")
		if err := d.propose(ctx, msg); err != nil {
			return err
		}
	}
	return nil
}

func nodeName(bus string) string { return "bus-" + bus }

// seeded returns a key that follows from the run's seed, so that a run can be
// repeated; such keys are for demos alone.
func (d *driver) seeded(name string) (client.Key, error) {
	seed := sha256.Sum256(fmt.Appendf(nil, "energyd demo key %d %s", d.options.Seed, name))
	return client.KeyFromSeed(seed[:])
}

func identityOf(name string) []byte {
	hash := sha256.Sum256([]byte("demo identity " + name))
	return hash[:]
}

// registerGateways registers one gateway for each aggregator.
func (d *driver) registerGateways(ctx context.Context) error {
	for i, aggregator := range d.aggregators {
		name := fmt.Sprintf("gateway%d", i)
		key, err := d.seeded(name)
		if err != nil {
			return err
		}
		home, address := aggregator.Address(), key.Address()
		err = d.send(ctx, aggregator, &registryv1.MsgApply{Application: &registryv1.Account{
			Identity: identityOf(name), UserType: "gateway", Roles: []registryv1.Role{registryv1.Role_ROLE_GATEWAY},
			Keys: [][]byte{key.Public()}, HomeAggregator: home[:],
		}})
		if err != nil {
			return err
		}
		if err := d.propose(ctx, &registryv1.MsgApprove{Account: address[:]}); err != nil {
			return err
		}
		d.gateways = append(d.gateways, key)
	}
	return nil
}

func (d *driver) newMember(i int) (*member, error) {
	participant := d.market.Participants[i]
	key, err := d.seeded(participant.Name)
	return &member{
		Participant: participant, key: key, meter: "meter-" + participant.Name,
		gateway: i % len(d.gateways),
	}, err
}

// registerMembers registers the members [from, to): each aggregator applies
// for its own, the authority approves and recharges them all.
func (d *driver) registerMembers(ctx context.Context, from, to int) error {
	applications := make([][]proto.Message, len(d.aggregators))
	var decisions []proto.Message
	for i := from; i < to; i++ {
		m := d.members[i]
		applications[m.gateway] = append(applications[m.gateway], d.application(i))
		address := m.address()
		decisions = append(decisions,
			&registryv1.MsgApprove{Account: address[:]},
			&bankv1.MsgRecharge{Account: address[:], AmountUcoin: d.plan.startCoins(i), Reference: "demo deposit of " + m.Name})
	}
	err := each(len(applications), func(i int) error {
		if len(applications[i]) == 0 {
			return nil
		}
		return d.send(ctx, d.aggregators[i], applications[i]...)
	})
	if err != nil {
		return err
	}
	return d.propose(ctx, decisions...)
}

// application is what an aggregator says of a member. Its rating is that of
// the data's interval times interval / period length: the same energy passes
// in the shorter period (SPEC 4). It covers what a story lets it offer, and that
// simulated meters count a period's energy between two readings, which are as far
// apart as their answers: at least two thirds of what was planned.
func (d *driver) application(i int) *registryv1.MsgApply {
	m := d.members[i]
	home, gateway := d.aggregators[m.gateway].Address(), d.gateways[m.gateway].Address()
	rating := (d.market.RatingW(i)*d.plan.mostOffered()/wholeOffer + 1) * d.market.Scenario.Interval.Milliseconds() / d.options.PeriodLength.Milliseconds()
	if d.options.Meters == ModbusMeters {
		rating *= readingsPerPeriod * 3 / 2
	}
	kind, environment := energyType(m.Energy)
	return &registryv1.MsgApply{
		Application: &registryv1.Account{
			Identity: identityOf(m.Name), UserType: m.userType(), Roles: []registryv1.Role{registryv1.Role_ROLE_PROSUMER},
			Keys: [][]byte{m.key.Public()}, HomeAggregator: home[:], GridNode: nodeName(m.Bus),
			ConnectionRatingW: rating, TariffClass: tariffClass, InitialReputation: 60,
		},
		Meters: []*registryv1.Meter{{
			Meter: m.meter, Gateway: gateway[:], EnergyType: kind, Environment: environment, StepWh: 1, Billing: true,
		}},
	}
}

// userType is that of a household unless the member has one of its own.
func (m *member) userType() string {
	if m.UserType != "" {
		return m.UserType
	}
	return "household"
}

// energyType returns a type as the chain knows it, and its environmental
// index; a member without generation of its own counts as solar that never
// shines.
func energyType(t EnergyType) (registryv1.EnergyType, int64) {
	switch t {
	case Fossil:
		return registryv1.EnergyType_ENERGY_TYPE_FOSSIL, 0
	case Wind:
		return registryv1.EnergyType_ENERGY_TYPE_WIND, 1
	case Hydro:
		return registryv1.EnergyType_ENERGY_TYPE_HYDRO, 1
	case Biomass:
		return registryv1.EnergyType_ENERGY_TYPE_BIOMASS, 1
	case Storage:
		return registryv1.EnergyType_ENERGY_TYPE_STORAGE, 1
	}
	return registryv1.EnergyType_ENERGY_TYPE_SOLAR, 1
}
