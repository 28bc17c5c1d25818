package kproto

// Terms are the parts of a dissimilarity (matching.md 2), each already weighted.
type Terms struct {
	Price       int64 `json:"price"`
	Energy      int64 `json:"energy"`
	Environment int64 `json:"environment"`
	Credit      int64 `json:"credit"`
	Loss        int64 `json:"loss"`
	EnergyType  int64 `json:"energy_type"`
}

// Sum is the dissimilarity.
func (t Terms) Sum() int64 {
	return t.Price + t.Energy + t.Environment + t.Credit + t.Loss + t.EnergyType
}

// TermsOf says what makes a sell dissimilar from the wishes of a buy that still
// wants demandWh, while the sell has availableWh left, in Wh, and lossPPM is lost
// between them. It is for who explains a clearing; p and the orders must have
// passed the checks that Clear asks for.
func TermsOf(p Params, buy Buy, sell Sell, demandWh, availableWh, lossPPM int64) Terms {
	ranges := func(x, width int64) int64 { return max(x, -x) * Q / width }
	w := buy.Weights
	t := Terms{
		Price:       w.Price * square(ranges(buy.Price-sell.Price, p.RangePrice)),
		Energy:      w.Energy * square(ranges(demandWh-availableWh, p.RangeEnergyWh)),
		Environment: w.Environment * square((buy.Environment-sell.Environment)*Q),
		Credit:      w.Credit * square(ranges(buy.Credit-sell.Credit, p.RangeCredit)),
		Loss:        w.Loss * square(ranges(buy.WantedLossPPM, p.RangeLossPPM)-ranges(lossPPM, p.RangeLossPPM)),
	}
	if buy.EnergyType != sell.EnergyType {
		t.EnergyType = w.EnergyType * Q * Q
	}
	return t
}
