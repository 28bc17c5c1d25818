// Package bank keeps the coins: free balances, escrow and debt of every
// account, and how many coins were ever minted and burned (SPEC 3). It exists
// so that money has one place in which it can be counted.
//
// State (module byte protocol.ModuleBank):
//
//	1  account address     Balance, with the sum of its debts; absent when all is zero
//	2  debtor | number     Debt
//	3                      Supply
//	4  SHA-256(reference)  Reference
//
// Messages: Recharge and Withdraw by the authority, each reference once;
// Transfer by members.
//
// Settlement never fails for lack of coins: Pay takes what was put in escrow,
// then the free balance, and records the rest as a debt to the creditor. The
// accounts of the grid and of the fee ledger are signed; they never owe.
//
// The guarantee fund is an account without keys, recharged by the authority and
// by what is forfeited to it. In PayGuaranteed it pays what the payer lacks, as
// far as it has coins and the payer owes it no more than guarantee_limit_ucoin
// afterwards; that the payer then owes to it. What is left is a debt to the
// creditor, older than that to the fund: of one payment the creditor is repaid
// first. The fund is never below zero and never owes. The limit is on what an
// account owes it at one time, so that nobody who never pays empties it period by
// period.
//
// Exposure. What open orders and matches of an account may cost beyond their escrow
// is kept with its balance. Expose takes no more than is free, with what the credit
// line adds (SPEC 3). Transfers, payouts and escrow leave as much free as is
// exposed, and do not count the line, which may end before the matches do. Only
// settlement goes below: it takes what is due whatever the account is exposed to.
// The account then sends and orders nothing more until it is covered again, and its
// matches are paid by the balance, the line, the fund, or become debt.
//
// A revoked account is paid out once it is closed (registry): until then what it
// has is for what it owes.
//
// An account that owes neither transfers nor withdraws; whatever becomes free to
// it, by receipt or from escrow, repays its debts first, oldest first.
//
// A repayment is a receipt of the creditor, which may owe in turn. Each account repays at
// most once in such a chain, and a chain has at most maxRepayments steps: coins
// that go round a ring of debtors end where they came in. They stay free there
// and repay with the account's next receipt.
//
// Invariants: I1, the sum of all balances and escrows equals minted - burned;
// I7, no member's balance, escrow or exposure is below zero. That no message leaves
// more exposed than covered is a law of steps, not of states: settlement may lower
// the cover.
package bank
