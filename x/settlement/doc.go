// Package settlement settles what was delivered in a period against what was
// matched for it (SPEC 8), lets bilateral contracts have what the market left
// (SPEC 6.3), and keeps the proof: a statement for each account and the root over
// a period's statements, which stays in state for ever. It exists so that every
// Wh and every ucoin of a period is accounted for exactly once, however late the
// meters are.
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
//	11 contracts   contract                  Contract, proposed or accepted, until it is over
//	12 contracts of account, contract        ContractOf: leads to a contract of either side
//	13 terms       period, component, contract  ContractTerms: what it means in an open period
//	14 components  period, component         Component that waits for accounts
//	15 freezes     account                   Freeze: whom settlement froze and has to thaw
//	16 groups      period, gateway or home aggregator  Group: its accounts, until the period is complete
//	17 group waits period, group, account    GroupWait: a statement that waits for what its group shows
//	30 zone fees   month, from zone, to zone ZoneFees: the grid-fee ledger, for ever
//
// Messages: MsgProposeContract, MsgAcceptContract, MsgCancelContract.
//
// The hook, each block:
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
//     One with contracts waits before that for its component, one with matches
//     and estimated registers for its groups (below).
//  3. At the deadline what is open settles for good. It passes in the first
//     block after n = deadline_periods whole periods with blocks that followed
//     the period; a period that was opened late counts from then. Seller
//     missing: s_k = v_k, and the grid is seller of record. Buyer missing:
//     g_k = v_k. Both missing: nothing is delivered, the escrow goes back.
//     Accounts without registers get a statement marked missing.
//  4. Corrections that metering has for periods with a root are settled, oldest
//     first (below).
//  5. When every account has its statement the root is formed and working
//     records go. Statements go once statement_retention_periods whole periods
//     with blocks have followed the one in which that was, whoever is missing.
//
// Contracts. A contract has a price, the seller's priority of the buyer and the
// buyer's rank of the seller, and covers the periods that start in [from, until).
// One side proposes it, the other accepts before it expires; it covers no period
// that has begun by then. A seller and a buyer have one at a time (the other way
// round is another pair), never within one identity or at one connection point.
// Both are active and owe nothing when it is made. Either may cancel: the period
// that runs is the last one. A frozen account's go on (it cancels none itself), a
// revoked one's end with the period that ran. Nothing is escrowed and no energy
// is fixed: nothing stands in for who delivers or takes less, and there is no
// outcome. Market matches use a register first, contracts what they left, the
// grid the rest. Each register counts by itself: with both export and import left
// an account sells by one contract and buys by another.
//
// When a period is opened its contracts are taken down with the pair's loss, and
// its fee, the chain's and that of its zones, which the buyer pays on top;
// those of who takes no part, is unreachable or beyond the greatest loss are
// skipped (ContractSkipped). Capacities of lines cut nothing: what contracts
// share has flowed. The accounts that contracts connect, directly or through
// others, are a component. They settle together once all of them are ready (their
// registers here, their matches settled), or at the deadline without who is
// missing, whose late registers settle with the grid only. So one late meter
// holds up its component and nobody else.
//
// Contracts are served one after the other: a seller's first ones before any
// second one, by its priorities; among them those that are first in their buyer's
// ranks; then by a hash of period, seller and buyer. Places in these lists count,
// not the numbers, and nothing depends on what arrives when. Each delivers what
// the seller has left, but no more than meets the buyer's need after the loss
// (pricematrix.Share). The buyer pays amount and fee from its free balance, then
// from its credit line (x/credit), then the guarantee fund in its place, as for
// energy of the grid; the rest becomes debt to the seller and the fee ledger.
//
// Contract years (S4 3.3). A contract may say what the buyer takes in a year, at the
// seller's meter, where its price counts, with an excess and a penalty price. A
// contract year is 365 days from its first period, or the time that was proposed if
// that is shorter; it covers the periods that start in it. One that is cut short, as
// the last of several may be, by a cancellation, by acceptance after its start or
// because a side was revoked, has its part of the quantity, rounded down. Purchases
// are paid period by period at the contract's price. When the year is closed, what
// was delivered beyond 110 % of the quantity costs the difference to the excess
// price, which is no lower, as well. What is missing to 90 % costs the penalty price
// as far as the seller had it left for the grid in the year's periods: who had
// nothing to sell is owed nothing. With several contracts what was left counts for
// each. Both are judged once, at the end: only then the quantity is
// certain (a cancellation cuts it), the order in which late registers come does not
// matter, and the money is rounded once. Limits are rounded in favour of the buyer,
// and what is within the greatest step of both sides' meters is no deviation. Excess
// is energy, paid from the balance, the credit line and by the guarantee fund; the
// penalty only from the balance, since neither bank nor fund pays for energy that
// never flowed; the rest becomes debt to the seller. That is in no statement but in
// ContractYearClosed. A year is closed in the first block of a period with blocks,
// once one has ended that it does not cover and nothing of it is in settlement.
// Registers that come by then count, a contract stays until then, and a period of
// an outage that is opened later does not count.
//
// All contracts are read once in a block that opens a period, and the graph of
// the grid if any covers it; each account has at most max_contracts_per_account
// of its own and as many proposals that wait for it. A contract goes after a
// period with blocks that it does not cover any more: one of an outage that
// nobody's registers opened by then settles without it.
//
// A block takes at most 20 000 registers, settles the components that they
// complete, and forms no further late root, nor passes a further deadline, once
// 50 000 statements are under the roots it formed. What is left waits, the oldest period first, and with registers the
// deadlines of their period and of later ones: nobody is late whose registers
// are here.
//
// Accounts whose registers come in the same block meet in memory: what of them
// waits for registers of later blocks is stored once the block is done with their
// period (waiting). Only those of components, and estimated ones, are stored at once.
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
// Corrections. By how much corrected readings change an account's registers in a
// period metering has counted; the hook takes that once the period has its root.
// The account's parts of its matches follow anew from its registers and its
// tolerance; the other side's from that side's own statement. v_f is the lesser
// again, amounts, fees and make-whole payments follow, at the prices of trades and
// statements; then the residuals of all whose trades changed. A side that was
// missing when its match settled for good counts as contracted for ever: a buyer
// that was missing keeps what it took, of a match that the grid stood in for
// min(s_k, v_f) passes to the seller, more or less than before, and where both
// were missing nothing is delivered. An estimated period stays estimated. Outcomes, credit
// values, penalties and freezes stay. Contracts share what the matches leave: each
// has what it had at first, served_wh, if that is still there on both sides, else
// a part pro rata; never more, gains go to the grid (contract years count what was
// delivered at first). That holds for all whose
// matches changed too: where a match of a counterparty grows into what its
// contract had, the contract gives way. So trades depend on registers alone, not on
// what was corrected in which order, and corrected back all money is where it was.
//
// What differs moves, in one sum for a trade, its make-whole payment included, one
// for its fee and one for each residual: first what the grid and the fee ledger
// owe, then what accounts owe each other, then what they owe to the grid. It is
// paid from the free balance, then by the guarantee fund, else owed to whom it is
// due; no loan is drawn, since a credit line is for the energy of its own
// period. Receipts repay debts, then loans. Where both owe each other, both debts stand.
//
// The account and all whose trades changed get the next version of their
// statements, and the period one more root for all corrections of a block. In a
// corrected statement energies, trades and residual are as they stand; paid,
// received, debt and grid_paid and grid_received are sums over all versions,
// fees are net and make-whole payments as they stand; claims_ucoin is what
// corrections made others owe to it, correction_* what the latest moved, and
// the balance before is that without all of the period's settlement, as ever. So
// received - paid = what was due to it + debt - what others owe it, for every
// statement. A correction that finds a statement missing or gone changes nothing
// (CorrectionFailed). An account's correction reads the statements of its
// counterparties and of theirs by contract. A block settles at most 1000, begins
// none once it has read 100 000 trades in statements, and looks at 20 000.
//
// Definitions. Sold and bought of a trade are v_f and v_f - floor(v_f x loss).
// An account's sold excludes what the grid sold in its place. A period's Totals
// count it in sold_wh and in grid_sold_wh: the grid sells what accounts import
// beyond their purchases (grid_import, signed) and what it sells in place of
// others. So sold = bought + loss, sum of accounts' sold = sold - stood in, and
// grid_sold = sum of grid_import + stood in; late registers move energy from
// stood in to the seller. What went by contract is in sold and in contract_wh.
// Paid counts what was paid when settled: what became debt is neither in paid nor
// received, and its repayment from later receipts is in repaid_ucoin of the
// statement in which it happens. What the credit bank lent is paid, and in
// drawn_ucoin; what of receipts repaid loans is in loans_repaid_ucoin.
//
// What a match escrowed pays first, the amount before the fee. Where the grid stands
// in for a seller it bears what the buyer does not pay: it is owed that, and the
// seller has all of its money when its registers come.
//
// Energy and fees are paid from escrow, the free balance, the credit line, by the
// guarantee fund (bank.PayGuaranteed), and else become debt. What the fund paid is received by
// the creditor and in the totals' paid; for the account it is no payment but a
// debt to the fund: guaranteed_ucoin, part of debt_ucoin. So accounts, grid and
// fund paid = accounts, grid, fees and fund received.
//
// The outcome of an account with matches is -10 if its registers are missing at
// the deadline or fall short of its matches by more than violation_ppm of
// them and violation_wh or are estimated, unless that is waived, else +1. To deliver or to
// take more than was matched is no violation: the grid has it.
//
// Make-whole. In a match whose registers are measured on both sides, a seller that
// is short of what the buyer could take pays it (g_k - s_k) x (retail - price -
// fee), a buyer that is short of what the seller could deliver pays it (s_k - g_k)
// x (price - feed-in), never less than 0: retail of the buyer's class, feed-in of
// the seller's, both of the period. Common shortfalls cost nothing. The tolerance
// is in s_k and g_k, judged at the account: who is within a step of its meters or
// sigma_ppm is not short of any match. It is paid when the match settles, after
// the escrow, of a seller from its security, then from the free balance, else owed; the guarantee fund pays for energy
// and fees only. Nothing is due where a side is estimated, or missing when the
// deadline passes, nor for contracts, which have no fixed energy.
//
// Waiver. A violation by missing or estimated registers is waived when most meters
// of a gateway or aggregator fail together (SPEC 9): no -10, no penalty, nothing
// that counts for a freeze, and no +1. The accounts with billing meters that settle
// in the period behind one gateway are a group, and those of one home aggregator;
// an account fails if its registers are estimated or, at the deadline, missing,
// whether it has matches or not. One is excused if more than half of a group of its
// own fail, itself included, and three at least, it and two others: the gateway of
// one household, or of two that agree, does not excuse itself. An account with
// matches and estimated registers waits for its statement until enough others are
// in to show it, or the deadline; its matches and contracts settle before, so that
// nobody waits for it. A shortfall of measured registers is never waived: late ones
// that show one end the waiver, with -10, penalty and freeze in their version of
// the statement.
//
// What an operator gains that silences its gateways on purpose: its members are
// not violated, but are paid only once registers come, at most for what they show;
// a seller gets no +1, and saves the make-whole payment of a shortfall only where
// registers stay estimated or come after the deadline, as anybody does who is late.
// The others are not hurt, the grid stands in. waived in statements tells the
// authority, which revokes the gateway.
//
// A violation is charged violation_penalty_ucoin of its period's parameters, paid to
// the guarantee fund from the free balance, else owed to it, after the residual
// and in the same statement. After freeze_violations of them in its last
// freeze_window outcomes the account is frozen, in the block of the statement:
// its orders are cancelled as by a freeze of the authority. Parameters of 0 switch
// either off. All freezes of a block cancel orders in one pass at its end. The freeze ends by itself with the first block of a period once
// measured registers of a period after the latest violation have come since, and
// the account owes nothing: a scan of those frozen, once in a period. The
// authority may thaw it before, or freeze it on top: then the authority thaws it.
// Late registers take no penalty back. A deadline counts periods with blocks, so
// readings that an outage of the chain held up are no violation.
//
// A revoked account is closed in the first block of a period in which nothing is
// open any more: no period that had begun when it was revoked, no match, contract,
// escrow, debt or loan. Registers that are missing are waited for as long as the
// statements of their period are kept. All that wait are read once in a period.
//
// Certificates (SPEC 15; x/origin keeps them). Of a trade, by match or contract,
// min(v_f, what the seller's meter shows of it) is certified if the registers of
// both sides are measured: what of v_f follows from estimated registers, or stands
// in for missing ones, was seen by nobody, and late registers certify nothing
// more. What the tolerance made up for was not measured either: a seller within it
// has its export shared out pro rata to its matches. All billing meters of the
// seller must be of one clean type (wind, hydro, solar or biomass), but for those of
// consumption, which have none; so who has a fossil meter or a battery beside a
// clean one gets no certificates under that account. The buyer is issued them with
// its first statement, which names them; a correction issues the difference
// (certify).
//
// Grid fees. Where a fee between zones is part of a trade's fee, the trade names
// the zones, those of when it was cleared or its contract's period was opened, and
// the part. With the buyer's first statement it is booked per pair of zones and
// month (bookZoneFee), as charged: what the buyer could not pay it owes. The coins
// are in the fee ledger's account with the chain's fee.
//
// An account whose class has no tariff exchanges with the grid for nothing
// (event TariffMissing).
//
// An item that fails is isolated: registers that cannot be settled count as
// missing, a match that cannot be settled at the deadline gives its escrow back,
// the contracts of a component deliver nothing, a contract's year costs nothing
// (event SettlementFailed).
//
// Invariants: I2 (identities of accounts and periods), I3 (no Wh sold or bought
// beyond the registers and their tolerance), settlement.counts,
// settlement.contracts, settlement.freezes, settlement.groups,
// settlement.zone_fees.
package settlement
