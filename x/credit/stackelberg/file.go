package stackelberg

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/energyd/energyd/internal/strictjson"
)

const maxIDLength = 64 // characters

// file is a bank and its borrowers as they are written.
type file struct {
	Bank      Bank       `json:"bank"`
	Borrowers []Borrower `json:"borrowers"`
}

// Read reads a bank and its borrowers from a file (README.md describes it). Every
// mistake in it is a *strictjson.Error that names line, column and field. What it
// returns, Price accepts.
func Read(data []byte) (Bank, []Borrower, error) {
	var f file
	if err := strictjson.Decode(data, &f); err != nil {
		return Bank{}, nil, err
	}
	mistake := check(f.Bank, f.Borrowers)
	if mistake == nil {
		mistake = checkIDs(f.Borrowers)
	}
	if m, ok := errors.AsType[*FieldError](mistake); ok {
		return Bank{}, nil, strictjson.At(data, &f, m.Field, m.Expected, m.Got)
	}
	return f.Bank, f.Borrowers, nil
}

func checkIDs(borrowers []Borrower) error {
	seen := make(map[string]bool, len(borrowers))
	for i := range borrowers {
		id, field := borrowers[i].ID, fmt.Sprintf("borrowers[%d].id", i)
		printable := strings.IndexFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) }) < 0
		if id == "" || !printable || utf8.RuneCountInString(id) > maxIDLength {
			return &FieldError{field, fmt.Sprintf("1 to %d printable characters", maxIDLength), strictjson.Quote(id)}
		}
		if seen[id] {
			return &FieldError{field, "an id of its own", "that of another borrower, " + strictjson.Quote(id)}
		}
		seen[id] = true
	}
	return nil
}
