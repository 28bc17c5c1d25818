package simulation

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// resettlement is a period that is settled again.
type resettlement struct {
	*model
	p *period
	// parties are the corrected account and those it traded with, changed those
	// whose trades or registers differ.
	parties []string
	changed map[string]bool
	legs    []leg
}

// leg is a difference of money.
type leg struct {
	from, to string
	ucoin    int64
	residual bool
	fee      *settlementv1.Trade // whose fee it is, if it is one
}

// correct settles a period again with an account's corrected registers: trades
// follow from the registers of both sides as they stand, then the residuals; what
// differs moves.
func (m *model) correct(p *period, e *energy) {
	r := &resettlement{model: m, p: p, parties: []string{e.name}, changed: map[string]bool{e.name: true}}
	before := p.totals()
	own := p.statements[e.name]
	own.ImportWh += e.importWh
	own.ExportWh += e.exportWh
	for _, t := range slices.Clone(own.Trades) {
		if t.SellerMissing && t.BuyerMissing { // nothing was delivered
			continue
		}
		for _, side := range []string{m.known[string(t.Seller)], m.known[string(t.Buyer)]} {
			if !slices.Contains(r.parties, side) {
				r.parties = append(r.parties, side)
			}
		}
		if t.GridStoodIn {
			r.standIn(t)
		} else {
			r.rematch(t)
		}
	}
	for _, name := range r.parties {
		if r.changed[name] {
			r.residual(name)
		}
	}
	money := r.payLegs()
	after := p.totals()
	for i := range p.moved {
		p.moved[i] += *moneyOf(before)[i] + *moneyOf(money)[i] - *moneyOf(after)[i]
	}
	for _, name := range r.parties {
		if r.changed[name] {
			s := proto.Clone(p.statements[name]).(*settlementv1.Statement) // both sides have their own trades
			p.statements[name] = s
			s.CorrectsVersion = s.Version
			m.keep(s, name)
		}
	}
}

// parts are the account's s_k or g_k with its registers as they stand.
func (r *resettlement) parts(s *settlementv1.Statement) []int64 {
	selling := string(s.Trades[0].Seller) == string(s.Account)
	measured, owed := s.ImportWh, make([]obligation, len(s.Trades))
	if selling {
		measured = s.ExportWh
	}
	for i, t := range s.Trades {
		owed[i] = obligation{t.ContractedWh, t.LossPpm}
	}
	return r.share(measured, selling, owed).parts
}

// place is where a statement has a trade.
func place(s *settlementv1.Statement, t *settlementv1.Trade) int {
	return slices.IndexFunc(s.Trades, func(own *settlementv1.Trade) bool { return string(own.Match) == string(t.Match) })
}

// sides are the statements of a trade's sides, and s_k and g_k; of who was missing
// when it settled v_k, but for a seller whose registers came.
func (r *resettlement) sides(t *settlementv1.Trade) (seller, buyer *settlementv1.Statement, sellerWh, buyerWh int64) {
	seller, buyer = r.p.statements[r.known[string(t.Seller)]], r.p.statements[r.known[string(t.Buyer)]]
	sellerWh, buyerWh = t.ContractedWh, t.ContractedWh
	if !seller.Missing {
		sellerWh = r.parts(seller)[place(seller, t)]
	}
	if !t.BuyerMissing {
		buyerWh = r.parts(buyer)[place(buyer, t)]
	}
	return seller, buyer, sellerWh, buyerWh
}

// with is a trade as it is with another energy delivered.
func with(t *settlementv1.Trade, soldWh int64) *settlementv1.Trade {
	next := proto.Clone(t).(*settlementv1.Trade)
	next.SoldWh, next.BoughtWh = soldWh, arrives(soldWh, t.LossPpm)
	next.AmountUcoin, next.FeeUcoin = amount(t.PriceUcoinPerKwh, soldWh), amount(t.FeeUcoinPerKwh, soldWh)
	return next
}

// rematch settles a match again.
func (r *resettlement) rematch(t *settlementv1.Trade) {
	seller, buyer, sellerWh, buyerWh := r.sides(t)
	next := with(t, min(sellerWh, buyerWh))
	next.MakeWholeBySellerUcoin, next.MakeWholeByBuyerUcoin, next.UnpaidMakeWholeUcoin = 0, 0, 0
	certify(next, 0)
	if !t.SellerMissing && !t.BuyerMissing && !seller.Estimated && !buyer.Estimated {
		next.MakeWholeBySellerUcoin = amount(max(0, market.Retail-t.PriceUcoinPerKwh-t.FeeUcoinPerKwh), buyerWh-sellerWh)
		next.MakeWholeByBuyerUcoin = amount(max(0, t.PriceUcoinPerKwh-market.FeedIn), sellerWh-buyerWh)
		certify(next, metered(seller.ExportWh, r.parts(seller))[place(seller, t)])
	}
	same := next.SoldWh == t.SoldWh && next.CertifiedWh == t.CertifiedWh &&
		next.MakeWholeBySellerUcoin == t.MakeWholeBySellerUcoin && next.MakeWholeByBuyerUcoin == t.MakeWholeByBuyerUcoin
	if same {
		return
	}
	due := func(t *settlementv1.Trade) int64 {
		return t.AmountUcoin + t.MakeWholeByBuyerUcoin - t.MakeWholeBySellerUcoin
	}
	r.owe(leg{from: r.known[string(t.Buyer)], to: r.known[string(t.Seller)], ucoin: due(next) - due(t)})
	wholes(seller, buyer, t, -1)
	wholes(seller, buyer, next, +1)
	seller.SoldWh += next.SoldWh - t.SoldWh
	r.put(seller, next)
	r.buy(buyer, t, next)
}

// wholes counts a trade's make-whole payment in the statements of both sides, or
// takes it out: then what of it was not paid is a claim.
func wholes(seller, buyer *settlementv1.Statement, t *settlementv1.Trade, sign int64) {
	payer, payee := seller, buyer
	if t.MakeWholeByBuyerUcoin > 0 {
		payer, payee = buyer, seller
	}
	paid := t.MakeWholeBySellerUcoin + t.MakeWholeByBuyerUcoin - t.UnpaidMakeWholeUcoin
	payer.MakeWholePaidUcoin += sign * paid
	payee.MakeWholeReceivedUcoin += sign * paid
	payee.ClaimsUcoin -= sign * t.UnpaidMakeWholeUcoin
}

// buy puts a trade into the buyer's statement.
func (r *resettlement) buy(buyer *settlementv1.Statement, was, next *settlementv1.Trade) {
	buyer.BoughtWh += next.BoughtWh - was.BoughtWh
	r.put(buyer, next)
	r.owe(leg{from: r.known[string(buyer.Account)], to: feeLedger, ucoin: next.FeeUcoin - was.FeeUcoin, fee: next})
	if more := next.CertifiedWh - was.CertifiedWh; more != 0 {
		r.deliver(buyer, next, more)
	}
}

func (r *resettlement) put(s *settlementv1.Statement, t *settlementv1.Trade) {
	s.Trades[place(s, t)] = t
	r.changed[r.known[string(s.Account)]] = true
}

// standIn settles a match again that the grid stood in for: what the buyer took,
// and of that what passed to the seller, if its registers came.
func (r *resettlement) standIn(t *settlementv1.Trade) {
	seller, buyer, sellerWh, buyerWh := r.sides(t)
	bought, own := buyer.Trades[place(buyer, t)], seller.Trades[place(seller, t)]
	next := with(bought, buyerWh)
	if next.SoldWh != bought.SoldWh {
		r.buy(buyer, bought, next)
		r.owe(leg{from: r.known[string(t.Buyer)], to: upperGrid, ucoin: next.AmountUcoin - bought.AmountUcoin})
		if seller.Missing {
			r.put(seller, next)
		}
	}
	passed := with(own, min(sellerWh, buyerWh))
	if seller.Missing || passed.SoldWh == own.SoldWh {
		return
	}
	seller.SoldWh += passed.SoldWh - own.SoldWh
	r.put(seller, passed)
	r.owe(leg{from: upperGrid, to: r.known[string(t.Seller)], ucoin: passed.AmountUcoin - own.AmountUcoin})
}

// owe adds a leg; less than 0 is owed the other way round.
func (r *resettlement) owe(l leg) {
	if l.ucoin < 0 {
		l.from, l.to, l.ucoin = l.to, l.from, -l.ucoin
	}
	r.legs = append(r.legs, l)
}

// residual settles a changed account's residual again.
func (r *resettlement) residual(name string) {
	s := r.p.statements[name]
	s.CorrectionPaidUcoin, s.CorrectionReceivedUcoin, s.CorrectionDebtUcoin = 0, 0, 0
	if s.Missing {
		return
	}
	due := func() int64 { // of the grid to the account
		return amount(market.FeedIn, s.GridExportWh) + amount(market.FeedIn, -s.GridImportWh) -
			amount(market.Retail, s.GridImportWh) - amount(market.Retail, -s.GridExportWh)
	}
	before := due()
	s.GridImportWh, s.GridExportWh = s.ImportWh-s.BoughtWh, s.ExportWh-s.SoldWh
	s.GridAloneUcoin = amount(market.Retail, s.ImportWh) - amount(market.FeedIn, s.ExportWh)
	r.owe(leg{from: upperGrid, to: name, ucoin: due() - before, residual: true})
}

// payLegs pays the legs: first what the grid and the fee ledger owe, then what
// accounts owe each other, then what they owe to the grid. It returns by how much
// that changes the period's totals.
func (r *resettlement) payLegs() *settlementv1.Totals {
	turn := func(l leg) int {
		switch {
		case l.from == upperGrid || l.from == feeLedger:
			return 0
		case l.to == upperGrid:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(r.legs, func(a, b leg) int { return cmp.Compare(turn(a), turn(b)) })
	sum := &settlementv1.Totals{}
	for _, l := range r.legs {
		r.payLeg(l, sum)
	}
	return sum
}

// payLeg pays from the free balance, then the guarantee fund does; the rest is owed.
func (r *resettlement) payLeg(l leg, sum *settlementv1.Totals) {
	own, byFund, repaid := r.payForEnergy(l.from, l.to, l.ucoin)
	moved := own + byFund
	if s := r.p.statements[l.from]; s != nil {
		s.PaidUcoin += own
		s.CorrectionPaidUcoin += own
		s.DebtUcoin += l.ucoin - own
		s.CorrectionDebtUcoin += l.ucoin - own
		s.GuaranteedUcoin += byFund
		if l.residual {
			s.GridPaidUcoin += own
		}
		if l.fee != nil {
			s.FeesUcoin += own
			l.fee.UnpaidFeeUcoin += l.ucoin - moved
			l.fee.GuaranteedFeeUcoin += byFund
		}
	}
	if s := r.p.statements[l.to]; s != nil {
		s.ReceivedUcoin += moved
		s.CorrectionReceivedUcoin += moved
		s.ClaimsUcoin += l.ucoin - moved
		s.RepaidUcoin += repaid
		s.LoansRepaidUcoin += r.repayLoans(l.to, moved-repaid)
		if l.residual {
			s.GridReceivedUcoin += moved
		}
		if l.fee != nil {
			s.FeesUcoin -= moved
		}
	}
	if l.from == feeLedger { // it was received
		sum.FeesUcoin -= moved
		return
	}
	sum.PaidUcoin += moved
	sum.ReceivedUcoin += moved
	sum.FundPaidUcoin += byFund
	switch {
	case l.from == upperGrid:
		sum.GridPaidUcoin += moved
	case l.to == upperGrid:
		sum.GridReceivedUcoin += moved
	case l.to == feeLedger:
		sum.FeesUcoin += moved
	}
}
