package testkit

import (
	"fmt"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// Member is a prosumer of a test chain with one net meter.
type Member struct {
	Key   client.Key
	Meter string
	Node  string

	sequence         uint64
	imported, export int64
}

// Address returns the member's account id.
func (m *Member) Address() protocol.Address { return m.Key.Address() }

// AddMember puts an active member with coins, a grid node 100 m times n from
// the transformer and a solar meter read by the gateway into a genesis.
func AddMember(g *app.Genesis, n int, coins int64) *Member {
	name := fmt.Sprintf("member%d", n)
	m := &Member{Key: NewKey(name), Meter: "meter-" + name, Node: "node-" + name}
	address := m.Address()
	identity := protocol.TxHash([]byte(name))
	aggregator, gateway := NewKey("aggregator").Address(), NewKey("gateway").Address()
	pathMm := int64(100_000 * n)
	g.Registry.Accounts = append(g.Registry.Accounts, &registryv1.Account{
		Account: address[:], Identity: identity[:], UserType: "household",
		Roles: []registryv1.Role{registryv1.Role_ROLE_PROSUMER}, Status: registryv1.Status_STATUS_ACTIVE,
		Keys: [][]byte{m.Key.Public()}, HomeAggregator: aggregator[:], GridNode: m.Node,
		ConnectionRatingW: 10_000_000, TariffClass: app.DefaultTariffClass, InitialReputation: 60,
	})
	g.Registry.Meters = append(g.Registry.Meters, &registryv1.Meter{
		Meter: m.Meter, Account: address[:], Gateway: gateway[:], EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR,
		Environment: 1, StepWh: 1, Billing: true, BoundAtMs: 1,
	})
	g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: m.Node, PathMm: &pathMm})
	g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: address[:], FreeUcoin: coins})
	if g.Bank.Supply == nil {
		g.Bank.Supply = &bankv1.Supply{}
	}
	g.Bank.Supply.MintedUcoin += coins
	return m
}

// Reading returns the member's next signed reading: what it drew and delivered
// since the last one, in Wh.
func (c *Chain) Reading(m *Member, timeMs, importWh, exportWh int64) *meteringv1.Reading {
	c.T.Helper()
	m.sequence++
	m.imported += importWh
	m.export += exportWh
	reading := &meteringv1.Reading{
		Meter: m.Meter, Sequence: m.sequence, TimeMs: timeMs, ImportWh: m.imported, ExportWh: m.export,
		Quality: meteringv1.Quality_QUALITY_MEASURED,
	}
	if err := c.Gateway.SignReading(ChainID, reading); err != nil {
		c.T.Fatal(err)
	}
	return reading
}

// Readings returns a transaction in which the gateway submits readings.
func (c *Chain) Readings(readings ...*meteringv1.Reading) []byte {
	c.T.Helper()
	return c.Tx(c.Gateway, &meteringv1.MsgSubmitReadings{GatewayKey: c.Gateway.Public(), Readings: readings})
}

// Invariants returns a line for each broken law.
func (c *Chain) Invariants() []string {
	c.T.Helper()
	if c.Height == 0 {
		return nil
	}
	answer := new(txv1.QueryInvariantsResponse)
	c.Query(&txv1.QueryInvariantsRequest{}, answer)
	var broken []string
	for _, law := range answer.Invariants {
		if law.Broken != "" {
			broken = append(broken, law.Name+": "+law.Broken)
		}
	}
	return broken
}
