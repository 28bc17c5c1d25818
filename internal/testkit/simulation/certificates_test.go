package simulation

import (
	"errors"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/units"
)

// certificates of origin (SPEC 15), all solar as the members' meters and of one
// month: what each holds and used up, and what of a seller's was issued for energy
// that corrections took back, in Wh.
type certificates struct{ held, retired, excess map[string]int64 }

// metered are a seller's parts as far as its meter shows them: within the
// tolerance more may be delivered than was exported, which is shared then.
func metered(exportWh int64, parts []int64) []int64 {
	total := int64(0)
	for _, part := range parts {
		total += part
	}
	if total <= exportWh {
		return parts
	}
	return proRata(exportWh, parts, total)
}

// certify names what of a trade certificates are issued for.
func certify(t *settlementv1.Trade, meteredWh int64) {
	t.CertifiedWh, t.EnergyType = min(t.SoldWh, meteredWh), 0
	if t.CertifiedWh > 0 {
		t.EnergyType = registryv1.EnergyType_ENERGY_TYPE_SOLAR
	}
}

// deliver issues a buyer what arrives of certified energy, but for what its seller
// has in excess; less than 0 takes back, which makes an excess.
func (m *model) deliver(buyer *settlementv1.Statement, t *settlementv1.Trade, wh int64) {
	seller := m.known[string(t.Seller)]
	if wh < 0 {
		m.excess[seller] -= wh
		buyer.CertificatesReclaimedWh -= wh
		return
	}
	netted := min(wh, m.excess[seller])
	m.excess[seller] -= netted
	issued := arrives(wh-netted, t.LossPpm)
	m.held[m.known[string(buyer.Account)]] += issued
	buyer.CertificatesWh += issued
	buyer.CertificatesLostWh += wh - netted - issued
	buyer.CertificatesNettedWh += netted
}

// compareCertificates compares what a member holds, and what of its energy is in
// excess.
func (s *simulation) compareCertificates(name string) error {
	answer, err := market.Query[*originv1.QueryCertificatesResponse](s.Market, &originv1.QueryCertificatesRequest{Account: addressOf(name)})
	if err != nil {
		return err
	}
	var held, retired, excess int64
	for _, holding := range answer.Holdings {
		held += holding.HeldWh
		retired += holding.RetiredWh
	}
	for _, more := range answer.Excesses {
		excess += more.EnergyWh
	}
	return errors.Join(expect("certificates of "+name, held, s.model.held[name]), expect("used up by "+name, retired, s.model.retired[name]), expect("excess of "+name, excess, s.model.excess[name]))
}

// passOn transfers certificates, useUp retires them; both need no more than that
// they are held, the former a receiver that is active.
func (s *simulation) passOn() {
	from, to := s.active("passes on"), s.pick("gets")
	if from == "" {
		return
	}
	wh := s.drawHeld(from)
	msg := &originv1.MsgTransferCertificate{
		To: addressOf(to), EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Month: units.MonthOf(market.Start), EnergyWh: wh,
	}
	if s.send(from, msg, from != to && s.model.conduct[to].frozenBy == "" && wh <= s.model.held[from]) {
		s.model.held[from] -= wh
		s.model.held[to] += wh
		seen.passedOn.Add(1)
	}
}

func (s *simulation) useUp() {
	name := s.active("uses up")
	if name == "" {
		return
	}
	wh := s.drawHeld(name)
	msg := &originv1.MsgRetireCertificate{
		EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Month: units.MonthOf(market.Start), EnergyWh: wh, Purpose: "an hour",
	}
	if s.send(name, msg, wh <= s.model.held[name]) {
		s.model.held[name] -= wh
		s.model.retired[name] += wh
		seen.usedUp.Add(1)
	}
}

// drawHeld draws a part of what a member holds, now and then a Wh more than all.
func (s *simulation) drawHeld(name string) int64 {
	return 1 + below(s.rt, "certificates", s.model.held[name]+1)
}
