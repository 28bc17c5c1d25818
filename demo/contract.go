package demo

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// Matrix is the option Mechanism of a run without orders: members deliver by
// bilateral contracts, the price matrix of S3 2.3.2. No book is cleared by it.
const Matrix = "matrix"

// Contract is what a seller and a buyer agree on at the start, by the numbers of
// the participants.
type Contract struct {
	Seller, Buyer int
	Price         int64 // ucoin per kWh
	Priority      int64 // the buyer's place in the seller's list, from 1
	Rank          int64 // the seller's place in the buyer's list, from 1
}

// How many contracts the demo draws. Nobody has more than the chain allows by
// default.
const (
	minBuyers, maxBuyers = 3, 6
	maxSellersOfBuyer    = 10
)

// Contracts draws who is bound to whom: each participant that exports sells to
// some others, at prices between feed-in and retail.
func (m *Market) Contracts() []Contract {
	var drawn []Contract
	sellers := make([]int64, len(m.Participants)) // of each buyer
	for seller, p := range m.Participants {
		if p.Energy == "" {
			continue
		}
		rng := m.rng("contracts", p.Name, 0)
		wanted, priority := minBuyers+rng.Int64N(maxBuyers-minBuyers+1), int64(0)
		for _, buyer := range rng.Perm(len(m.Participants)) {
			other := m.Participants[buyer]
			if priority == wanted {
				break
			}
			if other.Own || other.Bus == p.Bus || sellers[buyer] == maxSellersOfBuyer {
				continue
			}
			priority++
			sellers[buyer]++
			drawn = append(drawn, Contract{
				Seller: seller, Buyer: buyer, Price: between(rng, m.Tariff.at(1), m.Tariff.at(6)),
				Priority: priority, Rank: sellers[buyer],
			})
		}
	}
	return drawn
}

// signContracts lets sellers propose the contracts and buyers accept them. They
// hold from the next period on and outlast the run.
func (d *driver) signContracts(ctx context.Context) error {
	now, _ := d.clock.now()
	length := d.options.PeriodLength.Milliseconds()
	from := now - now%length
	proposals := make([][]proto.Message, len(d.members))
	buys := make([]int, len(d.members)) // contracts of each buyer
	contracts := d.market.Contracts()
	for _, c := range contracts {
		seller, buyer := d.members[c.Seller].address(), d.members[c.Buyer].address()
		buys[c.Buyer]++
		proposals[c.Seller] = append(proposals[c.Seller], &settlementv1.MsgProposeContract{
			Seller: seller[:], Buyer: buyer[:], PriceUcoinPerKwh: c.Price, Priority: c.Priority, Rank: c.Rank,
			FromPeriod: from, UntilPeriod: from + contractPeriods*length, ExpiresAtMs: now + day.Milliseconds(),
		})
	}
	d.options.progress(0, 2, "proposing contracts")
	err := each(len(d.members), func(i int) error {
		if len(proposals[i]) == 0 {
			return nil
		}
		return d.send(ctx, d.members[i].key, proposals[i]...)
	})
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	d.options.progress(1, 2, "accepting contracts")
	err = each(len(d.members), func(i int) error {
		if buys[i] == 0 {
			return nil
		}
		return d.acceptContracts(ctx, d.members[i], buys[i])
	})
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	fmt.Fprintf(d.options.Out, "%d contracts, each proposed by its seller and accepted by its buyer; nobody places orders.\n", len(contracts))
	return nil
}

// contractPeriods is for how many periods the contracts are signed: longer than
// any run.
const contractPeriods = 1_000_000

// acceptContracts signs the given number of contracts that are proposed to a
// member. The node that answers may be a block behind the proposals.
func (d *driver) acceptContracts(ctx context.Context, m *member, count int) error {
	address := m.address()
	for {
		_, moved := d.clock.now()
		answer := new(settlementv1.QueryContractsResponse)
		if _, err := d.sender.Query(ctx, &settlementv1.QueryContractsRequest{Account: address[:]}, answer, 0); err != nil {
			return err
		}
		var signatures []proto.Message
		for _, c := range answer.Contracts {
			if !c.Accepted && string(c.Proposer) != string(address[:]) {
				signatures = append(signatures, &settlementv1.MsgAcceptContract{Contract: c.Id})
			}
		}
		if len(signatures) == count {
			return d.send(ctx, m.key, signatures...)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
