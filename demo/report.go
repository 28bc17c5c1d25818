package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
)

// Report is what a run of the demo came to. Its JSON form is the demo's
// machine-readable output: Wh, ucoin, ppm, ms.
type Report struct {
	Periods       []Period          `json:"periods"`
	AppHashHeight int64             `json:"app_hash_height"`
	AppHashes     map[string]string `json:"app_hashes"` // node -> its own stored root at AppHashHeight, hex
	Totals        Sums              `json:"totals"`
	LatencyMs     Latency           `json:"latency_ms"` // submission to commit
	Blocks        int64             `json:"blocks"`
	Txs           int64             `json:"txs"`
	MissedGates   int64             `json:"missed_gates"`
	Invariants    map[string]bool   `json:"invariants"` // name, such as I1 -> holds
	Saved         int64             `json:"saved"`      // by the members against the grid alone

	// Mechanism is the one that ran. Comparison says by mechanism what the periods'
	// books come to in their first round, and Cleared what the chain made of them.
	Mechanism  string                `json:"mechanism"`
	Comparison map[string]Comparison `json:"comparison"`
	Cleared    Comparison            `json:"cleared"`

	// Meters says what the gateways did, where meters were read over Modbus.
	Meters *MetersReport `json:"meters,omitempty"`

	// Story is told of a run with a disturbance.
	Story *Story `json:"story,omitempty"`

	tariff Tariff
	clean  int64 // Wh sold by clean sellers, of all periods
	amount int64 // ucoin paid for energy sold in the market, of all periods

	compared map[string]clearing.Figures // by mechanism; "" is what the chain made
}

// Latency in milliseconds at two quantiles.
type Latency struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
}

// Period is one settled period.
type Period struct {
	Period    int64  `json:"period"`     // start on the chain, ms
	LocalTime string `json:"local_time"` // of the data interval it replays
	Sums
}

// Sums are the quantities of a period, or of all of them. Of all of them,
// every quantity is the sum over the periods, except clean_ppm and mean_price,
// which are those of everything sold, and a member's balance and reputation,
// which are the last ones.
type Sums struct {
	Orders    int64 `json:"orders"`
	MatchedWh int64 `json:"matched_wh"` // contracted, at the seller's meter; by the price matrix: what its contracts delivered
	SoldWh    int64 `json:"sold_wh"`    // settled, before losses
	BoughtWh  int64 `json:"bought_wh"`  // settled, after losses
	LossWh    int64 `json:"loss_wh"`
	CleanPpm  int64 `json:"clean_ppm"`  // share of SoldWh; 0 if nothing was sold
	MeanPrice int64 `json:"mean_price"` // floor(1000 x amounts / SoldWh); 0 if nothing was sold
	Grid      Grid  `json:"grid"`
	Fund      Fund  `json:"fund"`
	Fees      int64 `json:"fees"`
	Members   []Row `json:"members"`
	// Surplus is what bids exceeded asks by over the energy matched. Auction is
	// what a uniform-price double auction would have made of the same orders.
	Surplus int64   `json:"surplus"`
	Auction Auction `json:"auction"`
}

// Auction is the comparison that the chain computes with each clearing.
type Auction struct {
	MatchedWh int64 `json:"matched_wh"`
	CleanWh   int64 `json:"clean_wh"`
	Surplus   int64 `json:"surplus"`
}

// Grid is the grid's side: what it bought from the members and paid for it,
// what it sold to them and received.
type Grid struct {
	BoughtWh int64 `json:"bought_wh"`
	SoldWh   int64 `json:"sold_wh"`
	Paid     int64 `json:"paid"`
	Received int64 `json:"received"`
}

// Fund is the guarantee fund's side: what it paid in the place of members that
// could not, and the penalties it received.
type Fund struct {
	Paid     int64 `json:"paid"`
	Received int64 `json:"received"`
}

// Row is one member in a period, or in all of them.
type Row struct {
	Member       string `json:"member"`
	ImportWh     int64  `json:"import_wh"`
	ExportWh     int64  `json:"export_wh"`
	BoughtWh     int64  `json:"bought_wh"`
	SoldWh       int64  `json:"sold_wh"`
	GridImportWh int64  `json:"grid_import_wh"` // signed
	GridExportWh int64  `json:"grid_export_wh"` // signed
	Paid         int64  `json:"paid"`           // for energy, to the grid, in fees and penalties; a credit bank's loans included
	Received     int64  `json:"received"`       // for energy and from the grid
	Debt         int64  `json:"debt"`           // what it should have paid and came to owe instead
	Balance      int64  `json:"balance"`        // free + escrow after the period's settlement
	Reputation   int64  `json:"reputation"`
}

// NewReport starts a report on a run under a tariff, against which savings are
// counted.
func NewReport(tariff Tariff) *Report {
	return &Report{
		Periods: []Period{}, AppHashes: map[string]string{}, Invariants: map[string]bool{},
		Comparison: map[string]Comparison{}, compared: map[string]clearing.Figures{},
		Totals: Sums{Members: []Row{}}, tariff: tariff,
	}
}

// Add appends a period. amount is what its buyers paid for the energy sold in
// the market, without fees (ucoin), clean the part of SoldWh from clean
// sellers (Wh). Add sets the period's CleanPpm and MeanPrice, and the totals
// and Saved of the report. The error is units.ErrOverflow; then nothing was
// added.
func (r *Report) Add(p Period, amount, clean int64) error {
	if p.Members == nil {
		p.Members = []Row{}
	}
	if err := p.setShares(amount, clean); err != nil {
		return fmt.Errorf("period %d: %w", p.Period, err)
	}
	saved, err := r.saved(p.Members)
	if err != nil {
		return fmt.Errorf("period %d: %w", p.Period, err)
	}
	totals := r.Totals
	totals.Members = slices.Clone(totals.Members)
	totals.add(p.Sums)
	if err := totals.setShares(r.amount+amount, r.clean+clean); err != nil {
		return fmt.Errorf("totals with period %d: %w", p.Period, err)
	}
	r.Periods = append(r.Periods, p)
	r.Totals, r.amount, r.clean = totals, r.amount+amount, r.clean+clean
	r.Saved += saved
	return nil
}

// saved is what the grid alone would have cost the members of a period, less
// what they spent or came to owe.
func (r *Report) saved(rows []Row) (int64, error) {
	var saved int64
	for _, m := range rows {
		retail, err := units.Amount(r.tariff.Retail, m.ImportWh)
		if err != nil {
			return 0, fmt.Errorf("member %s: import at retail: %w", m.Member, err)
		}
		feedIn, err := units.Amount(r.tariff.FeedIn, m.ExportWh)
		if err != nil {
			return 0, fmt.Errorf("member %s: export at feed-in: %w", m.Member, err)
		}
		if saved, err = units.Sum(saved, retail, -feedIn, -m.Paid, -m.Debt, m.Received); err != nil {
			return 0, fmt.Errorf("member %s: saved: %w", m.Member, err)
		}
	}
	return saved, nil
}

// setShares computes what is a ratio to the energy sold.
func (s *Sums) setShares(amount, clean int64) (err error) {
	s.CleanPpm, s.MeanPrice = 0, 0
	if s.SoldWh <= 0 {
		return nil
	}
	if s.CleanPpm, err = units.MulDiv(clean, units.PPM, s.SoldWh); err != nil {
		return fmt.Errorf("clean share: %w", err)
	}
	if s.MeanPrice, err = units.MulDiv(amount, units.WhPerKWh, s.SoldWh); err != nil {
		return fmt.Errorf("mean price: %w", err)
	}
	return nil
}

// add sums up everything but the shares.
func (s *Sums) add(p Sums) {
	s.Orders += p.Orders
	s.MatchedWh += p.MatchedWh
	s.SoldWh += p.SoldWh
	s.BoughtWh += p.BoughtWh
	s.LossWh += p.LossWh
	s.Grid.BoughtWh += p.Grid.BoughtWh
	s.Grid.SoldWh += p.Grid.SoldWh
	s.Grid.Paid += p.Grid.Paid
	s.Grid.Received += p.Grid.Received
	s.Fund.Paid += p.Fund.Paid
	s.Fund.Received += p.Fund.Received
	s.Fees += p.Fees
	s.Surplus += p.Surplus
	s.Auction.MatchedWh += p.Auction.MatchedWh
	s.Auction.CleanWh += p.Auction.CleanWh
	s.Auction.Surplus += p.Auction.Surplus
	at := make(map[string]int, len(s.Members))
	for i, m := range s.Members {
		at[m.Member] = i
	}
	for _, m := range p.Members {
		i, ok := at[m.Member]
		if !ok {
			i = len(s.Members)
			at[m.Member] = i
			s.Members = append(s.Members, Row{Member: m.Member})
		}
		s.Members[i].add(m)
	}
}

func (r *Row) add(m Row) {
	r.ImportWh += m.ImportWh
	r.ExportWh += m.ExportWh
	r.BoughtWh += m.BoughtWh
	r.SoldWh += m.SoldWh
	r.GridImportWh += m.GridImportWh
	r.GridExportWh += m.GridExportWh
	r.Paid += m.Paid
	r.Received += m.Received
	r.Debt += m.Debt
	r.Balance, r.Reputation = m.Balance, m.Reputation
}

// WriteJSON writes the report, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
