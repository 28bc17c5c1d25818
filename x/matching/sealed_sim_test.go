package matching_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
)

// TestRulesAndSealsSimulated orders by hand, by rule and sealed, reveals or
// forgets to, freezes, thaws and lets the chain stand still; the invariants are
// checked after every block. Once all periods are over no coin is held and none
// was lost.
func TestRulesAndSealsSimulated(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &sealSim{rt: rt, sealed: map[string][]*matchingv1.MsgRevealOrder{}, frozen: map[string]bool{}}
		s.m = market.New(rt, func(g *market.Genesis) {
			g.Params().MaxOrders, g.Params().MaxOrdersPerAccount = 6, 3
			g.Matching.Markets = []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
				Mechanism: matchingv1.Mechanism_MECHANISM_AUCTION, MaxRatedDistanceM: 1, MaxOrdersPerSide: 4, RevealLengthMs: 2_000, BondUcoin: bond,
			}}}
			for i := range 4 {
				s.names = append(s.names, fmt.Sprintf("m%d", i))
			}
		}, "m0", "m1", "m2", "m3")
		for range 25 {
			s.step()
		}
		for _, name := range s.names {
			for _, side := range []matchingv1.Side{matchingv1.Side_SIDE_SELL, matchingv1.Side_SIDE_BUY} {
				_, _ = s.m.Send(name, &matchingv1.MsgCancelStandingOrder{Side: side})
			}
		}
		// Every book that was open by now, cleared or missed, then settled without
		// readings: escrow goes back at the deadlines.
		for i := range int64(14) {
			s.m.Block(s.m.TimeMs - s.m.TimeMs%length + length + i)
		}
		total := guarantee(s.m)
		for _, name := range s.names {
			if held := escrow(s.m, name); held != 0 {
				rt.Errorf("%s still has %d held", name, held)
			}
			total += free(s.m, name)
		}
		if total != int64(len(s.names))*market.Coins {
			rt.Errorf("%d ucoin in all, want those of the start", total)
		}
	})
}

type sealSim struct {
	rt     *rapid.T
	m      *market.Market
	names  []string
	sealed map[string][]*matchingv1.MsgRevealOrder
	frozen map[string]bool
}

func (s *sealSim) step() {
	s.m.Begin(s.m.TimeMs + rapid.SampledFrom([]int64{500, 1_000, 2_000, 5_000, 3 * length}).Draw(s.rt, "ahead"))
	for _, name := range s.names {
		if !s.frozen[name] {
			s.act(name)
		}
	}
	if name := s.names[0]; rapid.IntRange(0, 9).Draw(s.rt, "freeze or thaw") == 0 {
		address := market.Address(name)
		if s.frozen[name] = !s.frozen[name]; s.frozen[name] {
			s.m.Decree(&registryv1.MsgFreeze{Account: address[:]})
		} else {
			s.m.Decree(&registryv1.MsgThaw{Account: address[:]})
		}
	}
	s.m.End()
}

// act sends one message; refusals are part of the game.
func (s *sealSim) act(name string) {
	rt := s.rt
	period := s.m.TimeMs - s.m.TimeMs%length + rapid.Int64Range(1, 2).Draw(rt, "periods ahead")*length
	price, energy := rapid.Int64Range(0, 500_000).Draw(rt, "price"), rapid.Int64Range(1, 3_000).Draw(rt, "energy")
	var offer *matchingv1.MsgPlaceSell
	var demand *matchingv1.MsgPlaceBuy
	if rapid.Bool().Draw(rt, "sells") {
		offer = edited(sell(price, energy, name), func(o *matchingv1.MsgPlaceSell) { o.Period = period })
	} else {
		demand = edited(buy(price, energy), func(o *matchingv1.MsgPlaceBuy) { o.Period = period })
	}
	var msg proto.Message = demand
	if offer != nil {
		msg = offer
	}
	switch rapid.IntRange(0, 4).Draw(rt, "does "+name) {
	case 0:
		return
	case 1, 2:
		for _, reveal := range s.sealed[name] { // one that is due is taken
			_, _ = s.m.Send(name, reveal)
		}
		reveal := &matchingv1.MsgRevealOrder{Sell: offer, Buy: demand, Salt: make([]byte, protocol.SaltSize)}
		commitment, err := protocol.SealCommitment(market.ChainID, market.Address(name), reveal)
		if err != nil {
			rt.Fatal(err)
		}
		s.sealed[name] = append(s.sealed[name], reveal)
		msg = &matchingv1.MsgSealOrder{Period: period, Commitment: commitment}
	case 3:
		rule := &matchingv1.MsgSetStandingOrder{Sell: offer, Buy: demand}
		if offer != nil {
			offer.Period = 0
		} else {
			demand.Period = 0
		}
		msg = rule
	}
	_, _ = s.m.Send(name, msg)
}
