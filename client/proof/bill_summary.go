package proof

import (
	"bytes"
	"slices"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// BillSummary sums an account's statements of a UTC month, or of all of a bill.
// Energies are in Wh, money in ucoin.
type BillSummary struct {
	// Month is "2026-11", or empty for all of the bill.
	Month string `json:"month"`
	// Periods with a statement; of them without registers, and estimated.
	Periods   int64 `json:"periods"`
	Missing   int64 `json:"missing"`
	Estimated int64 `json:"estimated"`

	ImportWh     int64 `json:"import_wh"`
	ExportWh     int64 `json:"export_wh"`
	BoughtWh     int64 `json:"bought_wh"`
	SoldWh       int64 `json:"sold_wh"`
	GridImportWh int64 `json:"grid_import_wh"`
	GridExportWh int64 `json:"grid_export_wh"`

	// Purchases, and what was charged on top of them: the chain's fee and that of
	// the zones. Paid or not: what is owed is in DebtUcoin.
	PurchasesUcoin int64 `json:"purchases_ucoin"`
	ChainFeesUcoin int64 `json:"chain_fees_ucoin"`
	ZoneFeesUcoin  int64 `json:"zone_fees_ucoin"`
	// What was paid to and received from the grid.
	GridPaidUcoin     int64 `json:"grid_paid_ucoin"`
	GridReceivedUcoin int64 `json:"grid_received_ucoin"`

	PaidUcoin              int64 `json:"paid_ucoin"`
	ReceivedUcoin          int64 `json:"received_ucoin"`
	DebtUcoin              int64 `json:"debt_ucoin"`
	RepaidUcoin            int64 `json:"repaid_ucoin"`
	GuaranteedUcoin        int64 `json:"guaranteed_ucoin"`
	PenaltyUcoin           int64 `json:"penalty_ucoin"`
	MakeWholePaidUcoin     int64 `json:"make_whole_paid_ucoin"`
	MakeWholeReceivedUcoin int64 `json:"make_whole_received_ucoin"`
	DrawnUcoin             int64 `json:"drawn_ucoin"`
	LoansRepaidUcoin       int64 `json:"loans_repaid_ucoin"`

	// What the same registers would have cost with the grid alone, and what was
	// saved against it.
	GridAloneUcoin int64 `json:"grid_alone_ucoin"`
	SavedUcoin     int64 `json:"saved_ucoin"`

	// Certificates of origin issued, and not issued for earlier corrections.
	CertificatesWh       int64 `json:"certificates_wh"`
	CertificatesNettedWh int64 `json:"certificates_netted_wh"`

	// Before the first statement and after the last one.
	BalanceBeforeUcoin int64 `json:"balance_before_ucoin"`
	BalanceAfterUcoin  int64 `json:"balance_after_ucoin"`

	Partners []Partner `json:"partners"`
	// Ways between zones that cost a fee, purchases only.
	Ways []Way `json:"ways"`
}

// Partner is what an account traded with another one, energy at its own meter. The
// grid in a missing seller's place counts as that seller.
type Partner struct {
	Account     string `json:"account"`
	BoughtWh    int64  `json:"bought_wh"`
	SoldWh      int64  `json:"sold_wh"`
	BoughtUcoin int64  `json:"bought_ucoin"`
	SoldUcoin   int64  `json:"sold_ucoin"`
	FeesUcoin   int64  `json:"fees_ucoin"`
	ContractWh  int64  `json:"contract_wh"`
	CertifiedWh int64  `json:"certified_wh"`
	StoodInWh   int64  `json:"stood_in_wh"`
	account     protocol.Address
}

// Way is a pair of zones, and what was paid for it.
type Way struct {
	FromZone string `json:"from_zone"`
	ToZone   string `json:"to_zone"`
	SoldWh   int64  `json:"sold_wh"`
	FeeUcoin int64  `json:"fee_ucoin"`
}

// Summaries sums a bill by UTC month, oldest first, and then in all. A sum that
// does not fit 64 bits is an error.
func (b *Bill) Summaries() (months []*BillSummary, all *BillSummary, err error) {
	all = new(BillSummary)
	for _, section := range b.Sections {
		s := section.Statement
		month := units.FormatMonth(s.Period)
		if len(months) == 0 || months[len(months)-1].Month != month {
			months = append(months, &BillSummary{Month: month})
		}
		for _, into := range []*BillSummary{months[len(months)-1], all} {
			if err := into.add(b.Account, s); err != nil {
				return nil, nil, err
			}
		}
	}
	return months, all, nil
}

// sums adds up and keeps the first overflow.
type sums struct{ err error }

func (s *sums) add(into *int64, amount int64) {
	sum, err := units.Add(*into, amount)
	if err != nil && s.err == nil {
		s.err = err
	}
	*into = sum
}

func (b *BillSummary) add(account protocol.Address, s *settlementv1.Statement) error {
	if b.Periods == 0 {
		b.BalanceBeforeUcoin = s.BalanceBeforeUcoin
	}
	b.BalanceAfterUcoin = s.BalanceAfterUcoin
	b.Periods++
	if s.Missing {
		b.Missing++
	}
	if s.Estimated {
		b.Estimated++
	}
	var t sums
	for _, term := range []struct {
		into  *int64
		value int64
	}{
		{&b.ImportWh, s.ImportWh},
		{&b.ExportWh, s.ExportWh},
		{&b.BoughtWh, s.BoughtWh},
		{&b.SoldWh, s.SoldWh},
		{&b.GridImportWh, s.GridImportWh},
		{&b.GridExportWh, s.GridExportWh},
		{&b.GridPaidUcoin, s.GridPaidUcoin},
		{&b.GridReceivedUcoin, s.GridReceivedUcoin},
		{&b.PaidUcoin, s.PaidUcoin},
		{&b.ReceivedUcoin, s.ReceivedUcoin},
		{&b.DebtUcoin, s.DebtUcoin},
		{&b.RepaidUcoin, s.RepaidUcoin},
		{&b.GuaranteedUcoin, s.GuaranteedUcoin},
		{&b.PenaltyUcoin, s.PenaltyUcoin},
		{&b.MakeWholePaidUcoin, s.MakeWholePaidUcoin},
		{&b.MakeWholeReceivedUcoin, s.MakeWholeReceivedUcoin},
		{&b.DrawnUcoin, s.DrawnUcoin},
		{&b.LoansRepaidUcoin, s.LoansRepaidUcoin},
		{&b.GridAloneUcoin, s.GridAloneUcoin},
		{&b.SavedUcoin, s.GridAloneUcoin},
		{&b.SavedUcoin, -s.PaidUcoin},
		{&b.SavedUcoin, -s.DebtUcoin},
		{&b.SavedUcoin, s.ReceivedUcoin},
		{&b.CertificatesWh, s.CertificatesWh},
		{&b.CertificatesNettedWh, s.CertificatesNettedWh},
	} {
		t.add(term.into, term.value)
	}
	for _, trade := range s.Trades {
		b.addTrade(&t, account, trade)
	}
	return t.err
}

func (b *BillSummary) addTrade(t *sums, account protocol.Address, trade *settlementv1.Trade) {
	buying := bytes.Equal(trade.Buyer, account[:])
	other := trade.Buyer
	if buying {
		other = trade.Seller
	}
	p := b.partner(protocol.Address(other))
	if len(trade.Contract) > 0 {
		t.add(&p.ContractWh, trade.SoldWh)
	}
	if trade.GridStoodIn {
		t.add(&p.StoodInWh, trade.SoldWh)
	}
	t.add(&p.CertifiedWh, trade.CertifiedWh)
	if !buying {
		t.add(&p.SoldWh, trade.SoldWh)
		t.add(&p.SoldUcoin, trade.AmountUcoin)
		return
	}
	zoneFee, err := units.Amount(trade.ZoneFeeUcoinPerKwh, trade.SoldWh)
	if err != nil && t.err == nil {
		t.err = err
	}
	t.add(&p.BoughtWh, trade.BoughtWh)
	t.add(&p.BoughtUcoin, trade.AmountUcoin)
	t.add(&p.FeesUcoin, trade.FeeUcoin)
	t.add(&b.PurchasesUcoin, trade.AmountUcoin)
	t.add(&b.ZoneFeesUcoin, zoneFee)
	t.add(&b.ChainFeesUcoin, trade.FeeUcoin)
	t.add(&b.ChainFeesUcoin, -zoneFee)
	if trade.ZoneFeeUcoinPerKwh != 0 {
		way := b.way(trade.FromZone, trade.ToZone)
		t.add(&way.SoldWh, trade.SoldWh)
		t.add(&way.FeeUcoin, zoneFee)
	}
}

// partner returns the row of an account; rows are in the order of the accounts.
func (b *BillSummary) partner(account protocol.Address) *Partner {
	at, ok := slices.BinarySearchFunc(b.Partners, account, func(p Partner, a protocol.Address) int { return bytes.Compare(p.account[:], a[:]) })
	if !ok {
		b.Partners = slices.Insert(b.Partners, at, Partner{Account: account.String(), account: account})
	}
	return &b.Partners[at]
}

func (b *BillSummary) way(from, to string) *Way {
	at := slices.IndexFunc(b.Ways, func(w Way) bool { return w.FromZone == from && w.ToZone == to })
	if at < 0 {
		b.Ways = append(b.Ways, Way{FromZone: from, ToZone: to})
		at = len(b.Ways) - 1
	}
	return &b.Ways[at]
}
