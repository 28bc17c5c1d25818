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
	m.payTrade(match, payee, ofSeller, ofBuyer)
	if !d.byGrid {
		ofSeller.loans = m.repayLoans(seller, t.AmountUcoin-t.UnpaidAmountUcoin-ofSeller.repaid)
	}
	if measured {
		makeWhole(t, d)
	}
	m.payWhole(t, match.SecurityUcoin, ofSeller, ofBuyer)
	p.sides[seller] = append(p.sides[seller], ofSeller)
	p.sides[buyer] = append(p.sides[buyer], ofBuyer)
	m.settled = append(m.settled, t)
}

// payTrade pays amount and fee out of the match's escrow, of which the rest goes
// back; what it does not cover the buyer pays as for energy of the grid.
func (m *model) payTrade(match *matchingv1.Match, payee string, ofSeller, ofBuyer *side) {
	t, buyer, claim := ofBuyer.trade, m.known[string(match.Buyer)], match.EscrowUcoin
	energy := min(t.AmountUcoin, claim)
	fee := min(t.FeeUcoin, claim-energy)
	m.exposed[buyer] -= match.ExposedUcoin
	m.escrow[buyer] -= claim
	ofSeller.repaid = m.receive(payee, energy)
	m.receive(feeLedger, fee)
	ofBuyer.repaid = m.receive(buyer, claim-energy-fee)
	lends := t.PriceUcoinPerKwh+t.FeeUcoinPerKwh <= market.Retail
	b := m.buyEnergy(buyer, payee, t.AmountUcoin-energy, lends)
	t.GuaranteedAmountUcoin, t.UnpaidAmountUcoin = b.guaranteed, t.AmountUcoin-energy-b.own-b.lent-b.guaranteed
	ofSeller.repaid += b.repaid
	f := m.buyEnergy(buyer, feeLedger, t.FeeUcoin-fee, lends)
	t.GuaranteedFeeUcoin, t.UnpaidFeeUcoin = f.guaranteed, t.FeeUcoin-fee-f.own-f.lent-f.guaranteed
	ofBuyer.drawn = b.lent + f.lent
}

// bought is what was paid for energy: by the buyer, its bank and the guarantee
// fund, and what the payee repaid of it.
type bought struct{ own, lent, guaranteed, repaid int64 }

// buyEnergy pays from the free balance, the credit line if the bank lends for it,
// and the guarantee fund; the rest is owed.
func (m *model) buyEnergy(buyer, payee string, ucoin int64, lends bool) (b bought) {
	if lends {
		b.lent = m.draw(buyer, ucoin-max(m.free[buyer], 0))
		b.repaid = m.receive(payee, b.lent)
	}
	var repaid int64
	b.own, b.guaranteed, repaid = m.payForEnergy(buyer, payee, ucoin-b.lent)
	b.repaid += repaid
	return b
}

// makeWhole: a seller short of what the buyer could take owes what the buyer pays
// the grid beyond price and fee, a buyer short of what the seller could deliver
// what the seller gets of the grid less than the price.
func makeWhole(t *settlementv1.Trade, d delivery) {
	t.MakeWholeBySellerUcoin = amount(max(0, market.Retail-t.PriceUcoinPerKwh-t.FeeUcoinPerKwh), d.buyerWh-d.sellerWh)
	t.MakeWholeByBuyerUcoin = amount(max(0, t.PriceUcoinPerKwh-market.FeedIn), d.sellerWh-d.buyerWh)
}

// payWhole pays it, a seller out of its security first, and gives the rest of that
// back.
func (m *model) payWhole(t *settlementv1.Trade, security int64, ofSeller, ofBuyer *side) {
	seller, buyer := m.known[string(t.Seller)], m.known[string(t.Buyer)]
	secured := min(security, t.MakeWholeBySellerUcoin)
	m.escrow[seller] -= security
	ofBuyer.repaid += m.receive(buyer, secured)
	ofSeller.repaid += m.receive(seller, security-secured)
	if secured > 0 {
		seen.securities.Add(1)
	}
	if rest := t.MakeWholeBySellerUcoin - secured; rest > 0 {
		paid, repaid := m.pay(seller, buyer, rest)
		t.UnpaidMakeWholeUcoin = rest - paid
		ofBuyer.repaid += repaid
	}
	if t.MakeWholeByBuyerUcoin > 0 {
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
		s.DrawnUcoin += side.drawn
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
		guaranteed, unpaid := t.GuaranteedAmountUcoin+t.GuaranteedFeeUcoin, t.UnpaidAmountUcoin+t.UnpaidFeeUcoin
		s.PaidUcoin += t.AmountUcoin + t.FeeUcoin - guaranteed - unpaid
		s.FeesUcoin += t.FeeUcoin - t.GuaranteedFeeUcoin - t.UnpaidFeeUcoin
		s.GuaranteedUcoin += guaranteed
		s.DebtUcoin += guaranteed + unpaid
	case !t.GridStoodIn:
		s.SoldWh += t.SoldWh
		s.ReceivedUcoin += t.AmountUcoin - t.UnpaidAmountUcoin
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
	paid := m.buyEnergy(name, upperGrid, costs, true)
	s.DrawnUcoin += paid.lent
	s.GridPaidUcoin = paid.own + paid.lent
	s.PaidUcoin += paid.own + paid.lent
	s.DebtUcoin += costs - paid.own - paid.lent
	s.GuaranteedUcoin += paid.guaranteed
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
		// The buyer's: the grid pays in full.
		t.UnpaidFeeUcoin, t.GuaranteedFeeUcoin, t.UnpaidAmountUcoin, t.GuaranteedAmountUcoin = 0, 0, 0, 0
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
