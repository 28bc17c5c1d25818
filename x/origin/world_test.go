package origin_test

import (
	"testing"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/origin"
)

const (
	wind  = registryv1.EnergyType_ENERGY_TYPE_WIND
	solar = registryv1.EnergyType_ENERGY_TYPE_SOLAR
)

// Months of the tests: november is that of market.Start.
var (
	november = units.MonthOf(market.Start)
	december = units.MonthOf(november + 31*24*3_600_000)
)

// delivered is solar energy from a member, of which a tenth is lost on the way.
func delivered(seller string, energyWh int64) origin.Delivery {
	return origin.Delivery{Seller: market.Address(seller), EnergyType: solar, EnergyWh: energyWh, LossPPM: 100_000}
}

func issue(m *market.Market, period int64, buyer string, deliveries ...origin.Delivery) origin.Issued {
	m.T.Helper()
	for i := range deliveries {
		deliveries[i].Month = units.MonthOf(period)
	}
	issued, err := origin.Issue(m.Ctx(buyer), market.Address(buyer), deliveries)
	if err != nil {
		m.T.Fatal(err)
	}
	m.CheckInvariants()
	return issued
}

func certificates(m *market.Market, name string) *originv1.QueryCertificatesResponse {
	m.T.Helper()
	account := market.Address(name)
	answer, err := market.Query[*originv1.QueryCertificatesResponse](m, &originv1.QueryCertificatesRequest{Account: account[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	return answer
}

// holds compares what a member holds and retired of solar energy of november.
func holds(m *market.Market, name string, heldWh, retiredWh int64) {
	m.T.Helper()
	var held, retired int64
	for _, h := range certificates(m, name).Holdings {
		if h.EnergyType == solar && h.Month == november {
			held, retired = h.HeldWh, h.RetiredWh
		}
	}
	if held != heldWh || retired != retiredWh {
		m.T.Errorf("%s holds %d and retired %d Wh, want %d and %d", name, held, retired, heldWh, retiredWh)
	}
}

func transfer(to string, energyWh int64) *originv1.MsgTransferCertificate {
	account := market.Address(to)
	return &originv1.MsgTransferCertificate{To: account[:], EnergyType: solar, Month: november, EnergyWh: energyWh}
}

func retire(energyWh int64, purpose string) *originv1.MsgRetireCertificate {
	return &originv1.MsgRetireCertificate{EnergyType: solar, Month: november, EnergyWh: energyWh, Purpose: purpose}
}

// stock is a market in which home holds 900 Wh.
func stock(t *testing.T) *market.Market {
	m := market.New(t, nil, "sun", "home", "shop")
	issue(m, market.Start, "home", delivered("sun", 1000))
	return m
}
