package main

import (
	"fmt"

	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/matching/kproto"
)

// storyJSON is an explanation for programs: Wh, ucoin, ppm, and terms of the
// dissimilarity as matching.md has them.
type storyJSON struct {
	Order      string          `json:"order"`
	Side       string          `json:"side"`
	Period     int64           `json:"period"`
	EnergyWh   int64           `json:"energy_wh"`
	Price      int64           `json:"price"`
	Mechanism  string          `json:"mechanism"`
	Height     int64           `json:"height,omitempty"`
	NotCleared string          `json:"not_cleared,omitempty"`
	Remark     string          `json:"remark,omitempty"`
	Place      int             `json:"place"` // from 1; 0 if not cleared
	Eligible   int             `json:"eligible"`
	Exhausted  int             `json:"no_energy_left"`
	Refused    map[string]int  `json:"refused"`
	Uniform    *uniformJSON    `json:"uniform,omitempty"`
	Candidates []candidateJSON `json:"candidates"`
	Fate       fate            `json:"fate"`
}

type uniformJSON struct {
	Price   int64 `json:"price"`
	ShareWh int64 `json:"share_wh"`
}

type candidateJSON struct {
	Order    string `json:"order"`
	Price    int64  `json:"price"`
	LossPPM  int64  `json:"loss_ppm"`
	Refused  string `json:"refused,omitempty"`
	TradedWh int64  `json:"traded_wh"`
	CutWh    int64  `json:"cut_wh"`
	BuyerPPM int64  `json:"buyer_ppm"`
	// Of CMAP and welfare.
	SellerPPM int64 `json:"seller_ppm"`
	Worth     int64 `json:"worth"`
	Shortfall int64 `json:"better_elsewhere_by"`
	// Of K-prototypes.
	LeftWh        int64         `json:"left_wh"`
	Dissimilarity int64         `json:"dissimilarity"`
	Terms         *kproto.Terms `json:"terms,omitempty"`
}

func (s *story) forPrograms() *storyJSON {
	shown := &storyJSON{
		Order: fmt.Sprintf("%x", s.order.GetId()), Side: "sell", Period: s.gathered.rules.Period, EnergyWh: s.order.GetEnergyWh(),
		Price: s.order.GetPriceUcoinPerKwh(), Mechanism: mechanismName(s.gathered.rules.Market.Mechanism), Remark: s.gathered.remark,
		Refused: map[string]int{}, Candidates: []candidateJSON{}, Fate: s.fate,
	}
	if s.buy {
		shown.Side = "buy"
	}
	if s.why == nil {
		shown.NotCleared = s.notCleared()
		return shown
	}
	shown.Height, shown.Place = s.gathered.cleared().Height, s.why.Place+1
	eligible, exhausted, refused := s.counts()
	shown.Eligible, shown.Exhausted = eligible, exhausted
	for refusal, count := range refused {
		shown.Refused[refusal.String()] = count
	}
	if uniform := s.why.Uniform; uniform != nil {
		shown.Uniform = &uniformJSON{uniform.Price, uniform.ShareWh}
	}
	for _, c := range s.why.Candidates {
		row := candidateJSON{
			Order: fmt.Sprintf("%x", s.other(c).GetId()), Price: s.other(c).GetPriceUcoinPerKwh(), LossPPM: c.LossPPM, TradedWh: c.TradedWh, CutWh: c.CutWh,
			BuyerPPM: c.BuyerPPM, SellerPPM: c.SellerPPM, Worth: c.Worth, Shortfall: c.Shortfall, LeftWh: c.LeftWh, Dissimilarity: c.Terms.Sum(),
		}
		if c.Refusal != clearing.MayTrade {
			row.Refused = c.Refusal.String()
		}
		if c.Terms != (kproto.Terms{}) {
			row.Terms = &c.Terms
		}
		shown.Candidates = append(shown.Candidates, row)
	}
	return shown
}
