package settlement

import (
	"bytes"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// sharing is a way to share a statement's registers out over some of its trades.
type sharing int

const (
	// sellable are a seller's s_k, metered what of them its meter shows, takeable a
	// buyer's g_k; the others are what is left for contracts.
	sellable sharing = iota
	metered
	takeable
	sellableByContract
	takeableByContract
	sharings
)

// shares returns the trades and their parts, in Wh at the seller's meter.
func (way sharing) shares(s *settlementv1.Statement) (trades []*settlementv1.Trade, partsWh []int64, err error) {
	switch way {
	case sellable:
		return sellableParts(s)
	case metered:
		return meteredOf(s)
	case takeable:
		return takeableParts(s)
	case sellableByContract:
		return contractSales(s)
	}
	return contractPurchases(s)
}

// partOf is the part of a party's registers that falls to a trade, in Wh at the
// seller's meter. All parts are found at once and kept, as those of one trade take
// as long: they follow from registers and matches alone, and contracts are settled
// once the matches are.
func partOf(p *party, trade *settlementv1.Trade, way sharing) (int64, error) {
	if p.Missing {
		return 0, ErrNoRecord.With("period %d: the registers of %v are missing", p.Period, protocol.Address(p.Account))
	}
	if p.parts[way] == nil {
		trades, parts, err := way.shares(p.Statement)
		if err != nil {
			return 0, err
		}
		p.parts[way] = make(map[string]int64, len(trades))
		for i, own := range trades {
			p.parts[way][string(tradeID(own))] = parts[i]
		}
	}
	part, ok := p.parts[way][string(tradeID(trade))]
	if !ok {
		return 0, ErrNoRecord.With("period %d: no trade %x of %v", p.Period, tradeID(trade), protocol.Address(p.Account))
	}
	return part, nil
}

// sellableParts are a seller's s_k.
func sellableParts(s *settlementv1.Statement) ([]*settlementv1.Trade, []int64, error) {
	matched := matchTrades(s)
	wanted := make([]int64, len(matched))
	for i, trade := range matched {
		wanted[i] = trade.ContractedWh
	}
	parts, err := partsOf(s.ExportWh, s.ToleranceWh, wanted)
	return matched, parts, err
}

// takeableParts are a buyer's g_k.
func takeableParts(s *settlementv1.Statement) ([]*settlementv1.Trade, []int64, error) {
	matched := matchTrades(s)
	wanted := make([]int64, len(matched))
	for i, trade := range matched {
		wanted[i] = units.Net(trade.ContractedWh, trade.LossPpm)
	}
	parts, err := partsOf(s.ImportWh, s.ToleranceWh, wanted)
	for i, part := range parts {
		parts[i] = units.GrossFor(part, matched[i].LossPpm, matched[i].ContractedWh)
	}
	return matched, parts, err
}

// contractSales is what a seller's contracts may have of what its matches
// left of its export: what they had at first or, of less, a part pro rata.
func contractSales(s *settlementv1.Statement) ([]*settlementv1.Trade, []int64, error) {
	left := s.ExportWh
	var served []*settlementv1.Trade
	var wanted []int64
	var sums adder
	for _, trade := range s.Trades {
		switch {
		case !bytes.Equal(trade.Seller, s.Account):
		case len(trade.Contract) == 0:
			sums.add(&left, -trade.SoldWh)
		default:
			served, wanted = append(served, trade), append(wanted, trade.ServedWh)
		}
	}
	if sums.err != nil {
		return nil, nil, sums.err
	}
	parts, err := partsOf(max(left, 0), 0, wanted)
	return served, parts, err
}

// contractPurchases is the same of a buyer's import.
func contractPurchases(s *settlementv1.Statement) ([]*settlementv1.Trade, []int64, error) {
	need := s.ImportWh
	var served []*settlementv1.Trade
	var wanted []int64
	var sums adder
	for _, trade := range s.Trades {
		switch {
		case !bytes.Equal(trade.Buyer, s.Account):
		case len(trade.Contract) == 0:
			sums.add(&need, -trade.BoughtWh)
		default:
			served, wanted = append(served, trade), append(wanted, units.Net(trade.ServedWh, trade.LossPpm))
		}
	}
	if sums.err != nil {
		return nil, nil, sums.err
	}
	parts, err := partsOf(max(need, 0), 0, wanted)
	for i, part := range parts {
		parts[i] = units.GrossFor(part, served[i].LossPpm, served[i].ServedWh)
	}
	return served, parts, err
}
