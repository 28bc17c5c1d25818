package matching

import (
	"encoding/json"
	"fmt"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// InitGenesis implements module.Module. Presences and dues follow from the
// rest and are made anew.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(matchingv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return err
	}
	for i, book := range genesis.Books {
		if _, twice := BookOf(ctx.Store, book.Period); twice || book.Phase == matchingv1.Phase_PHASE_UNSPECIFIED {
			return fmt.Errorf("matching.books[%d]: expected one book a period with a phase, got %v", i, book)
		}
		books.Set(ctx.Store, bookKey(book.Period), book)
		if !isFinal(book) {
			setDue(ctx, book)
		}
	}
	if err := initOrders(ctx, genesis); err != nil {
		return err
	}
	for i, entry := range genesis.Markets {
		if err := checkMarket(entry.Market); err != nil {
			return fmt.Errorf("matching.markets[%d]: %w", i, err)
		}
		if entry.FromPeriod < 0 || registry.PeriodOf(ctx.Store, entry.FromPeriod) != entry.FromPeriod || markets.Has(ctx.Store, marketKey(entry.FromPeriod)) {
			return fmt.Errorf("matching.markets[%d].from_period: expected the start of a period, each once, got %d", i, entry.FromPeriod)
		}
		markets.Set(ctx.Store, marketKey(entry.FromPeriod), entry)
	}
	if err := initRounds(ctx, genesis); err != nil {
		return err
	}
	for i, match := range genesis.Prematches {
		if err := checkMatch(ctx, match); err != nil {
			return fmt.Errorf("matching.prematches[%d]: %w", i, err)
		}
		prematches.Set(ctx.Store, prematchKey(match.Period, match.Id), match)
	}
	for i, match := range genesis.Matches {
		if err := checkMatch(ctx, match); err != nil {
			return fmt.Errorf("matching.matches[%d]: %w", i, err)
		}
		matches.Set(ctx.Store, matchKey(match.Period, match.Seller, match.Id), match)
		bought.Set(ctx.Store, boughtKey(match.Period, match.Buyer, match.Id), &matchingv1.BoughtFrom{Seller: match.Seller})
	}
	if err := checkCounts(ctx.Store); err != nil {
		return err
	}
	return checkEnergy(ctx.Store)
}

// initRounds takes what rounds left.
func initRounds(ctx *module.Ctx, genesis *matchingv1.GenesisState) error {
	for i, certificate := range genesis.Certificates {
		book, ok := BookOf(ctx.Store, certificate.Period)
		if !ok || certificate.Round < 1 || certificate.Round > book.Round {
			return fmt.Errorf("matching.certificates[%d].period: expected one with a book that had round %d, got %d", i, certificate.Round, certificate.Period)
		}
		certificates.Set(ctx.Store, certificateKey(certificate.Period, certificate.Round), certificate)
	}
	for i, pair := range genesis.Declined {
		if _, ok := BookOf(ctx.Store, pair.Period); !ok {
			return fmt.Errorf("matching.declined[%d].period: expected one with a book, got %d", i, pair.Period)
		}
		if err := checkID("sell_order", pair.SellOrder); err != nil {
			return fmt.Errorf("matching.declined[%d]: %w", i, err)
		}
		if err := checkID("buy_order", pair.BuyOrder); err != nil {
			return fmt.Errorf("matching.declined[%d]: %w", i, err)
		}
		declined.Set(ctx.Store, declinedKey(pair), pair)
	}
	for i, record := range genesis.Lapses {
		if _, err := protocol.AddressFrom(record.Account); err != nil {
			return fmt.Errorf("matching.lapses[%d].account: %w", i, err)
		}
		if record.Recent|record.Older == 0 || record.Older>>olderBits != 0 || lapses.Has(ctx.Store, lapsesKey(record.Account)) {
			return fmt.Errorf("matching.lapses[%d]: expected each account once, with lapses in 100 bits, got %v", i, record)
		}
		lapses.Set(ctx.Store, lapsesKey(record.Account), record)
	}
	return nil
}

func initOrders(ctx *module.Ctx, genesis *matchingv1.GenesisState) error {
	for i, order := range genesis.Sells {
		if err := checkOrder(ctx, order.Id, order.Account, order.Period, order.EnergyWh); err != nil {
			return fmt.Errorf("matching.sells[%d]: %w", i, err)
		}
		sells.Set(ctx.Store, sellKey(order.Period, order.Account, order.Id), order)
		addPresence(ctx, order.Account, order.Period, &matchingv1.Presence{Sells: 1, SellWh: order.EnergyWh})
	}
	for i, order := range genesis.Buys {
		if err := checkOrder(ctx, order.Id, order.Account, order.Period, order.EnergyWh); err != nil {
			return fmt.Errorf("matching.buys[%d]: %w", i, err)
		}
		buys.Set(ctx.Store, buyKey(order.Period, order.Account, order.Id), order)
		addPresence(ctx, order.Account, order.Period, &matchingv1.Presence{Buys: 1, BuyWh: order.EnergyWh})
	}
	return nil
}

func addPresence(ctx *module.Ctx, account []byte, period int64, more *matchingv1.Presence) {
	key := presenceKey(account, period)
	presence, ok := presences.Get(ctx.Store, key)
	if !ok {
		presence = &matchingv1.Presence{Account: account, Period: period}
	}
	presence.Sells += more.Sells
	presence.Buys += more.Buys
	presence.SellWh += more.SellWh
	presence.BuyWh += more.BuyWh
	presences.Set(ctx.Store, key, presence)
}

func checkOrder(ctx *module.Ctx, id, account []byte, period, energyWh int64) error {
	if err := checkID("id", id); err != nil {
		return err
	}
	if _, err := protocol.AddressFrom(account); err != nil {
		return ErrMalformed.With("account: %v", err)
	}
	if energyWh <= 0 {
		return ErrBadEnergy.With("energy_wh: expected more than 0 Wh, got %d", energyWh)
	}
	if _, ok := BookOf(ctx.Store, period); !ok {
		return ErrUnknownBook.With("period: expected one with a book, got %d", period)
	}
	return nil
}

func checkMatch(ctx *module.Ctx, match *matchingv1.Match) error {
	if err := checkOrder(ctx, match.Id, match.Seller, match.Period, match.EnergyWh); err != nil {
		return err
	}
	if _, err := protocol.AddressFrom(match.Buyer); err != nil {
		return ErrMalformed.With("buyer: %v", err)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	r := ctx.Store
	return module.MarshalGenesis(&matchingv1.GenesisState{
		Books:      collect(Books(r)),
		Sells:      collect(values(sells.All(r, sells.Key()))),
		Buys:       collect(values(buys.All(r, buys.Key()))),
		Prematches: collect(values(prematches.All(r, prematches.Key()))),
		Matches:    collect(values(matches.All(r, matches.Key()))),

		Markets:      collect(values(markets.All(r, markets.Key()))),
		Certificates: collect(values(certificates.All(r, certificates.Key()))),
		Declined:     collect(values(declined.All(r, declined.Key()))),
		Lapses:       collect(values(lapses.All(r, lapses.Key()))),
	})
}

func isFinal(book *matchingv1.Book) bool { return book.Phase == matchingv1.Phase_PHASE_FINAL }
