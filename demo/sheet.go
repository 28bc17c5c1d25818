package demo

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/energyd/energyd/units"
)

// InputError is a mistake in a scenario file. Line and Column count from 1
// (Column in fields, not bytes); Line 0 means the file as a whole.
type InputError struct {
	File   string
	Line   int
	Column int
	Name   string // the column's name, if known
	Want   string
	Got    string
	Err    error // the cause, if another package found it
}

func (e *InputError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, " line %d column %d", e.Line, e.Column)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, " (%s)", e.Name)
	}
	fmt.Fprintf(&b, ": expected %s, got %s", e.Want, e.Got)
	return b.String()
}

// Unwrap returns the cause, such as fs.ErrNotExist.
func (e *InputError) Unwrap() error { return e.Err }

// quote shortens and quotes what a file says, for one-line errors.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// sheet reads a CSV file row by row and knows where it is. A byte order mark
// and CRLF are tolerated, as are blank lines, which encoding/csv skips.
type sheet struct {
	file   string
	csv    *csv.Reader
	header []string
	column map[string]int // header name -> index
	row    []string
	line   int // of the row
}

// newSheet reads the header: names that are not empty and not repeated.
func newSheet(file string, data []byte) (*sheet, error) {
	if len(data) > maxFileBytes {
		return nil, tooBig(file, int64(len(data)))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	s := &sheet{file: file, csv: csv.NewReader(bytes.NewReader(data)), column: make(map[string]int)}
	s.csv.FieldsPerRecord = -1
	s.csv.ReuseRecord = true
	more, err := s.read()
	if err != nil {
		return nil, err
	}
	if !more {
		return nil, &InputError{File: file, Line: 1, Column: 1, Want: "a header row", Got: "an empty file"}
	}
	s.header = append([]string(nil), s.row...)
	for i, name := range s.header {
		if !plainText(name) || name == "" {
			return nil, s.failAs(i, "", "a column name (printable, at most 64 bytes, no space around it)")
		}
		if _, twice := s.column[name]; twice {
			return nil, s.fail(i, "each column once")
		}
		s.column[name] = i
	}
	return s, nil
}

// require checks that the header has exactly the named columns, in any order.
func (s *sheet) require(names ...string) error {
	for i, name := range s.header {
		if !slices.Contains(names, name) {
			return s.failAs(i, "", "one of the columns "+strings.Join(names, ", "))
		}
	}
	for _, name := range names {
		if _, ok := s.column[name]; !ok {
			return s.missingColumn(name)
		}
	}
	return nil
}

func (s *sheet) missingColumn(name string) error {
	return &InputError{File: s.file, Line: 1, Column: len(s.header) + 1, Name: name, Want: "a column of this name", Got: "none"}
}

// next reads a row and checks that it has a field for every column. It returns
// false at the end of the file, where s.line is that of the row that is not
// there.
func (s *sheet) next() (bool, error) {
	more, err := s.read()
	if !more || err != nil {
		return false, err
	}
	if n := len(s.row); n < len(s.header) {
		return false, s.end(n, fmt.Sprintf("%d fields", len(s.header)), fmt.Sprintf("%d", n))
	} else if n > len(s.header) {
		return false, s.failAs(len(s.header), "", fmt.Sprintf("%d fields", len(s.header)))
	}
	return true, nil
}

func (s *sheet) read() (bool, error) {
	row, err := s.csv.Read()
	s.row = row
	if errors.Is(err, io.EOF) {
		s.line++
		return false, nil
	}
	if err != nil {
		// csv.ParseError counts columns in bytes; the fields before the bad
		// one were returned.
		bad := &InputError{File: s.file, Line: s.line + 1, Column: len(row) + 1, Want: "well-formed CSV", Got: err.Error(), Err: err}
		if parse := new(csv.ParseError); errors.As(err, &parse) {
			bad.Line, bad.Got = parse.Line, parse.Err.Error()
		}
		bad.Name = s.name(len(row))
		return false, bad
	}
	s.line, _ = s.csv.FieldPos(0)
	return true, nil
}

func (s *sheet) name(col int) string {
	if col < len(s.header) {
		return s.header[col]
	}
	return ""
}

// fail reports the field of the current row in column index col.
func (s *sheet) fail(col int, want string) error { return s.failAs(col, s.name(col), want) }

func (s *sheet) failAs(col int, name, want string) error {
	line, _ := s.csv.FieldPos(col)
	return &InputError{File: s.file, Line: line, Column: col + 1, Name: name, Want: want, Got: quote(s.row[col])}
}

// end reports something that is not there: a field or a row.
func (s *sheet) end(col int, want, got string) error {
	return &InputError{File: s.file, Line: s.line, Column: col + 1, Name: s.name(col), Want: want, Got: got}
}

// plainText says whether s fits into one line of output and a name on chain:
// printable, at most 64 bytes, no space at either end.
func plainText(s string) bool {
	if len(s) > 64 || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// text returns a field of printable text, which may be empty.
func (s *sheet) text(name string) (string, error) {
	col := s.column[name]
	if v := s.row[col]; plainText(v) {
		return strings.Clone(v), nil
	}
	return "", s.fail(col, "printable text of at most 64 bytes without space around it")
}

// identifier returns a non-empty text field that is not one of the demo's own
// names.
func (s *sheet) identifier(name string) (string, error) {
	v, err := s.text(name)
	if err != nil {
		return "", err
	}
	if v == "" {
		return "", s.fail(s.column[name], "a name")
	}
	if strings.HasPrefix(v, reservedPrefix) {
		return "", s.fail(s.column[name], "a name that does not begin with "+reservedPrefix+" (reserved for what the demo adds)")
	}
	return v, nil
}

// decimal returns a field of decimal text times 10^digits.
func (s *sheet) decimal(name, unit string, digits int, most int64) (int64, error) {
	col := s.column[name]
	v, ok := parseDecimal(s.row[col], digits)
	if !ok {
		return 0, s.fail(col, "a decimal number of "+unit+" >= 0")
	}
	if v > most {
		return 0, s.fail(col, "at most "+units.FormatScaled(most, digits)+" "+unit)
	}
	return v, nil
}

// parseDecimal returns decimal text ("1.098", "7e-06") times 10^digits by
// integer arithmetic, rounded half up. ok is false if the text is something
// else, negative, or too large for int64.
func parseDecimal(text string, digits int) (value int64, ok bool) {
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.ParseInt(text[i+1:], 10, 8)
		if err != nil {
			return 0, false
		}
		mantissa, exponent = text[:i], int(e)
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	all := whole + fraction
	if whole == "" || point && fraction == "" || strings.Trim(all, "0123456789") != "" {
		return 0, false
	}
	keep := len(whole) + exponent + digits // of all, the digits that count
	up := int64(0)
	switch {
	case keep < 0:
		return 0, true
	case keep < len(all):
		if all[keep] >= '5' {
			up = 1
		}
		all = all[:keep]
	default:
		if all = strings.TrimLeft(all, "0"); all != "" {
			all += strings.Repeat("0", keep-len(whole)-len(fraction))
		}
	}
	if all == "" {
		return up, true
	}
	// 63 bits less one, so that rounding up cannot overflow
	n, err := strconv.ParseUint(all, 10, 62)
	return int64(n) + up, err == nil
}
