// Package simulation runs long random sequences of operations on the modules of
// the trading cycle and compares them after every block with a plain model of the
// money side. It exists because the tests of a module show what their author
// thought of; here orders, readings, loans, freezes and outages meet in ways that
// nobody did.
//
// The model (its _test.go files) is maps and slices, written from SPEC 3, 7, 8, 9
// and 10 and from the doc.go of the modules, without their code: it has no store,
// no keys and no incremental sums. It predicts, after every block,
//
//   - free balance, escrow and debts of every account, creditor by creditor, of the
//     grid, the fee ledger, the guarantee fund and the credit bank (ledger);
//   - the registers at every boundary and the energy of every period (meters);
//   - each trade of each period, each version of each statement, field by field,
//     and of each root (settling, statements);
//   - what corrected readings change of that, ucoin by ucoin: trades, make-whole
//     payments, residuals, who pays what, who owes what (corrections, resettle);
//   - certificates of origin that members hold, passed on and used up, and what of
//     theirs was taken back (certificates);
//   - what stands behind orders: quotas and verifications, exposure, the sellers'
//     security (reliability);
//   - loans, what they may draw and who may borrow (loans);
//   - credit values, whom a +1 stands for, and who is frozen for what (conduct).
//
// Not in it are contracts, fees between zones and storage: package x/settlement has
// models of its own for the first (contracts and their years).
//
// Its only inputs from the chain are what matching made of the orders (which live,
// which are matched, and how a match's cost is cut into escrow and exposure, which
// is compared with its orders'; package x/matching has its own models) and the rate that
// a credit bank asks (x/credit/stackelberg has its own).
//
// A sequence has 200 operations drawn by rapid, besides what meters and gateways
// do on their own as time passes; about every fourth ends a block. All invariants
// of all modules are checked after every block. "make simulate" runs 1000 sequences,
// 40 seconds on two cores; "go test -short" 20. One that fails is shortened and
// printed with its seed, and
//
//	go test ./internal/testkit/simulation -run TestSimulation/all/3 -rapid.seed=N
//
// runs it again. At the end the test says how often what happened, and fails if
// something never did, unless it is a short run.
//
// An operation is a method of simulation and a row of operations. It sends a
// message; if the chain took it, it tells the model, and it fails if the model says
// that the chain should have taken it or not. What follows from it at the end of
// blocks is a change of the model's endBlock.
package simulation
