package module

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Error is a refusal with a code. Codes are consensus data: they never change
// their meaning (golden list in internal/lint).
type Error struct {
	Codespace string
	Code      uint32
	// Name is the code in words, "gate_closed".
	Name string
}

func (e *Error) Error() string { return e.Codespace + "/" + e.Name }

// With adds what was found and what was expected: one line, for people. The
// text is not part of consensus.
func (e *Error) With(format string, args ...any) error {
	return fmt.Errorf("%w: %s", e, fmt.Sprintf(format, args...))
}

// Codespace declares the errors of one module.
type Codespace string

// declared grows only while packages are initialised.
var declared []*Error

// New declares an error; it is called to initialise package variables only.
func (c Codespace) New(code uint32, name string) *Error {
	err := &Error{Codespace: string(c), Code: code, Name: name}
	declared = append(declared, err)
	return err
}

// Declared returns every declared error by codespace and code.
func Declared() []*Error {
	all := slices.Clone(declared)
	slices.SortFunc(all, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Codespace, b.Codespace), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// ErrInternal stands for an error without a code of its own, ErrPanic for a
// panic that was caught on a transaction's branch.
var (
	ErrInternal = Codespace("app").New(1, "internal")
	ErrPanic    = Codespace("app").New(2, "panic")
)

// Code returns the code of err, ErrInternal's where it has none.
func Code(err error) *Error {
	if coded, ok := errors.AsType[*Error](err); ok {
		return coded
	}
	return ErrInternal
}
