package matching

import (
	"iter"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

var (
	books      = state.NewMap[matchingv1.Book](protocol.ModuleMatching, 1)
	sells      = state.NewMap[matchingv1.SellOrder](protocol.ModuleMatching, 2)
	buys       = state.NewMap[matchingv1.BuyOrder](protocol.ModuleMatching, 3)
	prematches = state.NewMap[matchingv1.Match](protocol.ModuleMatching, 4)
	matches    = state.NewMap[matchingv1.Match](protocol.ModuleMatching, 5)
	purchases  = state.NewMap[matchingv1.Purchases](protocol.ModuleMatching, 6)
	presences  = state.NewMap[matchingv1.Presence](protocol.ModuleMatching, 7)
	dues       = state.NewMap[matchingv1.Due](protocol.ModuleMatching, 8)
	markets    = state.NewMap[matchingv1.MarketEntry](protocol.ModuleMatching, 9)

	certificates = state.NewMap[matchingv1.Certificate](protocol.ModuleMatching, 10)
	declined     = state.NewMap[matchingv1.Declined](protocol.ModuleMatching, 11)
	loads        = state.NewMap[matchingv1.PeriodLoad](protocol.ModuleMatching, 12)
	lapses       = state.NewMap[matchingv1.Lapses](protocol.ModuleMatching, 17)

	standings     = state.NewMap[matchingv1.StandingOrder](protocol.ModuleMatching, 13)
	standingClock = state.NewItem[matchingv1.StandingClock](protocol.ModuleMatching, 14)
	seals         = state.NewMap[matchingv1.Seal](protocol.ModuleMatching, 15)
	finals        = state.NewMap[matchingv1.Due](protocol.ModuleMatching, 18)
)

func bookKey(period, market int64) state.Key { return books.Key().Int64(period).Int64(market) }

func sellKey(period, market int64, account, id []byte) state.Key {
	return sells.Key().Int64(period).Int64(market).Bytes(account, id)
}

func buyKey(period, market int64, account, id []byte) state.Key {
	return buys.Key().Int64(period).Int64(market).Bytes(account, id)
}

func prematchKey(period, market int64, id []byte) state.Key {
	return prematches.Key().Int64(period).Int64(market).Bytes(id)
}

func matchKey(period int64, seller, id []byte) state.Key {
	return matches.Key().Int64(period).Bytes(seller, id)
}

func purchasesKey(period int64, buyer, firstID []byte) state.Key {
	return purchases.Key().Int64(period).Bytes(buyer, firstID)
}

func presenceKey(account []byte, period int64) state.Key {
	return presences.Key().Bytes(account).Int64(period)
}

func finalKey(period, market int64) state.Key { return finals.Key().Int64(period).Int64(market) }

func dueKey(timeMs, period, market int64) state.Key {
	return dues.Key().Int64(timeMs).Int64(period).Int64(market)
}

func loadKey(period int64) state.Key { return loads.Key().Int64(period) }

// Module is the matching module.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "matching" }

// traders are who may order.
var traders = []registryv1.Role{registryv1.Role_ROLE_PROSUMER, registryv1.Role_ROLE_AGGREGATOR}

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	return []module.Route{
		module.Handle(module.LaneOrders, traders, checkPlaceSell, placeSell),
		module.Handle(module.LaneOrders, traders, checkPlaceBuy, placeBuy),
		module.Handle(module.LaneOrders, traders, checkCancel, cancel),
		module.Handle(module.LaneOrders, traders, checkConfirm, confirm),
		module.Handle(module.LaneOrders, traders, checkSealOrder, sealOrder),
		module.Handle(module.LaneOrders, traders, checkRevealOrder, revealOrder),
		module.Handle(module.LaneOrders, traders, checkSetStandingOrder, setStandingOrder),
		module.Handle(module.LaneOrders, traders, checkCancelStandingOrder, cancelStandingOrder),
		module.Handle(module.LaneRest, []registryv1.Role{registryv1.Role_ROLE_AUTHORITY}, checkSetMarket, setMarket),
	}
}

// BookOf returns a market's book of a period. It is there from the first order
// until settlement closes it.
func BookOf(r state.Reader, period, market int64) (*matchingv1.Book, bool) {
	return books.Get(r, bookKey(period, market))
}

// Books yields all books by period and market.
func Books(r state.Reader) iter.Seq[*matchingv1.Book] {
	return values(books.All(r, books.Key()))
}

// Periods yields each period that has books, the oldest first.
func Periods(r state.Reader) iter.Seq[int64] { return PeriodsFrom(r, 0) }

// PeriodsFrom yields each period at or after one that has books, the oldest first.
func PeriodsFrom(r state.Reader, from int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		last, some := int64(0), false
		for book := range values(books.From(r, books.Key(), books.Key().Int64(from))) {
			if some && book.Period == last {
				continue
			}
			last, some = book.Period, true
			if !yield(last) {
				return
			}
		}
	}
}

// MatchCount returns how many confirmed matches the books of a period counted,
// those of all markets.
func MatchCount(r state.Reader, period int64) (count int64) {
	for book := range booksOf(r, period) {
		count += book.Matches
	}
	return count
}

// booksOf yields a period's books by market.
func booksOf(r state.Reader, period int64) iter.Seq[*matchingv1.Book] {
	return values(books.All(r, books.Key().Int64(period)))
}

// Matches yields a period's confirmed matches by seller and id.
func Matches(r state.Reader, period int64) iter.Seq[*matchingv1.Match] {
	return values(matches.All(r, matches.Key().Int64(period)))
}

// Take removes a match that settlement settles, and with it the match's claims on
// the escrow of buyer and seller, and the buyer's exposure. The way to it from its
// buyer stays until CloseBooks.
func Take(ctx *module.Ctx, match *matchingv1.Match) error {
	matches.Delete(ctx.Store, matchKey(match.Period, match.Seller, match.Id))
	return bank.EndExposure(ctx, protocol.Address(match.Buyer), match.ExposedUcoin)
}

// FinalBook names a book that became final.
type FinalBook struct{ Period, Market int64 }

// IsFinal says whether a period's book in a market is there and final: its
// confirmed matches do not change any more.
func IsFinal(r state.Reader, period, market int64) bool {
	book, ok := BookOf(r, period, market)
	return ok && book.Phase == matchingv1.Phase_PHASE_FINAL
}

// TakeFinals returns the books that became final since it was called last, by
// period and market, and forgets them: dispatch calls it in every block.
func TakeFinals(ctx *module.Ctx) []FinalBook {
	var found []FinalBook
	for _, row := range finals.All(ctx.Store, finals.Key()) {
		found = append(found, FinalBook{row.Period, row.Market})
	}
	for _, book := range found {
		finals.Delete(ctx.Store, finalKey(book.Period, book.Market))
	}
	return found
}

// CloseBooks removes the books of a period that settlement is done with: every
// match of it was taken. What goes is no more than the period's clearings and
// confirmations wrote.
func CloseBooks(ctx *module.Ctx, period int64) {
	for _, book := range collect(booksOf(ctx.Store, period)) {
		books.Delete(ctx.Store, bookKey(period, book.Market))
		for _, pair := range declinedIn(ctx.Store, period, book.Market) {
			declined.Delete(ctx.Store, declinedKey(pair))
		}
	}
	for _, certificate := range collect(values(certificates.All(ctx.Store, certificates.Key().Int64(period)))) {
		certificates.Delete(ctx.Store, certificateKey(period, certificate.Market, certificate.Round))
	}
	closePurchases(ctx.Store, period)
	loads.Delete(ctx.Store, loadKey(period))
}

// addLoad counts orders into a period, or out of it.
func addLoad(store state.Store, period, orders int64) {
	load, _ := loads.Get(store, loadKey(period))
	if sum := load.GetOrders() + orders; sum != 0 {
		loads.Set(store, loadKey(period), &matchingv1.PeriodLoad{Period: period, Orders: sum})
	} else {
		loads.Delete(store, loadKey(period))
	}
}

// dueTime is when the hook must look at a book next: at the gate, where orders
// are sealed at the end of the time for revealing, at the end of each confirmation
// window, and in the next block if that is not the last round. It is not asked
// about final books.
func dueTime(r state.Reader, book *matchingv1.Book) int64 {
	switch book.Phase {
	case matchingv1.Phase_PHASE_CONFIRM:
		return book.ConfirmUntilMs
	case matchingv1.Phase_PHASE_REVEAL:
		return book.RevealUntilMs
	case matchingv1.Phase_PHASE_AGAIN:
		return book.ConfirmUntilMs + 1
	}
	return registry.GateOf(registry.ParamsAt(r, book.Period), book.Period)
}

func setDue(ctx *module.Ctx, book *matchingv1.Book) {
	at := dueTime(ctx.Store, book)
	dues.Set(ctx.Store, dueKey(at, book.Period, book.Market), &matchingv1.Due{TimeMs: at, Period: book.Period, Market: book.Market})
}

func dropDue(ctx *module.Ctx, book *matchingv1.Book) {
	dues.Delete(ctx.Store, dueKey(dueTime(ctx.Store, book), book.Period, book.Market))
}

func values[K, V any](rows iter.Seq2[K, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, value := range rows {
			if !yield(value) {
				return
			}
		}
	}
}

// collect reads rows before they are changed.
func collect[V any](rows iter.Seq[V]) []V {
	var all []V
	for value := range rows {
		all = append(all, value)
	}
	return all
}
