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
//	1 books       period, market            Book, until settlement closes the period
//	2 sells       period, market, account, order  SellOrder, until the book is final
//	3 buys        period, market, account, order  BuyOrder, until the book is final
//	4 prematches  period, market, match     Match that waits for a signature
//	5 matches     period, seller, match     Match, until settlement takes it
//	6 purchases   period, buyer, first match  Purchases: lead to rows in matches, until settlement closes the period
//	7 presences   account, period           Presence, until the book is final
//	8 dues        time, period, market      Due: when a book needs the hook next
//	9 markets     market, period, newest first  MarketEntry: how periods from it on are cleared
//	10 certificates period, market, round   Certificate of CMAP or welfare, as long as the book
//	11 declined   period, market, sell, buy Declined pair of orders, as long as the book
//	12 loads      period                    PeriodLoad: orders in all books, as long as they are
//	13 standings  account, side             StandingOrder
//	14 clock of the standing orders         StandingClock, while there are some
//	15 seals      period, market, account, order  Seal, until it is revealed or forfeited
//	17 lapses     account                   Lapses, of accounts that let some happen
//	18 finals     period, market            Due: books that became final, until dispatch takes them in the same block
//
// Markets lie side by side: an account's orders meet those of its market only,
// which has a book, a mechanism and caps of its own. Market 0 is there always;
// further ones from the first period that they were set for (unknown_market before
// it). The books of one period share its gate and are cleared in the order of the
// markets' numbers, each apart: one that fails leaves the others alone. The chain's
// max_orders counts the orders of a period over all markets, so that it bounds
// what a block clears however many markets there are. Lines carry what all markets
// trade: a clearing finds on them the matches and pre-matches of the others, so that
// what lines cannot carry goes to the lower number first. Settlement, statements
// and tariffs are of the period, over all markets.
//
// Messages: MsgPlaceSell, MsgPlaceBuy, MsgCancel, MsgConfirm,
// MsgSetStandingOrder, MsgCancelStandingOrder, MsgSealOrder, MsgRevealOrder, and
// the authority's MsgSetMarket. Replacing an order is a cancel and a place in one
// envelope.
//
// Package clearing turns a book into trades, by K-prototypes, CMAP, welfare,
// uniform-price auction or posted price. Whatever the mechanism, ask + fee <= bid,
// and the book says what the auction would have made of it. The fee of a pair is
// the chain's and that of its zones (package grid). Where one price holds for all,
// price and energies follow from the chain's fee, and the zones' bar from pairing
// who cannot pay it on top of the price.
//
// What a demand may cost is bid x energy + the chain's fee x energy. A pre-match
// takes price x v + its pair's fee x v of that with it, each truncated; the rest
// ends when the book is final. Since price + fee <= bid, and truncated parts sum to
// no more than the truncated whole, it always suffices, at bid x energy alone.
//
// # What stands behind an order
//
// Found when the order is accepted (SPEC 9, package reputation), by the parameters
// of its period:
//
//	account            the buyer escrows      the seller escrows                consent
//	without a quota    share x cost           nothing                           as stated
//	quota has room     nothing                nothing                           as stated
//	quota has no room  share x cost           share x energy x (retail - feed-in)  each match is signed
//
// share follows from the credit value (reputation.EscrowShare), 100 % unless the
// parameters say otherwise. What a demand may cost beyond its escrow is exposed:
// bank.Expose refuses the order if free balance and credit line do not cover it. The
// line counts for bids that with the fee pass the retail price by nothing, as banks
// pay for no others. A pre-match takes escrow and exposure in their proportion,
// rounded in favour of the escrow, and the seller's security by its energy. What a
// match holds settlement uses up. A seller of a class without a tariff escrows
// nothing: the grid's prices then are 0. A standing consent that does not hold is
// struck out of the order.
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
// # Standing orders
//
// A standing order is a rule from which the hook writes its owner's order when
// the gate of a period passes, before the period's book is cleared: one a side
// and account, at most max_orders on the chain. The order is judged as one that
// its owner sends, is the same in every respect, and its id follows from account
// and period. It orders the energy stated, or what the account's billing meters
// measured in their last closed period (export less what is kept, or import), at
// most the energy stated, if that period ended no longer than deadline_periods
// before the gate. A rule begins with the first gate after the block in which it
// was set. Rules go in the order of their accounts, the sell before the buy, and
// one does nothing where its account already has an order in the period: those
// placed by hand override it. One that cannot be placed is skipped with the
// reason (StandingSkipped); frozen accounts keep their rules, those of revoked ones go. Periods
// that began before their gate was served, in an outage of the chain, are left
// out. Without standing orders there is no clock, and the hook writes nothing.
//
// # Sealed orders
//
// A market whose reveal_length_ms is above 0 takes orders that nobody can read
// before the gate, beside open ones. MsgSealOrder commits to an order by
//
//	SHA-256("energyd/seal\n" | chain id | "\n" | account, 20 bytes | the canonical
//	encoding of the MsgRevealOrder, which has the order and 32 bytes of salt)
//
// and holds the market's bond. Its side is not known, so it counts on both where
// a side's orders are limited, and whether its account, which may order on one
// side only and within its rating and coins, can place it is judged when it is
// revealed. It can be cancelled before the gate, as an open order. The first
// block at or after the gate begins the time for revealing (RevealStarted) and
// fixes the hash that decides ties, the app hash of the block before it: every
// commitment was made by then, and no order known. The order's id is the first 16
// bytes of its commitment, so that revealing it leaves nothing to choose.
// MsgRevealOrder places the order and releases the bond; one that is refused
// changes nothing and may be tried again. The time ends with the first block
// reveal_length_ms or more after that block, which still takes reveals (where the
// chain stood still it may be the only one), or with the last reveal: bonds of what
// is still sealed go to the guarantee fund (BondForfeited) and the book is cleared.
// A freeze, a failed
// clearing and a start of the period before the clearing give the bonds back.
// Without sealed orders in it a book is cleared at its gate. A period whose
// parameters leave no time to reveal and to confirm is an open one.
//
// # Invariants
//
// I5 (each account's escrow is that of its orders, bonds, pre-matches and matches),
// its exposure is that of its demands and their matches, its quota is charged for
// what it has in books, the counts of books, presences and standing orders equal their rows,
// what an order has left and holds in matches is no more than it ordered, and each
// match is found once from its buyer.
package matching
