// Package matching runs the trading cycle of SPEC 5: it takes orders for a
// period until its gate, clears the period's book in one batch by the market's
// mechanism, collects confirmations, clears again what declines gave back, and
// leaves confirmed matches for settlement. It exists so that what is sold when, to
// whom and at what price follows from the orders alone, whoever proposes the block.
//
//	OPEN --gate--> clear --signatures wait--> CONFIRM --all answered, or window over--+
//	                 | ^                                                              |
//	                 | +-- next block -- AGAIN <-- energy came back, rounds are left -+
//	                 |                                 and the period has not begun   |
//	                 +-- nothing waits or came back --> FINAL <-- else ---------------+
//
// State (module byte protocol.ModuleMatching):
//
//	1 books       period                    Book, until settlement closes the period
//	2 sells       period, account, order    SellOrder, until the book is final
//	3 buys        period, account, order    BuyOrder, until the book is final
//	4 prematches  period, match             Match that waits for a signature
//	5 matches     period, seller, match     Match, until settlement takes it
//	6 bought      period, buyer, match      BoughtFrom: leads to the row in matches
//	7 presences   account, period           Presence, until the book is final
//	8 dues        time, period              Due: when a book needs the hook next
//	9 markets     period, newest first      MarketEntry: how periods from it on are cleared
//	10 certificates period, round           Certificate of CMAP or welfare, as long as the book
//	11 declined   period, sell, buy         Declined pair of orders, as long as the book
//	17 lapses     account                   Lapses, of accounts that let some happen
//
// Messages: MsgPlaceSell, MsgPlaceBuy, MsgCancel, MsgConfirm, and the
// authority's MsgSetMarket. Replacing an order is a cancel and a place in one
// envelope.
//
// Package clearing turns a book into trades, by K-prototypes, CMAP, welfare,
// uniform-price auction or posted price. Whatever the mechanism, ask + fee <= bid,
// and the book says what the auction would have made of it.
//
// A buyer escrows bid x energy + fee x energy when it orders. A pre-match takes
// price x v + fee x v of that with it; what is left of an order's escrow goes back
// when the book is final. Since ask + fee <= bid, the escrow always suffices.
//
// K-prototypes asks nothing about the buyer: it gives each seller its ask. The
// seller's satisfaction is therefore 10^6 always, and a standing consent of the
// seller confirms whatever its least satisfaction.
//
// Rounds (ADR 7): a pre-match that a side vetoes, lets lapse or rejects by its
// rule gives energy and escrow back to its orders. Its pair is not proposed again,
// and the order of a side that did not decline comes first in the next round.
// There are at most max_rounds, none begins at or after the start of the period,
// and a block clears a book once at most.
//
// Hook, each block: first the accounts that were frozen or revoked in it lose
// their orders and unconfirmed pre-matches. Then every book that is due, the
// oldest boundary first: an open book in the first block at or after its gate is
// cleared, or, if that block is not before the period's start, cancelled whole
// (missed); where the confirmation window ended, or nothing waits any more, the
// round ends, and the book is cleared again in the next block or becomes final.
// A clearing that fails is reported (ClearingFailed) and its book cancelled, or,
// in a later round, final with the matches that it has.
//
// Invariants: I5 (each account's escrow is that of its buy orders, pre-matches
// and matches), the counts of books and presences equal their rows, and what an
// order has left and holds in matches is no more than it ordered.
package matching
