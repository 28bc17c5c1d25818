// Package lint holds the tests that keep the structure of the tree as its
// design says: which room may import which, how long files and functions may
// be, and that every package says why it exists.
//
// They are tests and not a tool, so that go test is enough to find a breach
// and no one needs to know of a further command.
package lint
