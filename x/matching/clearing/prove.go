package clearing

import (
	"cmp"
	"errors"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/transport"
	"github.com/energyd/energyd/x/matching/welfare"
)

// ErrNoCertificate is returned by Prove and Rate for a mechanism that proves
// nothing.
var ErrNoCertificate = errors.New("only clearings by CMAP and welfare have a certificate")

// Rate returns the book as the solver of CMAP or welfare saw it; CMAP's weights
// are those of the certificate.
func (c *Clearing) Rate(certificate *matchingv1.Certificate) (*cmap.Rated, error) {
	buys, sells, err := c.rated()
	if err != nil {
		return nil, err
	}
	switch c.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		link := func(buy, sell int) cmap.Link { return c.link(buy, sell).Link }
		return cmap.Rate(c.scores(), buys, sells, link, certificate.BuyersWeight, certificate.SellersWeight)
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return welfare.Rate(c.welfare(), buys, sells, c.link)
	}
	return nil, ErrNoCertificate
}

// Prove checks that a certificate proves trades, as they were before the lines
// cut them, to be the best clearing of the book by its mechanism. It takes one
// pass over the pairs and shares no code with the solver. Of CMAP's weights it
// cannot know whether they are the right ones: clearing again does.
func (c *Clearing) Prove(trades []Trade, certificate *matchingv1.Certificate) error {
	rated, err := c.Rate(certificate)
	if err != nil {
		return err
	}
	flows := make([]transport.Flow, len(trades))
	for i, t := range trades {
		flows[i] = transport.Flow{Buy: t.Buy, Sell: t.Sell, EnergyWh: t.EnergyWh}
	}
	slices.SortFunc(flows, func(a, b transport.Flow) int {
		return cmp.Or(cmp.Compare(a.Buy, b.Buy), cmp.Compare(a.Sell, b.Sell))
	})
	return transport.Verify(rated.Problem, flows, transport.Certificate{
		U: certificate.BuyPotentials, V: certificate.SellPotentials, Bonus: certificate.Bonus,
	})
}
