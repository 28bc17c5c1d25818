package settlement

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/registry"
)

// Reasons of ContractEnded.
const (
	reasonCancelled = "cancelled"
	reasonExpired   = "expired"
	reasonOver      = "over"
	reasonRevoked   = "account_revoked"
)

// traders may have contracts, as they may place orders.
var traders = []registryv1.Role{registryv1.Role_ROLE_PROSUMER, registryv1.Role_ROLE_AGGREGATOR}

func saveContract(s state.Store, c *settlementv1.Contract) {
	contracts.Set(s, contractKey(c.Id), c)
	for _, side := range [][]byte{c.Seller, c.Buyer} {
		contractsOf.Set(s, contractOfKey(side, c.Id), &settlementv1.ContractOf{Account: side, Contract: c.Id})
	}
}

// endContract removes a contract; what it means in periods that are open stays.
func endContract(ctx *module.Ctx, c *settlementv1.Contract, reason string) {
	contracts.Delete(ctx.Store, contractKey(c.Id))
	for _, side := range [][]byte{c.Seller, c.Buyer} {
		contractsOf.Delete(ctx.Store, contractOfKey(side, c.Id))
	}
	ctx.Emit(&settlementv1.ContractEnded{Contract: c, Reason: reason})
}

// ContractsOf returns an account's contracts, and proposals by and to it, by id.
func ContractsOf(r state.Reader, account protocol.Address) []*settlementv1.Contract {
	var found []*settlementv1.Contract
	for row := range values(contractsOf.All(r, contractsOf.Key().Bytes(account[:]))) {
		if c, ok := contracts.Get(r, contractKey(row.Contract)); ok {
			found = append(found, c)
		}
	}
	return found
}

// sidesOf returns the accounts of a contract that may be made: both traders,
// active, without debt, of different identities and behind different connection
// points with a line.
func sidesOf(r state.Reader, seller, buyer []byte) (sides [2]*registryv1.Account, err error) {
	for i, side := range []struct {
		field   string
		account []byte
	}{{"seller", seller}, {"buyer", buyer}} {
		if sides[i], err = sideOf(r, side.field, protocol.Address(side.account)); err != nil {
			return sides, err
		}
	}
	if string(sides[0].Identity) == string(sides[1].Identity) {
		return sides, ErrSameParty.With("buyer: expected another identity than the seller's")
	}
	if sides[0].GridNode == sides[1].GridNode {
		return sides, ErrSameParty.With("buyer: expected another connection point than the seller's %q", sides[0].GridNode)
	}
	return sides, nil
}

func sideOf(r state.Reader, field string, address protocol.Address) (*registryv1.Account, error) {
	account, ok := registry.AccountOf(r, address)
	if !ok || account.Status != registryv1.Status_STATUS_ACTIVE {
		return nil, ErrNotActive.With("%s: expected an active account, %v is none", field, address)
	}
	if !registry.HasRole(account, traders[0]) && !registry.HasRole(account, traders[1]) {
		return nil, ErrNotTrader.With("%s: expected a prosumer or aggregator, %v is neither", field, address)
	}
	if debt := bank.DebtOf(r, address); debt > 0 {
		return nil, ErrInDebt.With("%s: expected no debt, %v owes %s", field, address, units.FormatCoins(debt))
	}
	if node := account.GridNode; !grid.Reachable(r, node) {
		return nil, ErrUnreachableNode.With("%s: expected a grid node with a line, %v is at %q", field, address, node)
	}
	return account, nil
}

// checkSlots says whether an account may have one more contract: of its own, in
// force or proposed by it, or one that is proposed to it. Each kind has its own
// limit, so that nobody's own are kept out by what others propose.
func checkSlots(r state.Reader, field string, address protocol.Address, most int64, proposedToIt bool) error {
	var count int64
	for _, c := range ContractsOf(r, address) {
		if (!c.Accepted && string(c.Proposer) != string(address[:])) == proposedToIt {
			count++
		}
	}
	if count < most {
		return nil
	}
	if proposedToIt {
		return ErrTooManyContracts.With("%s: expected fewer than %d proposals that wait for %v", field, most, address)
	}
	return ErrTooManyContracts.With("%s: expected fewer than %d contracts and proposals of %v", field, most, address)
}

// nextPeriod is the first one that has not begun by the time of the block.
func nextPeriod(ctx *module.Ctx) int64 {
	return registry.PeriodOf(ctx.Store, ctx.TimeMs) + registry.ChainOf(ctx.Store).PeriodLengthMs
}

// ownContract returns the contract that the sender names, which must be one of
// its own.
func ownContract(ctx *module.Ctx, id []byte) (*settlementv1.Contract, error) {
	sender := ctx.Signer.Address()
	c, ok := contracts.Get(ctx.Store, contractKey(id))
	if !ok || string(c.Seller) != string(sender[:]) && string(c.Buyer) != string(sender[:]) {
		return nil, ErrUnknownContract.With("contract: expected one of the sender's, got %x", id)
	}
	return c, nil
}

// contractsNow reads all contracts, once in a block.
func (b *block) contractsNow(r state.Reader) []*settlementv1.Contract {
	if !b.contractsRead {
		b.contracts, b.contractsRead = collect(values(contracts.All(r, contracts.Key()))), true
	}
	return b.contracts
}

// sweepContracts closes contract years, and removes the contracts and proposals
// that no period from the one that just ended on needs.
func (b *block) sweepContracts(ctx *module.Ctx, ended int64) {
	var kept []*settlementv1.Contract
	for _, c := range b.contractsNow(ctx.Store) {
		revoked := revokedBefore(ctx.Store, c, ended)
		if c.Accepted && c.YearWh > 0 {
			c, _ = contracts.Get(ctx.Store, contractKey(c.Id)) // opening periods changed it
			if revoked {
				c.UntilPeriod = min(c.UntilPeriod, ended)
			}
			closeYears(ctx, c, ended)
		}
		switch {
		case len(c.Years) > 0:
			kept = append(kept, c)
		case revoked:
			endContract(ctx, c, reasonRevoked)
		case !c.Accepted && c.ExpiresAtMs <= ctx.TimeMs:
			endContract(ctx, c, reasonExpired)
		case c.UntilPeriod <= ended:
			endContract(ctx, c, reasonOver)
		default:
			kept = append(kept, c)
		}
	}
	b.contracts = kept
}

// revokedBefore says whether a side was revoked before a period began: what ran
// by then it still settles.
func revokedBefore(r state.Reader, c *settlementv1.Contract, period int64) bool {
	for _, side := range [][]byte{c.Seller, c.Buyer} {
		account, ok := registry.AccountOf(r, protocol.Address(side))
		if !ok || account.Status == registryv1.Status_STATUS_REVOKED && account.RevokedAtMs < period {
			return true
		}
	}
	return false
}
