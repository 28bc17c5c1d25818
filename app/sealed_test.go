package app_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

// TestStandingAndSealed: in one period a rule sells what the meter saw last, one
// sealed buy is revealed and another is not, alike on all twins.
func TestStandingAndSealed(t *testing.T) {
	var seller, buyer, other *testkit.Member
	c := testkit.New(t, func(g *app.Genesis) {
		seller, buyer, other = testkit.AddMember(g, 1, coins), testkit.AddMember(g, 2, coins), testkit.AddMember(g, 3, coins)
		g.Matching = &matchingv1.GenesisState{Markets: []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
			Mechanism: matchingv1.Mechanism_MECHANISM_AUCTION, MaxRatedDistanceM: 1, RevealLengthMs: 1_500, BondUcoin: 500_000,
		}}}}
	})
	first := c.Time.Truncate(testkit.Period).Add(testkit.Period)
	c.Until(first)
	c.Must(time.Second, c.Readings(c.Reading(seller, first.UnixMilli(), 0, 0)))
	c.Until(first.Add(testkit.Period))
	c.Must(time.Second, c.Readings(c.Reading(seller, first.Add(testkit.Period).UnixMilli(), 0, 3_000)))

	start := nextPeriod(c)
	period := start.UnixMilli()
	reveal := &matchingv1.MsgRevealOrder{Buy: buy(period, 500_000, 2_000, true), Salt: bytes.Repeat([]byte{1}, protocol.SaltSize)}
	commitment := func(m *testkit.Member) *matchingv1.MsgSealOrder {
		hash, err := protocol.SealCommitment(testkit.ChainID, m.Address(), reveal)
		if err != nil {
			t.Fatal(err)
		}
		return &matchingv1.MsgSealOrder{Period: period, Commitment: hash}
	}
	rule := sell(0, seller, 400_000, 9_000)
	c.Must(time.Second,
		c.Tx(seller.Key, &matchingv1.MsgSetStandingOrder{Sell: rule, AsMeasured: true, KeepWh: 1_000}),
		c.Tx(buyer.Key, commitment(buyer)),
		c.Tx(other.Key, commitment(other)))
	c.Until(start.Add(-4 * time.Second)) // the gate
	c.Must(500*time.Millisecond, c.Tx(buyer.Key, reveal))
	c.Until(start)

	var matches matchingv1.QueryMatchesResponse
	c.Query(&matchingv1.QueryMatchesRequest{Period: period}, &matches)
	if len(matches.Matches) != 1 || matches.Matches[0].EnergyWh != 2_000 {
		t.Errorf("matches %v, want one of 2 kWh", matches.Matches)
	}
	fund := int64(0)
	for _, balance := range c.Balances().Balances {
		if bytes.Equal(balance.Account, protocol.GuaranteeAddress.Bytes()) {
			fund = balance.FreeUcoin
		}
	}
	if broken := c.Invariants(); fund != 500_000 || len(broken) > 0 {
		t.Errorf("guarantee fund %d, broken %v: want one bond and nothing broken", fund, broken)
	}
}
