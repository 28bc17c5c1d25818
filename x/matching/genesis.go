package matching

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// InitGenesis implements module.Module. Presences, dues and purchases follow from
// the rest and are made anew.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(matchingv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return err
	}
	for i, book := range genesis.Books {
		if _, twice := BookOf(ctx.Store, book.Period, book.Market); twice || book.Phase == matchingv1.Phase_PHASE_UNSPECIFIED {
			return fmt.Errorf("matching.books[%d]: expected one book a period and market with a phase, got %v", i, book)
		}
		if err := checkNumber("market", book.Market); err != nil {
			return fmt.Errorf("matching.books[%d].%w", i, err)
		}
		addLoad(ctx.Store, book.Period, book.Orders)
		books.Set(ctx.Store, bookKey(book.Period, book.Market), book)
		if !isFinal(book) {
			setDue(ctx, book)
		}
	}
	if err := initOrders(ctx, genesis); err != nil {
		return err
	}
	for i, entry := range genesis.Markets {
		if err := cmp.Or(checkNumber("number", entry.Number), checkMarket(entry.Market)); err != nil {
			return fmt.Errorf("matching.markets[%d]: %w", i, err)
		}
		key := marketKey(entry.Number, entry.FromPeriod)
		if entry.FromPeriod < 0 || registry.PeriodOf(ctx.Store, entry.FromPeriod) != entry.FromPeriod || markets.Has(ctx.Store, key) {
			return fmt.Errorf("matching.markets[%d].from_period: expected the start of a period, each once for a market, got %d", i, entry.FromPeriod)
		}
		markets.Set(ctx.Store, key, entry)
	}
	if err := initRounds(ctx, genesis); err != nil {
		return err
	}
	for i, match := range genesis.Prematches {
		if err := checkMatch(ctx, match); err != nil {
			return fmt.Errorf("matching.prematches[%d]: %w", i, err)
		}
		prematches.Set(ctx.Store, prematchKey(match.Period, match.Market, match.Id), match)
	}
	for i, match := range genesis.Matches {
		if err := checkMatch(ctx, match); err != nil {
			return fmt.Errorf("matching.matches[%d]: %w", i, err)
		}
		key := matchKey(match.Period, match.Seller, match.Id)
		if matches.Has(ctx.Store, key) {
			return fmt.Errorf("matching.matches[%d].id: expected each match once, got %x again", i, match.Id)
		}
		matches.Set(ctx.Store, key, match)
	}
	recordPurchases(ctx.Store, genesis.Matches)
	if err := initStanding(ctx, genesis); err != nil {
		return err
	}
	for _, check := range []func(state.Reader) error{checkCounts, checkPurchases, checkEnergy} {
		if err := check(ctx.Store); err != nil {
			return err
		}
	}
	return nil
}

// initRounds takes what rounds left.
func initRounds(ctx *module.Ctx, genesis *matchingv1.GenesisState) error {
	for i, certificate := range genesis.Certificates {
		book, ok := BookOf(ctx.Store, certificate.Period, certificate.Market)
		if !ok || certificate.Round < 1 || certificate.Round > book.Round {
			return fmt.Errorf("matching.certificates[%d].period: expected one with a book that had round %d, got %d", i, certificate.Round, certificate.Period)
		}
		certificates.Set(ctx.Store, certificateKey(certificate.Period, certificate.Market, certificate.Round), certificate)
	}
	for i, pair := range genesis.Declined {
		if _, ok := BookOf(ctx.Store, pair.Period, pair.Market); !ok {
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
		if err := checkOrder(ctx, order, order.EnergyWh); err != nil {
			return fmt.Errorf("matching.sells[%d]: %w", i, err)
		}
		sells.Set(ctx.Store, sellKey(order.Period, order.Market, order.Account, order.Id), order)
		addPresence(ctx, order, &matchingv1.Presence{Sells: 1, SellWh: order.EnergyWh})
	}
	for i, order := range genesis.Buys {
		if err := checkOrder(ctx, order, order.EnergyWh); err != nil {
			return fmt.Errorf("matching.buys[%d]: %w", i, err)
		}
		buys.Set(ctx.Store, buyKey(order.Period, order.Market, order.Account, order.Id), order)
		addPresence(ctx, order, &matchingv1.Presence{Buys: 1, BuyWh: order.EnergyWh})
	}
	for i, seal := range genesis.Seals {
		if err := checkOrder(ctx, seal, 1); err != nil {
			return fmt.Errorf("matching.seals[%d]: %w", i, err)
		}
		if len(seal.Commitment) != sha256.Size || protocol.SealID(seal.Commitment) != protocol.ID(seal.Id) || seal.BondUcoin < 0 {
			return fmt.Errorf("matching.seals[%d].commitment: expected %d bytes that begin with the id, and no negative bond", i, sha256.Size)
		}
		seals.Set(ctx.Store, sealKey(seal.Period, seal.Market, seal.Account, seal.Id), seal)
		addPresence(ctx, seal, &matchingv1.Presence{Seals: 1})
	}
	return nil
}

// booked is what an order says of its place: one of either side, or a sealed one.
type booked interface {
	GetId() []byte
	GetAccount() []byte
	GetPeriod() int64
	GetMarket() int64
}

func addPresence(ctx *module.Ctx, order booked, more *matchingv1.Presence) {
	key := presenceKey(order.GetAccount(), order.GetPeriod())
	presence, ok := presences.Get(ctx.Store, key)
	if !ok {
		presence = &matchingv1.Presence{Account: order.GetAccount(), Period: order.GetPeriod(), Market: order.GetMarket()}
	}
	add(presence, more)
	presences.Set(ctx.Store, key, presence)
}

func checkOrder(ctx *module.Ctx, order booked, energyWh int64) error {
	if err := checkEntry(ctx, order.GetId(), order.GetPeriod(), order.GetMarket(), energyWh); err != nil {
		return err
	}
	address, err := protocol.AddressFrom(order.GetAccount())
	if err != nil {
		return ErrMalformed.With("account: %v", err)
	}
	if account, ok := registry.AccountOf(ctx.Store, address); !ok || account.Market != order.GetMarket() {
		return ErrUnknownMarket.With("market: expected that of the account %v, got %d", address, order.GetMarket())
	}
	return nil
}

// checkEntry checks what orders and matches have in common.
func checkEntry(ctx *module.Ctx, id []byte, period, market, energyWh int64) error {
	if err := checkID("id", id); err != nil {
		return err
	}
	if energyWh <= 0 {
		return ErrBadEnergy.With("energy_wh: expected more than 0 Wh, got %d", energyWh)
	}
	if _, ok := BookOf(ctx.Store, period, market); !ok {
		return ErrUnknownBook.With("period: expected one with a book in market %d, got %d", market, period)
	}
	return nil
}

func checkMatch(ctx *module.Ctx, match *matchingv1.Match) error {
	if err := checkEntry(ctx, match.Id, match.Period, match.Market, match.EnergyWh); err != nil {
		return err
	}
	if _, err := protocol.AddressFrom(match.Seller); err != nil {
		return ErrMalformed.With("seller: %v", err)
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
		Declined:     collect(values(declined.All(r, declined.Key()))),
		Lapses:       collect(values(lapses.All(r, lapses.Key()))),
		Seals:        collect(values(seals.All(r, seals.Key()))),
	}
	exportStanding(r, genesis)
	return module.MarshalGenesis(genesis)
}

func isFinal(book *matchingv1.Book) bool { return book.Phase == matchingv1.Phase_PHASE_FINAL }
