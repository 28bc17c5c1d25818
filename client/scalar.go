package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/units"
)

// ParseScalar reads a field's value from machine text: integers in the field's
// own unit, bytes and enums as EncodeJSON writes them.
func ParseScalar(field protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		data, err := ParseBytes(text)
		return protoreflect.ValueOfBytes(data), err
	case protoreflect.EnumKind:
		number, err := ParseEnum(field.Enum(), text)
		return protoreflect.ValueOfEnum(number), err
	case protoreflect.BoolKind:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return protoreflect.Value{}, fmt.Errorf("expected true or false, got %q", text)
		}
		return protoreflect.ValueOfBool(value), nil
	case protoreflect.Int64Kind:
		value, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return protoreflect.Value{}, fmt.Errorf("expected a whole number of 64 bits, got %q", text)
		}
		return protoreflect.ValueOfInt64(value), nil
	case protoreflect.Uint64Kind:
		value, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return protoreflect.Value{}, fmt.Errorf("expected a whole number >= 0, got %q", text)
		}
		return protoreflect.ValueOfUint64(value), nil
	}
	return protoreflect.Value{}, fmt.Errorf("expected %s", field.Kind())
}

// quantity is how people write a field whose name ends in suffix.
type quantity struct {
	suffix, unit string
	places       int
}

// quantities, longest suffix first: a price also ends in "_kwh".
var quantities = []quantity{
	{"_ucoin_per_kwh", "coin/kWh", 6},
	{"_ucoin", "coin", 6},
	{"_wh", "kWh", 3},
	{"_ppm", "%", 4},
	{"_mm", "m", 3},
	{"_w", "kW", 3},
}

// People returns a field's name and unit for people: energy_wh is energy in
// kWh. Times (period, *_ms) have the unit "time" or "duration", UTC months "month".
func People(field protoreflect.FieldDescriptor) (name, unit string) {
	name = string(field.Name())
	if field.Kind() != protoreflect.Int64Kind {
		return name, ""
	}
	for _, q := range quantities {
		if short, ok := strings.CutSuffix(name, q.suffix); ok {
			return short, q.unit
		}
	}
	for _, suffix := range []string{"period", "at_ms", "time_ms", "gate_ms", "until_ms", "swapped_ms", "fixed_until"} {
		if name == suffix || strings.HasSuffix(name, "_"+suffix) {
			return strings.TrimSuffix(name, "_ms"), "time"
		}
	}
	switch {
	case name == "month" || strings.HasSuffix(name, "_month"):
		return name, "month"
	case strings.HasSuffix(name, "_ms"):
		return strings.TrimSuffix(name, "_ms"), "duration"
	}
	return name, ""
}

func placesOf(unit string) int {
	for _, q := range quantities {
		if q.unit == unit {
			return q.places
		}
	}
	return 0
}

// ParsePeople reads a value as people write it: "1.5" for energy_wh is 1500,
// a time as RFC 3339, a duration as "15m".
func ParsePeople(field protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	_, unit := People(field)
	switch unit {
	case "":
		return ParseScalar(field, text)
	case "time":
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			return ParseScalar(field, text)
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return protoreflect.Value{}, fmt.Errorf("expected a time like 2026-01-31T12:00:00Z or Unix milliseconds, got %q", text)
		}
		return protoreflect.ValueOfInt64(at.UnixMilli()), nil
	case "month":
		month, err := ParseMonth(text)
		return protoreflect.ValueOfInt64(month), err
	case "duration":
		d, err := time.ParseDuration(text)
		if err != nil {
			return protoreflect.Value{}, fmt.Errorf("expected a duration like 15m, got %q", text)
		}
		return protoreflect.ValueOfInt64(d.Milliseconds()), nil
	}
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), unit))
	value, err := units.ParseScaled(text, placesOf(unit))
	if err != nil {
		return protoreflect.Value{}, fmt.Errorf("in %s: %w", unit, err)
	}
	return protoreflect.ValueOfInt64(value), nil
}

// ParseMonth reads a UTC month, "2026-11", and returns its start in Unix ms.
func ParseMonth(text string) (int64, error) {
	at, err := time.Parse("2006-01", text)
	if err != nil {
		return 0, fmt.Errorf("expected a UTC month like 2026-11, got %q", text)
	}
	return at.UnixMilli(), nil
}

// FormatPeople writes a value as people read it, with its unit.
func FormatPeople(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	_, unit := People(field)
	switch {
	case unit == "time":
		return time.UnixMilli(value.Int()).UTC().Format("2006-01-02 15:04:05Z")
	case unit == "month":
		return units.FormatMonth(value.Int())
	case unit == "duration":
		return (time.Duration(value.Int()) * time.Millisecond).String()
	case unit != "":
		return units.FormatScaled(value.Int(), placesOf(unit)) + " " + unit
	case field.Kind() == protoreflect.BytesKind:
		return FormatBytes(value.Bytes())
	case field.Kind() == protoreflect.EnumKind:
		return FormatEnum(field.Enum(), value.Enum())
	}
	return fmt.Sprint(value.Interface())
}
