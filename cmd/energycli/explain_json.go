package main

import (
	"fmt"

	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/matching/kproto"
)

// storyJSON is an explanation for programs: Wh, ucoin, ppm, and terms of the
// dissimilarity as matching.md has them.
type storyJSON struct {
	Order      string        `json:"order"`
	Side       string        `json:"side"`
	Period     int64         `json:"period"`
	EnergyWh   int64         `json:"energy_wh"`
	Price      int64         `json:"price"`
	Mechanism  string        `json:"mechanism"`
	NotCleared string        `json:"not_cleared,omitempty"`
	Remark     string        `json:"remark,omitempty"`
	Rounds     []chapterJSON `json:"rounds"`
	Fate       fate          `json:"fate"`
}

type chapterJSON struct {
	Round      int64           `json:"round"`
	Height     int64           `json:"height"`
	Place      int             `json:"place"` // from 1
	Eligible   int             `json:"eligible"`
	Exhausted  int             `json:"no_energy_left"`
	Refused    map[string]int  `json:"refused"`
	Uniform    *uniformJSON    `json:"uniform,omitempty"`
	Candidates []candidateJSON `json:"candidates"`
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
	Became   string `json:"became,omitempty"`
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
		Rounds: []chapterJSON{}, Fate: s.fate,
	}
	if s.buy {
		shown.Side = "buy"
	}
	if len(s.chapters) == 0 {
		shown.NotCleared = s.notCleared()
	}
	for i := range s.chapters {
		shown.Rounds = append(shown.Rounds, s.chapters[i].forPrograms())
	}
	return shown
}

func (c *chapter) forPrograms() chapterJSON {
	eligible, exhausted, refused := c.counts()
	shown := chapterJSON{
		Round: c.Book.Round, Height: c.Height, Place: c.why.Place + 1, Eligible: eligible, Exhausted: exhausted,
		Refused: make(map[string]int, len(refused)), Candidates: []candidateJSON{},
	}
	for refusal, count := range refused {
		shown.Refused[refusal.String()] = count
	}
	if uniform := c.why.Uniform; uniform != nil {
		shown.Uniform = &uniformJSON{uniform.Price, uniform.ShareWh}
	}
	for _, p := range c.why.Candidates {
		other := c.other(p)
		row := candidateJSON{
			Order: fmt.Sprintf("%x", other.GetId()), Price: other.GetPriceUcoinPerKwh(), LossPPM: p.LossPPM, TradedWh: p.TradedWh, CutWh: p.CutWh, Became: c.became(p),
			BuyerPPM: p.BuyerPPM, SellerPPM: p.SellerPPM, Worth: p.Worth, Shortfall: p.Shortfall, LeftWh: p.LeftWh, Dissimilarity: p.Terms.Sum(),
		}
		if p.Refusal != clearing.MayTrade {
			row.Refused = p.Refusal.String()
		}
		if p.Terms != (kproto.Terms{}) {
			row.Terms = &p.Terms
		}
		shown.Candidates = append(shown.Candidates, row)
	}
	return shown
}
