// Package mutants keeps bugs that the tests must find: each file of testdata is a
// change of one file of the project, and names the test that falls with it. It
// exists because a test that never fails may not be able to.
//
// A mutant is a text file:
//
//	what a user would see of it, in one line
//	file: x/bank/pay.go
//	test: ./x/bank -run 'TestPay$'
//	-	the line or lines as they are
//	+	what they become
//
// The lines with - must be found in the file exactly once. The test is what
// follows "go test"; "simulation" stands for 300 sequences of the simulation with a
// fixed seed. Nothing is written into the tree: the changed file reaches the
// compiler by -overlay.
//
// "make mutants" runs all, one after the other, a few seconds each, most of them for
// linking; "go test -short" checks that each still applies. One survives if its
// test passes: then a test is missing, and that is to be written. One that does not
// compile, or does not apply since its line was changed, fails too.
//
//	go test ./internal/testkit/mutants -v -run Mutants/settlement
//
// runs those with "settlement" in their names. Each test must pass without the bug:
// that is looked at once, and go remembers it until the code changes.
package mutants
