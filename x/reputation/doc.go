// Package reputation folds an account's outcomes into its credit value: how far
// others may rely on it (SPEC 9, S3 3.3.1). It exists apart from settlement,
// which brings the outcomes, because orders are matched by the value.
//
// State (module byte protocol.ModuleReputation):
//
//	1  account address  Credit; absent while there is no outcome
//	2  account address  Reliability; absent while nothing is charged and no verification followed the admission
//
// The value is the initial one of the account's admission, then the last 100
// outcomes folded in order, clamped to 0..100 at each step. Once a 101st outcome
// comes, the oldest is forgotten and the fold begins again at the initial value.
//
// A +1 stands for a counterparty: the identity of which most of the period's
// energy came or to which it went, so that all accounts of an identity are one. At
// most 10 of the last 100 outcomes stand for one. Energy dealt with those that
// stand for 10 already does not count, nor that within one identity; what is left
// must be somebody's and no less than least_outcome_wh, else there is no +1
// (OutcomeWithheld). So a period with several counterparties stands for the
// greatest of those that still may. A loan repaid on time is a dealing with its
// bank's aggregator. Violations stand for nobody.
//
// # Reliability R(N, M)
//
// The parameters give user types a quota of N orders and M Wh
// (reliability_quotas). An order that fits into what is left of it is charged to
// it when it is accepted: nothing is escrowed for it and a standing consent makes
// its matches. What is not matched is refunded: its energy, and the order if
// nothing of it was matched. One that does not fit is fully verified: it is
// escrowed, as far as the credit value does not spare it, its seller gives security
// and each match is signed. Either is judged once, when the order is accepted, and
// holds for the order and its matches. Signatures of transactions are checked
// whatever the quota.
//
// Cutting an order up gains nothing: each piece is an order of N and its energy
// counts towards M, so no more than N orders and M Wh are spared between two
// verifications in whatever pieces, and the rest escrows as much as in one piece.
//
// MsgReauthorise by the account and MsgCountersign by its home aggregator, neither
// while it owes, are a full verification, which begins the counters anew. What was
// charged before it is forgotten with it, and not refunded: orders name the
// verification they were charged to. An aggregator is its own home: the authority
// countersigns for it, so that nobody verifies itself. A type without a quota, and
// without one for all others, orders as if there were none: the buyer escrows, the
// seller does not, standing consents hold. A quota of 0 verifies every order.
//
// Messages: MsgReauthorise, MsgCountersign. No hooks. Invariant: I6, every value
// lies in 0..100 and is the fold of its outcomes, none of them beyond the share of
// its counterparty, and nothing charged is below zero.
package reputation
