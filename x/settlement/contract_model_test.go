package settlement_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

// TestContractModel draws contracts, market orders, registers that come in any
// order or never, coins and losses, and compares what each contract delivers
// with a plain model of the rules. The invariants hold after every block.
func TestContractModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var names []string
		for i := range rapid.IntRange(2, 6).Draw(rt, "members") {
			names = append(names, fmt.Sprintf("m%d", i))
		}
		lossPerKm := rapid.SampledFrom([]int64{0, 10_000, 300_000, 990_000}).Draw(rt, "loss per km")
		m := market.New(rt, func(g *market.Genesis) {
			g.Params().DefaultLossPpmPerKm = lossPerKm
			g.Params().SigmaPpm = rapid.SampledFrom([]int64{0, 100_000}).Draw(rt, "sigma")
			for _, name := range names {
				g.Balance(name).FreeUcoin = rapid.SampledFrom([]int64{20_000_000, 1_000_000, 1}).Draw(rt, "coins of "+name)
			}
		}, names...)
		signed := drawContracts(rt, m, names)
		for i, name := range names {
			energy := rapid.Int64Range(1, 2000).Draw(rt, "ordered by "+name)
			switch rapid.IntRange(0, 2).Draw(rt, "market side of "+name) + i%2 {
			case 0:
				_, _ = m.Send(name, sell(p, 100_000, energy, name))
			case 2:
				_, _ = m.Send(name, buy(p, 200_000, energy)) // refused without the coins
			}
		}
		m.End()
		flows := map[string]flow{}
		for _, name := range names {
			if rapid.IntRange(0, 5).Draw(rt, "speaks "+name) > 0 {
				energy := rapid.SampledFrom([]int64{0, 1, 999, 1000, 1001, 2500})
				flows[name] = flow{energy.Draw(rt, "in"), energy.Draw(rt, "out")}
			}
		}
		deliver(m, flows, rapid.Permutation(names).Draw(rt, "order of meters")...)
		if rapid.Bool().Draw(rt, "reborn") {
			m = m.Reborn()
		}
		m.Block(p + 2*length + 500)
		m.Block(p + 3*length + 500)
		compareContracts(rt, m, names, flows, signed, 100*lossPerKm/1000)
	})
}

func drawContracts(rt *rapid.T, m *market.Market, names []string) []*settlementv1.Contract {
	for _, seller := range names {
		for _, buyer := range names {
			if seller == buyer || rapid.IntRange(0, 2).Draw(rt, "contract") > 0 {
				continue
			}
			msg := proposal(seller, buyer, rapid.Int64Range(0, 600_000).Draw(rt, "price"))
			msg.Priority, msg.Rank = rapid.Int64Range(0, 3).Draw(rt, "priority"), rapid.Int64Range(0, 3).Draw(rt, "rank")
			agree(m, seller, buyer, msg)
		}
	}
	var signed []*settlementv1.Contract
	for _, name := range names {
		for _, c := range contractsOf(m, name) {
			if address := market.Address(name); bytes.Equal(c.Seller, address[:]) {
				signed = append(signed, c)
			}
		}
	}
	return signed
}

// modelled is a contract in the model.
type modelled struct {
	*settlementv1.Contract
	first, second int
	lot           []byte
}

// before says whether a is served before b.
func (a modelled) before(b modelled) bool {
	if a.first != b.first {
		return a.first < b.first
	}
	if a.second != b.second {
		return a.second < b.second
	}
	return bytes.Compare(a.lot, b.lot) < 0
}

// model lists the contracts in the order in which they are served.
func model(signed []*settlementv1.Contract) []modelled {
	var list []modelled
	for _, c := range signed {
		smaller, better := map[int64]bool{}, map[int64]bool{}
		for _, other := range signed {
			if bytes.Equal(other.Seller, c.Seller) && other.Priority < c.Priority {
				smaller[other.Priority] = true
			}
			if bytes.Equal(other.Buyer, c.Buyer) && other.Rank < c.Rank {
				better[other.Rank] = true
			}
		}
		lot := module.DeriveID("contract lot", binary.BigEndian.AppendUint64(nil, uint64(p)), c.Seller, c.Buyer)
		list = append(list, modelled{c, len(smaller), len(better), lot[:]})
	}
	for i := range list {
		for j := range i {
			if list[i].before(list[j]) {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return list
}

// compareContracts checks each statement's trades by contract against the model,
// which starts from the registers and from what the market traded.
func compareContracts(rt *rapid.T, m *market.Market, names []string, flows map[string]flow, signed []*settlementv1.Contract, lossPPM int64) {
	left, need := map[string]int64{}, map[string]int64{}
	found := map[string]*settlementv1.Trade{}
	var debts int64
	for _, name := range names {
		account := string(market.Address(name).Bytes())
		s := statement(m, name)
		left[account], need[account] = flows[name].out, flows[name].in
		for _, trade := range s.Trades {
			switch {
			case len(trade.Contract) > 0:
				found[string(trade.Contract)+account] = trade
			case string(trade.Seller) == account:
				left[account] -= trade.SoldWh
			default:
				need[account] -= trade.BoughtWh
			}
		}
		if _, spoke := flows[name]; !spoke {
			left[account], need[account] = 0, 0
		}
		debts += s.DebtUcoin - s.RepaidUcoin
	}
	if lossPPM > 100_000 {
		signed = nil // beyond Lmax
	}
	for _, c := range model(signed) {
		seller, buyer := string(c.Seller), string(c.Buyer)
		var want, arrives int64
		for v := int64(1); need[buyer] > 0 && v <= left[seller]; v++ {
			if net := v - v*lossPPM/1_000_000; net <= need[buyer] {
				want, arrives = v, net
			}
		}
		left[seller] -= want
		need[buyer] -= arrives
		trade := found[string(c.Id)+seller]
		if trade.GetSoldWh() != want || trade.GetBoughtWh() != arrives || !proto.Equal(trade, found[string(c.Id)+buyer]) {
			rt.Fatalf("contract %v:\n got %v\nwant %d sold, %d bought, the same in both statements", c.Contract, trade, want, arrives)
		}
		if amount, _ := units.Amount(c.PriceUcoinPerKwh, want); amount != trade.GetAmountUcoin() {
			rt.Fatalf("contract %v: amount %d, want %d", c.Contract, trade.GetAmountUcoin(), amount)
		}
		delete(found, string(c.Id)+seller)
		delete(found, string(c.Id)+buyer)
	}
	if len(found) > 0 {
		rt.Fatalf("trades of no contract: %v", found)
	}
	var owed int64
	for _, name := range names {
		owed += bank.DebtOf(m.Store, market.Address(name))
	}
	// Repayments in chains of debtors are in no statement but the first one's.
	if owed > debts {
		rt.Fatalf("members owe %d, their statements say %d at most", owed, debts)
	}
}
