package settlement

import (
	"cmp"
	"slices"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
)

// leg is a difference of money that one owes to another after a correction.
type leg struct {
	from, to protocol.Address
	ucoin    int64
	// residual: of the exchange with the grid.
	residual bool
	// fee is the trade whose fee it is, nil if it is none.
	fee *settlementv1.Trade
}

// owe adds that an account owes so much more to another; less than 0 is the other
// way round.
func (w *resettlement) owe(from, to []byte, ucoin int64) {
	w.legs = append(w.legs, newLeg(protocol.Address(from), protocol.Address(to), ucoin))
}

func newLeg(from, to protocol.Address, ucoin int64) leg {
	if ucoin < 0 {
		return leg{from: to, to: from, ucoin: -ucoin}
	}
	return leg{from: from, to: to, ucoin: ucoin}
}

// feeLeg is by how much the fee of a trade changed.
func feeLeg(trade *settlementv1.Trade, ucoin int64) leg {
	l := newLeg(protocol.Address(trade.Buyer), protocol.FeeAddress, ucoin)
	l.fee = trade
	return l
}

// turn is when a leg is paid: first what grid and fee ledger owe, then what
// accounts owe each other and the ledger, then what they owe to the grid. So who
// gets something has it when it pays.
func (l leg) turn() int {
	switch {
	case l.from == protocol.GridAddress || l.from == protocol.FeeAddress:
		return 0
	case l.to == protocol.GridAddress:
		return 2
	}
	return 1
}

// settleDifferences settles the residuals again and moves what differs.
func (w *resettlement) settleDifferences() error {
	for _, p := range w.parties {
		if !p.changed || p.Missing {
			continue
		}
		if err := w.resettleResidual(p); err != nil {
			return err
		}
	}
	slices.SortStableFunc(w.legs, func(a, b leg) int { return cmp.Compare(a.turn(), b.turn()) })
	for _, l := range w.legs {
		if l.ucoin == 0 {
			continue
		}
		if err := w.pay(l); err != nil {
			return err
		}
	}
	return nil
}

// resettleResidual settles an account's exchange with the grid again, at the
// prices of its statement.
func (w *resettlement) resettleResidual(p *party) error {
	before, err := gridOwes(p.Statement)
	if err != nil {
		return err
	}
	alone, err := gridAlone(p.Statement)
	if err != nil {
		return err
	}
	totals := w.period.Totals
	var sums adder
	sums.add(&totals.GridSoldWh, p.ImportWh-p.BoughtWh-p.GridImportWh)
	sums.add(&totals.GridBoughtWh, p.ExportWh-p.SoldWh-p.GridExportWh)
	sums.add(&totals.GridAloneUcoin, alone-p.GridAloneUcoin)
	p.GridImportWh, p.GridExportWh, p.GridAloneUcoin = p.ImportWh-p.BoughtWh, p.ExportWh-p.SoldWh, alone
	after, err := gridOwes(p.Statement)
	if err != nil {
		return err
	}
	l := newLeg(protocol.GridAddress, protocol.Address(p.Account), after-before)
	l.residual = true
	w.legs = append(w.legs, l)
	return sums.err
}

// gridOwes is what the grid owes an account for its residual, in ucoin, less what
// the account owes to the grid.
func gridOwes(s *settlementv1.Statement) (int64, error) {
	earned, err := bill(s.FeedInUcoinPerKwh, s.GridExportWh, -s.GridImportWh)
	if err != nil {
		return 0, err
	}
	drawn, err := bill(s.RetailUcoinPerKwh, s.GridImportWh, -s.GridExportWh)
	return earned - drawn, err
}

// pay moves a difference: out of the free balance, else the guarantee fund pays,
// else it becomes debt. No loan is drawn for it: a credit line is for the energy
// of its own period. A receipt repays debts, then loans.
func (w *resettlement) pay(l leg) error {
	got, err := bank.PayGuaranteed(w.ctx, w.period.Period, l.from, l.to, l.ucoin)
	if err != nil {
		return err
	}
	moved := got.OwnUcoin + got.FundUcoin
	var sums adder
	if p := w.byAccount[l.from]; p != nil {
		sums.add(&p.PaidUcoin, got.OwnUcoin)
		sums.add(&p.CorrectionPaidUcoin, got.OwnUcoin)
		sums.add(&p.DebtUcoin, l.ucoin-got.OwnUcoin)
		sums.add(&p.CorrectionDebtUcoin, l.ucoin-got.OwnUcoin)
		sums.add(&p.GuaranteedUcoin, got.FundUcoin)
		l.countOwn(&sums, p, got.OwnUcoin)
	}
	if p := w.byAccount[l.to]; p != nil {
		loans, err := credit.RepayFromSale(w.ctx, l.to, moved-got.RepaidUcoin)
		if err != nil {
			return err
		}
		sums.add(&p.ReceivedUcoin, moved)
		sums.add(&p.CorrectionReceivedUcoin, moved)
		sums.add(&p.ClaimsUcoin, l.ucoin-moved)
		sums.add(&p.RepaidUcoin, got.RepaidUcoin)
		sums.add(&p.LoansRepaidUcoin, loans)
		l.countOwn(&sums, p, -moved)
	}
	if l.fee != nil && l.to == protocol.FeeAddress {
		sums.add(&l.fee.UnpaidFeeUcoin, l.ucoin-moved)
		sums.add(&l.fee.GuaranteedFeeUcoin, got.FundUcoin)
	}
	l.count(&sums, w.period.Totals, moved, got.FundUcoin)
	return sums.err
}

// countOwn counts in a party's statement what it paid, below 0 what it got, of a
// fee or with the grid.
func (l leg) countOwn(sums *adder, p *party, ucoin int64) {
	switch {
	case l.fee != nil:
		sums.add(&p.FeesUcoin, ucoin)
	case l.residual && ucoin > 0:
		sums.add(&p.GridPaidUcoin, ucoin)
	case l.residual:
		sums.add(&p.GridReceivedUcoin, -ucoin)
	}
}

// count counts what moved, and what of it the guarantee fund paid, in the totals.
func (l leg) count(sums *adder, totals *settlementv1.Totals, moved, byFund int64) {
	if l.from == protocol.FeeAddress { // in received already, as a fee
		sums.add(&totals.FeesUcoin, -moved)
		return
	}
	sums.add(&totals.PaidUcoin, moved)
	sums.add(&totals.ReceivedUcoin, moved)
	sums.add(&totals.FundPaidUcoin, byFund)
	switch protocol.GridAddress {
	case l.from:
		sums.add(&totals.GridPaidUcoin, moved)
	case l.to:
		sums.add(&totals.GridReceivedUcoin, moved)
	}
	if l.to == protocol.FeeAddress {
		sums.add(&totals.FeesUcoin, moved)
	}
}
