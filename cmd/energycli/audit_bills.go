package main

import (
	"bytes"
	"fmt"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/audit"
)

// checkBills checks that the buyers' statements hold the matches that were
// confirmed. Statements lead by proof to a header that validators signed: so the
// events, which they do not sign, are tied to what they do.
func (l *link) checkBills(g *gathered) (audit.Finding, error) {
	finding := audit.Finding{Check: "bills"}
	confirmed, buyers := g.confirmed()
	for i, buyer := range buyers {
		statement, err := l.proved(buyer, g.rules.Period)
		if err != nil {
			return finding, err
		}
		if statement == nil {
			finding.Skipped = fmt.Sprintf("of %d buyers' statements only %d are made: the period is in settlement", len(buyers), i)
			return finding, nil
		}
		for _, match := range confirmed[buyer] {
			if err := inStatement(statement, match); err != nil {
				finding.Wrong = err.Error()
				return finding, nil
			}
		}
	}
	return finding, nil
}

// confirmed returns the matches that were confirmed by their buyers, and these in
// the order of the matches.
func (g *gathered) confirmed() (matches map[protocol.Address][]*matchingv1.Match, buyers []protocol.Address) {
	matches = make(map[protocol.Address][]*matchingv1.Match)
	for _, r := range g.rounds {
		for _, match := range r.Matches {
			if g.trading.Fates[string(match.Id)] != client.Confirmed {
				continue
			}
			buyer := protocol.Address(match.Buyer)
			if matches[buyer] == nil {
				buyers = append(buyers, buyer)
			}
			matches[buyer] = append(matches[buyer], match)
		}
	}
	return matches, buyers
}

// proved returns an account's statement of a period, by proof; nil before it is
// made.
func (l *link) proved(account protocol.Address, period int64) (*settlementv1.Statement, error) {
	bill, err := proof.FetchBill(l.ctx, l.Client, l.chainID, account, period, period, true)
	if err != nil {
		return nil, err
	}
	if len(bill.Sections) == 0 {
		return nil, nil
	}
	trusted := &proof.Trusted{Height: bill.Header.Signed.Height, Hash: bill.Header.Signed.Hash()}
	if err := bill.Verify(trusted); err != nil {
		return nil, fmt.Errorf("statement of %v: %w: %w", account, errNotProved, err)
	}
	return bill.Sections[0].Statement, nil
}

// inStatement says in what a statement's trade differs from its match.
func inStatement(statement *settlementv1.Statement, match *matchingv1.Match) error {
	for _, trade := range statement.Trades {
		if !bytes.Equal(trade.Match, match.Id) {
			continue
		}
		switch {
		case trade.ContractedWh != match.EnergyWh:
			return fmt.Errorf("match %x: expected %s in the buyer's statement, got %s", match.Id, units.FormatKWh(match.EnergyWh), units.FormatKWh(trade.ContractedWh))
		case trade.PriceUcoinPerKwh != match.PriceUcoinPerKwh || trade.FeeUcoinPerKwh != match.FeeUcoinPerKwh || trade.LossPpm != match.LossPpm:
			return fmt.Errorf("match %x: expected its price, fee and loss in the buyer's statement, got %s, %s and %s", match.Id,
				units.FormatPrice(trade.PriceUcoinPerKwh), units.FormatPrice(trade.FeeUcoinPerKwh), units.FormatPercent(trade.LossPpm))
		case !bytes.Equal(trade.Seller, match.Seller) && !trade.GridStoodIn:
			return fmt.Errorf("match %x: expected its seller in the buyer's statement, got another", match.Id)
		}
		return nil
	}
	return fmt.Errorf("match %x: expected a trade in the buyer's statement, got none", match.Id)
}
