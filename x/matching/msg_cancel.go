package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
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
	if m.Period <= 0 {
		return ErrBadPeriod.With("period: expected the start of a period, got %s", units.FormatTime(m.Period))
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
	if order, ok := sells.Get(ctx.Store, sellKey(m.Period, sender[:], m.Order)); ok {
		removeSell(ctx, order, reasonSender)
		return leave(ctx, order.Account, order.Period, &matchingv1.Presence{Sells: 1, SellWh: order.EnergyWh})
	}
	if order, ok := buys.Get(ctx.Store, buyKey(m.Period, sender[:], m.Order)); ok {
		if err := removeBuy(ctx, order, reasonSender); err != nil {
			return err
		}
		return leave(ctx, order.Account, order.Period, &matchingv1.Presence{Buys: 1, BuyWh: order.EnergyWh})
	}
	return ErrUnknownOrder.With("order: expected one of the sender's in the period %s, got %x", units.FormatTime(m.Period), m.Order)
}

// removeSell deletes an order; an empty reason makes no event OrderCancelled.
func removeSell(ctx *module.Ctx, order *matchingv1.SellOrder, reason string) {
	sells.Delete(ctx.Store, sellKey(order.Period, order.Account, order.Id))
	emitCancelled(ctx, order.Id, order.Account, order.Period, reason)
}

// removeBuy deletes an order and gives back what is escrowed for it.
func removeBuy(ctx *module.Ctx, order *matchingv1.BuyOrder, reason string) error {
	buys.Delete(ctx.Store, buyKey(order.Period, order.Account, order.Id))
	emitCancelled(ctx, order.Id, order.Account, order.Period, reason)
	return bank.Release(ctx, protocol.Address(order.Account), order.EscrowUcoin)
}

func emitCancelled(ctx *module.Ctx, id, account []byte, period int64, reason string) {
	if reason != "" {
		ctx.Emit(&matchingv1.OrderCancelled{Order: id, Account: account, Period: period, Reason: reason})
	}
}

// leave takes removed orders out of an open book's counts; an empty book goes.
func leave(ctx *module.Ctx, account []byte, period int64, gone *matchingv1.Presence) error {
	book, ok := books.Get(ctx.Store, bookKey(period))
	if !ok {
		return ErrUnknownBook.With("period: %s", units.FormatTime(period))
	}
	book.Sells -= gone.Sells
	book.Buys -= gone.Buys
	book.Orders -= gone.Sells + gone.Buys
	if book.Orders == 0 {
		dropDue(ctx, book)
		books.Delete(ctx.Store, bookKey(period))
	} else {
		books.Set(ctx.Store, bookKey(period), book)
	}
	key := presenceKey(account, period)
	presence, _ := presences.Get(ctx.Store, key)
	if presence.GetSells()+presence.GetBuys() == gone.Sells+gone.Buys {
		presences.Delete(ctx.Store, key)
		return nil
	}
	presence.Sells -= gone.Sells
	presence.Buys -= gone.Buys
	presence.SellWh -= gone.SellWh
	presence.BuyWh -= gone.BuyWh
	presences.Set(ctx.Store, key, presence)
	return nil
}
