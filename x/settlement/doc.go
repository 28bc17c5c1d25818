// Package settlement settles what was delivered in a period against what was
// matched for it (SPEC 8) and keeps the proof: a statement for each account and
// the root over a period's statements, which stays in state for ever. It exists
// so that every Wh and every ucoin of a period is accounted for exactly once,
// however late the meters are.
//
// State (module byte protocol.ModuleSettlement):
//
//	1 clock        -                         Clock
//	2 periods      period                    Period, in settlement or waiting for late registers
//	3 tallies      period, account           Tally, until the account's statement
//	4 trades       period, account, match    AccountTrade, until the account's statement
//	5 roots        period                    StatementsRoot, for ever (protocol.StatementsRootKey)
//	6 statements   period, account           Statement, the latest version
//	7 shares       period, account, match    Share of registers that a match waits with
//	8 missing      account, period           Missing: a statement that late registers may complete;
//	                                         the statement itself once those of the period went
//	9 deadlines    count, period             Due: when the grid stands in
//	10 retirements count, period             Due: when the statements are removed
//
// No messages. The hook, each block:
//
//  1. The clock numbers the periods that had blocks. A period is opened, with a
//     tally for each account that takes part, once it has ended and had blocks
//     itself, or has confirmed matches, or, for one that passed while the chain
//     stood still, once registers for it arrive. The period in which the chain
//     began is not opened for its blocks. An account takes part if it has a
//     billing meter bound at the period's start or before and is active or
//     frozen, or if it has matches.
//  2. Registers that metering has ready are shared out over the account's
//     matches. A match settles when both sides' registers are here, an account
//     when its registers are here and its matches have settled: its residual
//     with the grid is paid, its credit value changes, its statement is made.
//  3. At the deadline what is open settles for good. It passes in the first
//     block after n = deadline_periods whole periods with blocks that followed
//     the period; a period that was opened late counts from then. Seller
//     missing: s_k = v_k, and the grid is seller of record. Buyer missing:
//     g_k = v_k. Both missing: nothing is delivered, the escrow goes back.
//     Accounts without registers get a statement marked missing.
//  4. When every account has its statement the root is formed and working
//     records go. Statements go once statement_retention_periods whole periods
//     with blocks have followed the one in which that was, whoever is missing.
//
// A block takes at most 20 000 registers and forms no further late root, nor
// passes a further deadline, once 50 000 statements are under the roots it
// formed. What is left waits, the oldest period first, and with registers the
// deadlines of their period and of later ones: nobody is late whose registers
// are here.
//
// Late registers settle the residual at the period's own tariff and pass to the
// seller min(s_k, v_f) of each match that the grid stood in for, with its money;
// that makes version 2 of the statement and the next version of the root, one
// for all accounts that arrive in a block. A period stays complete but for the
// missing ones until they arrived. After the retention time a late arrival
// settles its money and leaves an event; the root keeps its last version, totals
// included. Registers come in the order of periods, so
// once a later period's are here those of an earlier one never come: its
// statement stays marked missing. The missing's own counterparties keep theirs.
//
// Definitions. Sold and bought of a trade are v_f and v_f - floor(v_f x loss).
// An account's sold excludes what the grid sold in its place. A period's Totals
// count it in sold_wh and in grid_sold_wh: the grid sells what accounts import
// beyond their purchases (grid_import, signed) and what it sells in place of
// others. So sold = bought + loss, sum of accounts' sold = sold - stood in, and
// grid_sold = sum of grid_import + stood in; late registers move energy from
// stood in to the seller. Paid counts what was paid when settled: what became
// debt is neither in paid nor received, and its repayment from later receipts
// is in repaid_ucoin of the statement in which it happens.
//
// The outcome of an account with trades is -10 if its registers are missing at
// the deadline or fall short of its contracts by more than violation_ppm of
// them and violation_wh or are estimated, else +1. To deliver or to
// take more than was matched is no violation: the grid has it.
//
// An account whose class has no tariff exchanges with the grid for nothing
// (event TariffMissing).
//
// An item that fails is isolated: registers that cannot be settled count as
// missing, a match that cannot be settled at the deadline gives its escrow back
// (event SettlementFailed).
//
// Invariants: I2 (identities of accounts and periods), I3 (no Wh sold or bought
// beyond the registers and their tolerance), settlement.counts.
package settlement
