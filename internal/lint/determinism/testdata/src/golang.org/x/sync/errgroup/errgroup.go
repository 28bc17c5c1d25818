// Package errgroup stands for the library of that path.
package errgroup

// Group stands for the type of that name.
type Group struct{}

// Go has the signature of the method of that name.
func (*Group) Go(f func() error) {}

// TryGo has the signature of the method of that name.
func (*Group) TryGo(f func() error) bool { return true }
