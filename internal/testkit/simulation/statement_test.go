package simulation

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// delivery is what registers mean for a match: s_k, g_k, and whether the grid
// stands in for the seller.
type delivery struct {
	sellerWh, buyerWh int64
	byGrid            bool
	// meteredWh is what of s_k the seller's meter shows.
	meteredWh                   int64
	sellerMissing, buyerMissing bool
}

// trade settles a match: v_f = min(s_k, g_k), paid from the escrow, of which the
// rest goes back. Who fell short of the other then makes it whole, if both are
// measured.
func (m *model) trade(p *period, match *matchingv1.Match, d delivery, measured bool) {
	p.matches = slices.DeleteFunc(slices.Clone(p.matches), func(other *matchingv1.Match) bool { return other == match })
	seller, buyer := m.known[string(match.Seller)], m.known[string(match.Buyer)]
	sold := min(d.sellerWh, d.buyerWh)
	t := &settlementv1.Trade{
		Match: match.Id, Seller: match.Seller, Buyer: match.Buyer, ContractedWh: match.EnergyWh,
		SoldWh: sold, BoughtWh: arrives(sold, match.LossPpm), LossPpm: match.LossPpm,
		PriceUcoinPerKwh: match.PriceUcoinPerKwh, FeeUcoinPerKwh: match.FeeUcoinPerKwh,
		AmountUcoin: amount(match.PriceUcoinPerKwh, sold), FeeUcoin: amount(match.FeeUcoinPerKwh, sold),
		Environment: match.Environment, GridStoodIn: d.byGrid,
		SellerMissing: d.sellerMissing, BuyerMissing: d.buyerMissing,
	}
	if measured {
		certify(t, d.meteredWh)
	}
	payee := seller
	if d.byGrid {
		payee = upperGrid
	}
	ofSeller, ofBuyer := &side{trade: t}, &side{trade: t}
	if claim := escrowOf(match); claim > 0 {
		m.escrow[buyer] -= claim
		ofSeller.repaid = m.receive(payee, t.AmountUcoin)
		m.receive(feeLedger, t.FeeUcoin)
		ofBuyer.repaid = m.receive(buyer, claim-t.AmountUcoin-t.FeeUcoin)
	}
	if !d.byGrid {
		ofSeller.loans = m.repayLoans(seller, t.AmountUcoin-ofSeller.repaid)
	}
	if measured {
		m.makeWhole(t, d, ofSeller, ofBuyer)
	}
	p.sides[seller] = append(p.sides[seller], ofSeller)
	p.sides[buyer] = append(p.sides[buyer], ofBuyer)
	m.settled = append(m.settled, t)
}

// makeWhole: a seller short of what the buyer could take pays what the buyer pays
// the grid beyond price and fee, a buyer short of what the seller could deliver
// pays what the seller gets of the grid less than the price.
func (m *model) makeWhole(t *settlementv1.Trade, d delivery, ofSeller, ofBuyer *side) {
	seller, buyer := m.known[string(t.Seller)], m.known[string(t.Buyer)]
	switch {
	case d.sellerWh < d.buyerWh:
		extra := max(0, market.Retail-t.PriceUcoinPerKwh-t.FeeUcoinPerKwh)
		t.MakeWholeBySellerUcoin = amount(extra, d.buyerWh-d.sellerWh)
		paid, repaid := m.pay(seller, buyer, t.MakeWholeBySellerUcoin)
		t.UnpaidMakeWholeUcoin = t.MakeWholeBySellerUcoin - paid
		ofBuyer.repaid += repaid
	case d.buyerWh < d.sellerWh:
		extra := max(0, t.PriceUcoinPerKwh-market.FeedIn)
		t.MakeWholeByBuyerUcoin = amount(extra, d.sellerWh-d.buyerWh)
		paid, repaid := m.pay(buyer, seller, t.MakeWholeByBuyerUcoin)
		t.UnpaidMakeWholeUcoin = t.MakeWholeByBuyerUcoin - paid
		ofSeller.repaid += repaid
	}
}

// bill makes an account's statement of a period, marked missing if its registers
// are not here: then its exchange with the grid stays open.
func (m *model) bill(p *period, name string) {
	s := &settlementv1.Statement{Account: addressOf(name), Period: p.start, Missing: true}
	f := p.flows[name]
	if f != nil {
		s.Missing, s.Estimated, s.ImportWh, s.ExportWh, s.ToleranceWh = false, f.estimated, f.importWh, f.exportWh, f.toleranceWh
	}
	sides := p.sides[name]
	slices.SortFunc(sides, func(a, b *side) int { return cmp.Compare(string(a.trade.Match), string(b.trade.Match)) })
	for _, side := range sides {
		s.RepaidUcoin += side.repaid
		s.LoansRepaidUcoin += side.loans
		addTrade(s, proto.Clone(side.trade).(*settlementv1.Trade))
	}
	if f != nil {
		m.exchange(s, name)
	}
	if len(sides) > 0 {
		m.judgeAccount(p, s, name)
	}
	for _, t := range s.Trades {
		if string(t.Buyer) == string(s.Account) {
			m.deliver(s, t, t.CertifiedWh)
		}
	}
	p.statements[name] = s
	m.issue(s, name)
	if s.Outcome < 0 {
		m.freezeViolator(name, p.start)
	}
}

// judgeAccount finds the outcome of an account with matches: that its registers are
// missing or estimated is waived if most of its group fail.
func (m *model) judgeAccount(p *period, s *settlementv1.Statement, name string) {
	estimated, absent := p.failing()
	unread := s.Missing || s.Estimated
	switch {
	case unread && p.mostFail(estimated+absent):
		s.Waived = true
	case unread || p.flows[name].violated:
		m.violate(s, name)
	default:
		dealt := map[string]int64{}
		for _, t := range s.Trades {
			other := string(t.Seller)
			if other == string(s.Account) {
				other = string(t.Buyer)
			}
			dealt[m.known[other]] += t.SoldWh
		}
		if m.fulfil(name, dealt, m.params.LeastOutcomeWh) {
			s.Outcome = +1
		}
	}
}

// addTrade counts a trade of a match in the statement of one of its sides.
func addTrade(s *settlementv1.Statement, t *settlementv1.Trade) {
	s.Trades = append(s.Trades, t)
	buys := string(t.Buyer) == string(s.Account)
	switch {
	case buys:
		s.BoughtWh += t.BoughtWh
		s.PaidUcoin += t.AmountUcoin + t.FeeUcoin
		s.FeesUcoin += t.FeeUcoin
	case !t.GridStoodIn:
		s.SoldWh += t.SoldWh
		s.ReceivedUcoin += t.AmountUcoin
	}
	whole := t.MakeWholeByBuyerUcoin + t.MakeWholeBySellerUcoin
	paid := whole - t.UnpaidMakeWholeUcoin
	if pays := buys == (t.MakeWholeByBuyerUcoin > 0); !pays {
		s.ReceivedUcoin += paid
		s.MakeWholeReceivedUcoin += paid
		return
	}
	s.PaidUcoin += paid
	s.MakeWholePaidUcoin += paid
	s.DebtUcoin += t.UnpaidMakeWholeUcoin
}

// exchange settles with the grid what the trades left of the registers: from it
// import - bought, to it export - sold, either of them with the other sign at the
// other price. The account receives before it pays.
func (m *model) exchange(s *settlementv1.Statement, name string) {
	s.RetailUcoinPerKwh, s.FeedInUcoinPerKwh = market.Retail, market.FeedIn
	s.GridImportWh, s.GridExportWh = s.ImportWh-s.BoughtWh, s.ExportWh-s.SoldWh
	s.GridAloneUcoin = amount(market.Retail, s.ImportWh) - amount(market.FeedIn, s.ExportWh)

	s.GridReceivedUcoin = amount(market.FeedIn, s.GridExportWh) + amount(market.FeedIn, -s.GridImportWh)
	_, repaid := m.pay(upperGrid, name, s.GridReceivedUcoin)
	s.ReceivedUcoin += s.GridReceivedUcoin
	s.RepaidUcoin += repaid
	s.LoansRepaidUcoin += m.repayLoans(name, s.GridReceivedUcoin-repaid)

	costs := amount(market.Retail, s.GridImportWh) + amount(market.Retail, -s.GridExportWh)
	lent := m.draw(name, costs-max(m.free[name], 0))
	m.free[upperGrid] += lent
	own, guaranteed, _ := m.payForEnergy(name, upperGrid, costs-lent)
	s.DrawnUcoin += lent
	s.GridPaidUcoin = own + lent
	s.PaidUcoin += own + lent
	s.DebtUcoin += costs - own - lent
	s.GuaranteedUcoin += guaranteed
}

// issue makes a version of a statement: after = before + received + drawn - paid -
// repaid - loans repaid.
func (m *model) issue(s *settlementv1.Statement, name string) {
	s.Reputation = m.conduct[name].value()
	m.keep(s, name)
}

func (m *model) keep(s *settlementv1.Statement, name string) {
	s.Version++
	s.BalanceAfterUcoin = m.free[name] + m.escrow[name]
	s.BalanceBeforeUcoin = s.BalanceAfterUcoin - s.ReceivedUcoin - s.DrawnUcoin + s.PaidUcoin + s.RepaidUcoin + s.LoansRepaidUcoin
	m.made = append(m.made, proto.Clone(s).(*settlementv1.Statement))
}

// arriveLate completes a statement marked missing: of what the grid sold in the
// account's place min(s_k, v_f) passes to it with its money, then its residual
// settles at the period's tariff. Its outcome stays.
func (m *model) arriveLate(p *period, e energy) {
	s := p.statements[e.name]
	selling := len(s.Trades) > 0 && string(s.Trades[0].Seller) == string(s.Account)
	measured := e.importWh
	if selling {
		measured = e.exportWh
	}
	owed := make([]obligation, len(s.Trades))
	for i, t := range s.Trades {
		owed[i] = obligation{t.ContractedWh, t.LossPpm}
	}
	shared := m.share(measured, selling, owed)
	s.Missing, s.Estimated = false, e.estimated
	s.ImportWh, s.ExportWh, s.ToleranceWh = e.importWh, e.exportWh, shared.toleranceWh
	for i, t := range s.Trades {
		if !t.GridStoodIn {
			continue
		}
		t.SoldWh = min(t.SoldWh, shared.parts[i])
		t.BoughtWh = arrives(t.SoldWh, t.LossPpm)
		t.AmountUcoin, t.FeeUcoin = amount(t.PriceUcoinPerKwh, t.SoldWh), amount(t.FeeUcoinPerKwh, t.SoldWh)
		t.UnpaidFeeUcoin, t.GuaranteedFeeUcoin = 0, 0 // the buyer's
		_, repaid := m.pay(upperGrid, e.name, t.AmountUcoin)
		s.SoldWh += t.SoldWh
		s.ReceivedUcoin += t.AmountUcoin
		s.RepaidUcoin += repaid
		s.LoansRepaidUcoin += m.repayLoans(e.name, t.AmountUcoin-repaid)
	}
	m.exchange(s, e.name)
	shows := s.Waived && !s.Estimated && shared.violated // what was waived was that nobody knew
	if shows {
		s.Waived = false
		m.violate(s, e.name)
	}
	m.issue(s, e.name)
	if shows {
		m.freezeViolator(e.name, p.start)
	}
}
