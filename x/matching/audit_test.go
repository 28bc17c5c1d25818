package matching_test

import (
	"pgregory.net/rapid"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/matching/audit"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// auditor knows a period by its events only, and audits each round.
type auditor struct{ trading *client.Trading }

func newAudit() *auditor { return &auditor{client.NewTrading(p, 0)} }

// follow takes up the events of a block.
func (a *auditor) follow(t *rapid.T, m *market.Market) {
	t.Helper()
	rounds := len(a.trading.Clearings)
	a.trading.Add(m.Height, m.Events)
	if len(a.trading.Clearings) == rounds {
		return
	}
	found := a.trading.Clearings[rounds]
	entry, err := market.Query[*matchingv1.QueryMarketResponse](m, &matchingv1.QueryMarketRequest{Period: p})
	if err != nil {
		t.Fatal(err)
	}
	params := registry.ParamsAt(m.Store, p)
	said := audit.Record{Matches: found.Matches, Cuts: found.Cuts, Book: found.Book}
	said.Certificate, _ = matching.CertificateOf(m.Store, p, 0, int64(rounds+1))
	if rounds > 0 {
		said.Before = a.trading.Clearings[rounds-1].Book
	}
	report, err := audit.Check(clearing.Rules{
		Period: p, PeriodLengthMs: length, PrevAppHash: m.Ctx("gateway").PrevAppHash, Params: params, Market: entry.Entry.Market,
		Paths: grid.PathsOf(m.Store, params.DefaultLossPpmPerKm), Declined: found.Declined, Standing: found.Standing,
	}, found.Sells, found.Buys, said)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := report.Wrong(); wrong != nil {
		t.Fatalf("round %d: %s: %s", rounds+1, wrong.Check, wrong.Wrong)
	}
}
