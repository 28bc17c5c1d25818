package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// Reasons of OrderCancelled.
const (
	reasonSender  = "cancelled"
	reasonStopped = "account_stopped"
	reasonMissed  = "gate_missed"
	reasonFailed  = "clearing_failed"
)

func checkCancel(_ string, m *matchingv1.MsgCancel) error {
	if err := checkPeriod(m.Period); err != nil {
		return err
	}
	return checkID("order", m.Order)
}

// cancel withdraws one of the sender's orders before the gate.
func cancel(ctx *module.Ctx, m *matchingv1.MsgCancel) error {
	gate := registry.GateOf(registry.ParamsAt(ctx.Store, m.Period), m.Period)
	if ctx.TimeMs >= gate {
		return ErrGateClosed.With("period: expected one whose gate is after %s, that of %s was at %s",
			units.FormatTime(ctx.TimeMs), units.FormatTime(m.Period), units.FormatTime(gate))
	}
	sender := ctx.Signer.Address()
	market := ctx.Signer.Account.GetMarket()
	if order, ok := sells.Get(ctx.Store, sellKey(m.Period, market, sender[:], m.Order)); ok {
		if err := removeSell(ctx, order, reasonSender); err != nil {
			return err
		}
		return leave(ctx, order.Account, order.Period, &matchingv1.Presence{Market: market, Sells: 1, SellWh: order.EnergyWh})
	}
	if order, ok := buys.Get(ctx.Store, buyKey(m.Period, market, sender[:], m.Order)); ok {
		if err := removeBuy(ctx, order, reasonSender); err != nil {
			return err
		}
		return leave(ctx, order.Account, order.Period, &matchingv1.Presence{Market: market, Buys: 1, BuyWh: order.EnergyWh})
	}
	if seal, ok := seals.Get(ctx.Store, sealKey(m.Period, market, sender[:], m.Order)); ok {
		if err := removeSeal(ctx, seal, reasonSender); err != nil {
			return err
		}
		return leave(ctx, seal.Account, seal.Period, &matchingv1.Presence{Market: market, Seals: 1})
	}
	return ErrUnknownOrder.With("order: expected one of the sender's in the period %s, got %x", units.FormatTime(m.Period), m.Order)
}

// removeSell deletes an order and ends what stands behind the rest of it; an empty
// reason makes no event OrderCancelled.
func removeSell(ctx *module.Ctx, order *matchingv1.SellOrder, reason string) error {
	sells.Delete(ctx.Store, sellKey(order.Period, order.Market, order.Account, order.Id))
	emitCancelled(ctx, order.Id, order.Account, order.Period, reason)
	return uncoverSell(ctx, order)
}

// removeBuy is removeSell for a demand.
func removeBuy(ctx *module.Ctx, order *matchingv1.BuyOrder, reason string) error {
	buys.Delete(ctx.Store, buyKey(order.Period, order.Market, order.Account, order.Id))
	emitCancelled(ctx, order.Id, order.Account, order.Period, reason)
	return uncoverBuy(ctx, order)
}

func emitCancelled(ctx *module.Ctx, id, account []byte, period int64, reason string) {
	if reason != "" {
		ctx.Emit(&matchingv1.OrderCancelled{Order: id, Account: account, Period: period, Reason: reason})
	}
}

// leave takes removed orders out of an open book's counts; an empty book goes.
func leave(ctx *module.Ctx, account []byte, period int64, gone *matchingv1.Presence) error {
	book, ok := books.Get(ctx.Store, bookKey(period, gone.Market))
	if !ok {
		return ErrUnknownBook.With("period: %s", units.FormatTime(period))
	}
	book.Sells -= gone.Sells
	book.Buys -= gone.Buys
	book.Seals -= gone.Seals
	book.Orders -= gone.Sells + gone.Buys + gone.Seals
	addLoad(ctx.Store, period, -gone.Sells-gone.Buys-gone.Seals)
	if book.Orders == 0 {
		dropDue(ctx, book)
		books.Delete(ctx.Store, bookKey(period, book.Market))
	} else {
		books.Set(ctx.Store, bookKey(period, book.Market), book)
	}
	key := presenceKey(account, period)
	presence, _ := presences.Get(ctx.Store, key)
	if presence.GetSells()+presence.GetBuys()+presence.GetSeals() == gone.Sells+gone.Buys+gone.Seals {
		presences.Delete(ctx.Store, key)
		return nil
	}
	presence.Sells -= gone.Sells
	presence.Buys -= gone.Buys
	presence.Seals -= gone.Seals
	presence.SellWh -= gone.SellWh
	presence.BuyWh -= gone.BuyWh
	presences.Set(ctx.Store, key, presence)
	return nil
}
