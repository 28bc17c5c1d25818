package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

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
	// startCoins is what each account is recharged with.
	startCoins = 1000 * units.UcoinPerCoin
	// batch is how many registrations travel in one envelope.
	batch = 50
	// householdW is a connection of three times 16 A, and dataInterval the
	// length of the periods that it is meant for: in shorter ones the same
	// energy passes, so ratings are multiplied (SPEC 4).
	householdW   = 11_000
	dataInterval = 15 * time.Minute
	// Paths to the transformer, in mm.
	leastPathMM, mostPathMM = 20_000, 600_000
)

// account is a prosumer with its key, its meter's registers and its latest
// order. Only the goroutine that plans orders changes the order's part, only
// the one that reads meters changes registers.
type account struct {
	key   client.Key
	meter string
	sells bool
	// node is the index of the node that it sends to.
	node     int
	sequence uint64
	// The latest order: its period, id and energy.
	period  int64
	order   []byte
	orderWh int64

	mu sync.Mutex
	// ordered is what it wants to deliver or draw, Wh by period.
	ordered map[int64]int64

	register    int64
	readingNext uint64
}

// gateway reads the meters of some accounts and sends to one node.
type gateway struct {
	key    client.Key
	node   int
	meters []*account
}

// seeded returns the key of a name: the same in every run with this seed.
func (l *load) seeded(name string) (client.Key, error) {
	seed := sha256.Sum256(fmt.Appendf(nil, "energyd bench key %d %s", l.Seed, name))
	return client.KeyFromSeed(seed[:])
}

// register brings grid nodes, gateways and accounts on chain and gives the
// accounts coins.
func (l *load) register(ctx context.Context) error {
	if err := l.begun(ctx); err != nil {
		return err
	}
	if err := l.registerGrid(ctx); err != nil {
		return fmt.Errorf("grid: %w", err)
	}
	for at := 0; at < l.Accounts; at += l.MetersPerGateway {
		if err := l.registerGateway(ctx, at/l.MetersPerGateway); err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
	}
	for i := range l.Accounts {
		if err := l.addAccount(i); err != nil {
			return err
		}
	}
	for at := 0; at < l.Accounts; at += batch {
		end := min(at+batch, l.Accounts)
		if err := l.registerAccounts(ctx, at, end); err != nil {
			return fmt.Errorf("accounts %d to %d: %w", at, end-1, err)
		}
	}
	return nil
}

// begun waits until every node has a first block, and reads when gates are.
func (l *load) begun(ctx context.Context) error {
	for _, node := range l.nodes {
		for {
			params := new(registryv1.QueryParamsResponse)
			_, err := node.Query(ctx, &registryv1.QueryParamsRequest{}, params, 0)
			if err == nil {
				l.gateLead = time.Duration(params.Params.GateLeadMs) * time.Millisecond
				break
			}
			// A node refuses queries before its first block.
			if _, ok := errors.AsType[*client.Rejected](err); !ok {
				return err
			}
			if err := sleepUntil(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	return nil
}

// propose sends messages in the authority's name.
func (l *load) propose(ctx context.Context, msgs ...proto.Message) error {
	packed, err := client.Pack(msgs...)
	if err != nil {
		return err
	}
	_, err = l.setup.Do(ctx, l.authority, &registryv1.MsgPropose{Msgs: packed})
	return err
}

func nodeName(i int) string { return fmt.Sprintf("house-%04d", i) }

// registerGrid registers a connection point for each account, with its path to
// the transformer: the chain's topology where no lines are known.
func (l *load) registerGrid(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(l.Seed, 1))
	var nodes []*gridv1.Node
	for i := range l.Accounts {
		path := leastPathMM + rng.Int64N(mostPathMM-leastPathMM)
		nodes = append(nodes, &gridv1.Node{Node: nodeName(i), PathMm: &path})
		if len(nodes) == 500 || i == l.Accounts-1 {
			if err := l.propose(ctx, &gridv1.MsgSetTopology{Nodes: nodes}); err != nil {
				return err
			}
			nodes = nil
		}
	}
	return nil
}

func identityOf(name string) []byte {
	hash := sha256.Sum256([]byte("bench identity " + name))
	return hash[:]
}

func (l *load) registerGateway(ctx context.Context, i int) error {
	name := fmt.Sprintf("gateway%d", i)
	key, err := l.seeded(name)
	if err != nil {
		return err
	}
	node := i % len(l.aggregators)
	home, address := l.aggregators[node].Address(), key.Address()
	_, err = l.setup.Do(ctx, l.aggregators[node], &registryv1.MsgApply{Application: &registryv1.Account{
		Identity: identityOf(name), UserType: "gateway", Roles: []registryv1.Role{registryv1.Role_ROLE_GATEWAY},
		Keys: [][]byte{key.Public()}, HomeAggregator: home[:],
	}})
	if err != nil {
		return err
	}
	l.gateways = append(l.gateways, &gateway{key: key, node: node})
	return l.propose(ctx, &registryv1.MsgApprove{Account: address[:]})
}

func (l *load) addAccount(i int) error {
	key, err := l.seeded(nodeName(i))
	if err != nil {
		return err
	}
	a := &account{key: key, meter: "meter-" + nodeName(i), sells: i%2 == 0, node: i / 2 % len(l.nodes), ordered: make(map[int64]int64)}
	l.accounts = append(l.accounts, a)
	g := l.gateways[i/l.MetersPerGateway]
	g.meters = append(g.meters, a)
	return nil
}

// registerAccounts registers the accounts [from, to), all of one gateway: its
// aggregator applies, the authority approves and recharges.
func (l *load) registerAccounts(ctx context.Context, from, to int) error {
	g := l.gateways[from/l.MetersPerGateway]
	home, gateway := l.aggregators[g.node].Address(), g.key.Address()
	var applications, decisions []proto.Message
	for i := from; i < to; i++ {
		a := l.accounts[i]
		address := a.key.Address()
		applications = append(applications, &registryv1.MsgApply{
			Application: &registryv1.Account{
				Identity: identityOf(a.meter), UserType: "household", Roles: []registryv1.Role{registryv1.Role_ROLE_PROSUMER},
				Keys: [][]byte{a.key.Public()}, HomeAggregator: home[:], GridNode: nodeName(i),
				ConnectionRatingW: int64(householdW * dataInterval / l.PeriodLength), TariffClass: tariffClass, InitialReputation: 60,
			},
			Meters: []*registryv1.Meter{{
				Meter: a.meter, Gateway: gateway[:], EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Environment: 1, StepWh: 1, Billing: true,
			}},
		})
		decisions = append(decisions,
			&registryv1.MsgApprove{Account: address[:]},
			&bankv1.MsgRecharge{Account: address[:], AmountUcoin: startCoins, Reference: "bench deposit of " + a.meter})
	}
	if _, err := l.setup.Do(ctx, l.aggregators[g.node], applications...); err != nil {
		return err
	}
	return l.propose(ctx, decisions...)
}
