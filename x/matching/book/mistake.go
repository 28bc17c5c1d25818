package book

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/x/matching/allocation"
	"github.com/energyd/energyd/x/matching/field"
)

// mistake is a value that is well-formed and still wrong.
type mistake struct {
	field, expected, got string
	inner                *strictjson.Error // about a part of a value kept as text
}

func (m *mistake) Error() string {
	if m.inner != nil {
		return m.field + ": " + m.inner.Error()
	}
	return fmt.Sprintf("field %s: expected %s, got %s", m.field, m.expected, m.got)
}

// missing is about a field that was left out.
func missing(field string) *mistake {
	return &mistake{field: field, expected: "a value", got: "nothing"}
}

func within(field string, value, low, high int64) *mistake {
	if value < low || value > high {
		return &mistake{field: field, expected: fmt.Sprintf("%d to %d", low, high), got: strconv.FormatInt(value, 10)}
	}
	return nil
}

func firstOf(list ...*mistake) *mistake {
	for _, m := range list {
		if m != nil {
			return m
		}
	}
	return nil
}

// mistakeOf turns what a solver refuses into a mistake of the file, whose field
// lies below path.
func mistakeOf(path string, err error) *mistake {
	if f, ok := errors.AsType[*field.Error](err); ok {
		return &mistake{field: path + f.Field, expected: f.Expected, got: f.Got}
	}
	if o, ok := errors.AsType[*allocation.OrderError](err); ok {
		if o.List != "" {
			path = at(o.List, o.At)
		}
		return &mistake{field: path + o.Field, expected: o.Expected, got: o.Got}
	}
	return nil
}
