// Package reputation folds an account's outcomes into its credit value: how far
// others may rely on it (SPEC 9, S3 3.3.1). It exists apart from settlement,
// which brings the outcomes, because orders are matched by the value.
//
// State (module byte protocol.ModuleReputation):
//
//	1  account address  Credit; absent while there is no outcome
//
// The value is the initial one of the account's admission, then the last 100
// outcomes folded in order, clamped to 0..100 at each step. Once a 101st outcome
// comes, the oldest is forgotten and the fold begins again at the initial value.
//
// No messages and no hooks. Invariant: I6, every value lies in 0..100 and is
// the fold of its outcomes.
package reputation
