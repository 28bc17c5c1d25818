package main

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
)

func explainCommand(o *options) *cobra.Command {
	all := leaves((&matchingv1.QueryBookRequest{}).ProtoReflect().Descriptor())
	cmd := &cobra.Command{
		Use: "explain ORDER", Short: "Say why an order was matched as it was, or was not", Args: oneArgument("ORDER"),
		Long: fmt.Sprintf(`Say of an order, sell or buy, which orders of the other side were considered, why
others were not, by what numbers the mechanism chose, and what became of all of
its energy and escrow. The book is cleared again for it, from what the node says
(see energycli audit clearing).

Without --period the order is looked for in the latest blocks, %d or as many as
--limit says, back from --height or the latest.`, searchBlocks),
		Example: "  energycli query explain 5AD0... --period 2026-01-31T12:00:00Z",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := hex.DecodeString(args[0])
			if err != nil || len(id) != protocol.IDSize {
				return usage("ORDER: expected %d hexadecimal digits, got %q", 2*protocol.IDSize, args[0])
			}
			l := o.link(cmd.Context())
			period, market, err := l.readBook(cmd, all)
			if err != nil {
				return err
			}
			if err := l.connect(); err != nil {
				return err
			}
			if period == 0 {
				if period, market, err = l.bookOf(id); err != nil {
					return err
				}
			}
			story, err := l.explain(id, period, market)
			if err != nil {
				return err
			}
			if o.json() {
				return printJSON(cmd.OutOrStdout(), story.forPrograms())
			}
			return story.write(cmd.OutOrStdout())
		},
	}
	registerLeaves(cmd.Flags(), all)
	return cmd
}

// bookOf finds an order's period and market in the latest blocks.
func (l *link) bookOf(id []byte) (period, market int64, err error) {
	height, limit := l.options.height, l.options.limit
	if height == 0 {
		head, err := l.Height(l.ctx)
		if err != nil {
			return 0, 0, err
		}
		height = head
	}
	if limit == 0 {
		limit = searchBlocks
	}
	first := max(1, height-limit+1)
	for at := height; at >= first; at-- {
		block, err := l.Block(l.ctx, at)
		if err != nil {
			return 0, 0, err
		}
		events, err := block.AllEvents()
		if err != nil {
			return 0, 0, err
		}
		for _, event := range events {
			switch e := event.(type) {
			case *matchingv1.SellPlaced:
				if bytes.Equal(e.Order.Id, id) {
					return e.Order.Period, e.Order.Market, nil
				}
			case *matchingv1.BuyPlaced:
				if bytes.Equal(e.Order.Id, id) {
					return e.Order.Period, e.Order.Market, nil
				}
			}
		}
	}
	return 0, 0, fmt.Errorf("order %x in blocks %d to %d: %w", id, first, height, errNoData)
}

// order is what sells and buys have in common.
type order interface {
	proto.Message
	GetId() []byte
	GetAccount() []byte
	GetPriceUcoinPerKwh() int64
	GetEnergyWh() int64
}

// story is what became of an order, and why.
type story struct {
	gathered *gathered
	order    order
	buy      bool
	// cancelled says why the order left its book without a clearing.
	cancelled string
	// chapters are the rounds in which the order had energy left.
	chapters []chapter
	fate     fate
}

// chapter is what a round made of the order.
type chapter struct {
	round
	story *story
	book  *clearing.Clearing
	why   *clearing.Explanation
}

// fate adds up what became of an order's energy, in Wh, and escrow, in ucoin.
type fate struct {
	Confirmed int64 `json:"confirmed_wh"`
	Waits     int64 `json:"waits_wh"`
	Unmatched int64 `json:"unmatched_wh"`
	// Proposed and declined, by any side in any round, and what lines cut in the
	// last one. All of it was proposed again or is unmatched.
	Declined int64 `json:"declined_wh"`
	Cut      int64 `json:"cut_wh"`
	// Escrowed when it was placed, and what of it matches that were not lost hold;
	// the rest came back, or will when the book is final.
	Escrowed int64 `json:"escrowed"`
	Held     int64 `json:"held"`
}

// explain finds out what became of an order.
func (l *link) explain(id []byte, period, market int64) (*story, error) {
	g, err := l.trading(period, market)
	if err != nil {
		return nil, err
	}
	s := &story{gathered: g, cancelled: g.trading.Cancelled[string(id)]}
	for _, sell := range g.trading.Sells {
		if bytes.Equal(sell.Id, id) {
			s.order = sell
		}
	}
	for _, buy := range g.trading.Buys {
		if bytes.Equal(buy.Id, id) {
			s.order, s.buy = buy, true
			s.fate.Escrowed = buy.EscrowUcoin
		}
	}
	if s.order == nil {
		return nil, fmt.Errorf("order %x in the period %s: %w", id, units.FormatTime(period), errNoData)
	}
	if s.cancelled == "" {
		if err := l.prepare(g); err != nil {
			return nil, err
		}
	}
	for _, r := range g.rounds {
		if err := s.tell(r); err != nil {
			return nil, err
		}
	}
	s.follow()
	return s, nil
}

// tell clears a round's book again and asks it about the order.
func (s *story) tell(r round) (err error) {
	c := chapter{round: r, story: s, book: clearing.New(r.rules, r.Sells, r.Buys)}
	for i, buy := range c.book.Buys {
		if bytes.Equal(buy.Id, s.order.GetId()) {
			c.why, err = c.book.ExplainBuy(i)
		}
	}
	for i, sell := range c.book.Sells {
		if bytes.Equal(sell.Id, s.order.GetId()) {
			c.why, err = c.book.ExplainSell(i)
		}
	}
	if c.why != nil {
		s.chapters = append(s.chapters, c)
	}
	return err
}

// follow adds up what became of the order, as the chain says.
func (s *story) follow() {
	for i, c := range s.chapters {
		for _, match := range c.Matches {
			if bytes.Equal(s.mine(match.BuyOrder, match.SellOrder), s.order.GetId()) {
				s.add(match)
			}
		}
		for _, cut := range c.Cuts {
			if i == len(s.chapters)-1 && bytes.Equal(s.mine(cut.BuyOrder, cut.SellOrder), s.order.GetId()) {
				s.fate.Cut += cut.EnergyWh
			}
		}
	}
	s.fate.Unmatched = s.order.GetEnergyWh() - s.fate.Confirmed - s.fate.Waits
}

func (s *story) add(match *matchingv1.Match) {
	switch s.gathered.trading.Fates[string(match.Id)] {
	case client.Confirmed:
		s.fate.Confirmed += match.EnergyWh
	case client.Waits:
		s.fate.Waits += match.EnergyWh
	default:
		s.fate.Declined += match.EnergyWh
		return
	}
	if s.buy {
		s.fate.Held += match.EscrowUcoin
	}
}

// mine picks the order of the explained one's side.
func (s *story) mine(buy, sell []byte) []byte {
	if s.buy {
		return buy
	}
	return sell
}

// other returns the candidate's order.
func (c *chapter) other(candidate clearing.Candidate) order {
	if c.story.buy {
		return c.book.Sells[candidate.Sell]
	}
	return c.book.Buys[candidate.Buy]
}

// became says what became of the match with a candidate, if there was one.
func (c *chapter) became(candidate clearing.Candidate) string {
	for _, match := range c.Matches {
		other := c.story.mine(match.SellOrder, match.BuyOrder)
		if bytes.Equal(c.story.mine(match.BuyOrder, match.SellOrder), c.story.order.GetId()) && bytes.Equal(other, c.other(candidate).GetId()) {
			return c.story.gathered.trading.Fates[string(match.Id)].String()
		}
	}
	return ""
}
