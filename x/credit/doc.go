// Package credit is the credit banks (SPEC 10, S0 2 and 3): an aggregator lends
// to prosumers of its region that are short of coins for energy, at a rate that
// it prices each period. It exists so that who lacks coins for a period need not
// become a debtor for it. Package stackelberg has the arithmetic of the rate.
//
// State (module byte protocol.ModuleCredit):
//
//	1 banks      aggregator                  Bank
//	2 demands    aggregator, borrower        Demand, until it is taken back or a loan is in default
//	3 borrowers  borrower                    Borrower: its history and the sums of its loans
//	4 offers     aggregator, period          Offer, while its lines or loans last
//	5 lines      aggregator, period, borrower  Line, until its period is over
//	6 loans      borrower, period            Loan, until it is repaid or in default
//	7 dues       due period, borrower, period  Due: when a loan is judged
//
// A bank's capital is the free balance of an account without keys
// (protocol.CreditBankAddress): nobody but this package takes from it, no member
// can send to it, and what repays a debt to the bank arrives there.
//
// Messages: MsgSetBank, MsgFundBank, MsgWithdrawCapital by an aggregator for its
// own bank, MsgStateDemand by a prosumer to its home aggregator's, MsgRepayLoan by
// a borrower.
//
// The hook, each block, after settlement (which draws by Draw and repays by
// RepayFromSale):
//
//  1. Loans that are due are judged, the longest due first, 1000 in a block.
//  2. In the first block of period p each bank's lines of periods before p lapse,
//     and its loans of p + 1 are priced: banks by address, none further once
//     1000 demands were taken in the block. An outage skips a period: it has no
//     lines. A bank that fails is reported (PricingFailed) and lends nothing.
//
// Pricing. Borrowers are the demands of active accounts of another identity than
// the bank's, without debt and without a late loan, by address. The limit of
// each is the lesser of
//
//   - its cap (parameter credit_caps_ucoin, by tens of the credit value) less the
//     principal that it owes and what its line of p may still draw, and
//   - its uncovered obligations: what it imported in the last period that its
//     meters closed, at its retail price of p + 1, for each period since (p
//     included, deadline_periods + 1 at most), less its coins, free and in
//     escrow. What it will have to pay by the end of p + 1 is not known before.
//
// Capital is the bank's less what lines of p may still draw. What the best rate
// grants each is its line; capital covers all lines at any time, so that a draw
// within its line never fails for want of capital, and only capital beyond them
// can be withdrawn. The event LoansPriced has the curves and everything else
// that the rate follows from; the offer has its digest.
//
// Drawing. There is no message for it. When settlement finds that an account
// cannot pay for energy that its meter counted, the bank pays what is missing, as
// far as the line of the period of the block reaches, straight to the seller, the
// grid or the fee ledger: that is the wallet shared by borrower and bank. Its
// coins never are the borrower's: they can neither be sent, nor withdrawn, nor
// repay a loan. Energy and fee together must cost no more than the buyer's retail
// price, the payee must be of another identity, and the borrower still may
// borrow. What is not lent goes on through the waterfall of SPEC 3. All draws of a
// period are one loan at the offer's rate, with interest =
// floor(sum drawn x rate / 10^6).
//
// An order that is not escrowed may count on a line (Undrawn): on the lesser of what
// the lines of the present and of the next period may still draw. None of them need
// be there when the order settles; an account that its bank lends to in two periods
// in a row is one that it goes on lending to. If it does not, the order is paid as
// others are: by the balance, the fund, or a debt.
//
// Repayment. Whatever a borrower gets for energy, from buyers or the grid, first
// repays its debts (SPEC 3: they are overdue), then its loans, oldest first,
// interest before principal, and only then is its own. By MsgRepayLoan it may pay
// more, in the same order, out of its free coins, frozen or not, but not while it
// owes. Interest is that of the whole term however early a loan is repaid, for
// rates are per loan term (SPEC 10); what is repaid does not go back to its line,
// and the loan is judged no earlier. A loan is judged in the
// first block of the period that begins term_periods after the one it was drawn
// in, and what is left is taken from the free balance. What a buyer could not pay at
// once and repays later, as a debt, repays no loan on the way: it is the borrower's
// own until the end of the term.
//
//   - repaid: +1 for the credit value, unless less than credit_min_outcome_ucoin
//     was lent; so at most one +1 for each period, however often it was drawn on.
//   - else late: the interest of another term on the principal that is left, -10;
//     it is judged again after grace_periods.
//   - late and then repaid: no outcome.
//   - else in default: what is left is debt to the bank, -10, and the demand goes.
//     Debt freezes the account for orders and transfers until it has paid; then
//     it may state a demand again, with the default in its history.
//
// Loans and offers keep the terms they were made on. The bank of a frozen
// aggregator prices no loans and grants no draw; that of a revoked one also gives
// back its capital, as it comes in.
//
// Invariants: credit.capital, a bank's capital + principal lent + what is owed to
// it = paid in + earned, no part below zero, capital covers its lines;
// credit.loans, loans agree with banks, borrowers, offers and dues; credit.lines,
// offers are the sums of their lines, banks count their demands.
package credit
