package matching

import (
	"crypto/sha256"
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
	for i, certificate := range genesis.Certificates {
		if _, ok := BookOf(ctx.Store, certificate.Period); !ok {
			return fmt.Errorf("matching.certificates[%d].period: expected one with a book, got %d", i, certificate.Period)
		}
		certificates.Set(ctx.Store, certificateKey(certificate.Period), certificate)
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
	if err := initStanding(ctx, genesis); err != nil {
		return err
	}
	return checkCounts(ctx.Store)
}

func initOrders(ctx *module.Ctx, genesis *matchingv1.GenesisState) error {
	for i, order := range genesis.Sells {
		if err := checkOrder(ctx, order.Id, order.Account, order.Period, order.EnergyWh); err != nil {
			return fmt.Errorf("matching.sells[%d]: %w", i, err)
		}
		sells.Set(ctx.Store, sellKey(order.Period, order.Account, order.Id), order)
		addPresence(ctx, order.Account, order.Period, &matchingv1.Presence{Sells: 1, SellWh: order.EnergyWh})
	}
	for i, seal := range genesis.Seals {
		if err := checkOrder(ctx, seal.Id, seal.Account, seal.Period, 1); err != nil {
			return fmt.Errorf("matching.seals[%d]: %w", i, err)
		}
		if len(seal.Commitment) != sha256.Size || protocol.SealID(seal.Commitment) != protocol.ID(seal.Id) || seal.BondUcoin < 0 {
			return fmt.Errorf("matching.seals[%d].commitment: expected %d bytes that begin with the id, and no negative bond", i, sha256.Size)
		}
		seals.Set(ctx.Store, sealKey(seal.Period, seal.Account, seal.Id), seal)
		addPresence(ctx, seal.Account, seal.Period, &matchingv1.Presence{Seals: 1})
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
	add(presence, more)
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
	genesis := &matchingv1.GenesisState{
		Books:      collect(Books(r)),
		Sells:      collect(values(sells.All(r, sells.Key()))),
		Buys:       collect(values(buys.All(r, buys.Key()))),
		Prematches: collect(values(prematches.All(r, prematches.Key()))),
		Matches:    collect(values(matches.All(r, matches.Key()))),

		Markets:      collect(values(markets.All(r, markets.Key()))),
		Certificates: collect(values(certificates.All(r, certificates.Key()))),
		Seals:        collect(values(seals.All(r, seals.Key()))),
	}
	exportStanding(r, genesis)
	return module.MarshalGenesis(genesis)
}

func isFinal(book *matchingv1.Book) bool { return book.Phase == matchingv1.Phase_PHASE_FINAL }
