package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

// line is a name and a value as people read them.
type line struct{ name, value string }

// writeLines prints lines with their values below each other.
func writeLines(w io.Writer, lines []line) error {
	width := 0
	for _, l := range lines {
		width = max(width, len(l.name))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-*s  %s\n", width, l.name, l.value); err != nil {
			return err
		}
	}
	return nil
}

// writeRecord prints a message for people: its fields one a line, then a table
// for each list of messages.
func writeRecord(w io.Writer, m protoreflect.Message) error {
	m = inner(m)
	if err := writeLines(w, record(m, "")); err != nil {
		return err
	}
	return writeTables(w, m, "")
}

// inner returns what a message merely wraps.
func inner(m protoreflect.Message) protoreflect.Message {
	fields := m.Descriptor().Fields()
	if fields.Len() == 1 {
		if only := fields.Get(0); only.Kind() == protoreflect.MessageKind && !only.IsList() && m.Has(only) {
			return m.Get(only).Message()
		}
	}
	return m
}

// record returns the fields of a message and of those in it, but for lists of
// messages.
func record(m protoreflect.Message, prefix string) []line {
	var lines []line
	for i, name := range peopleNames(m.Descriptor()) {
		field := m.Descriptor().Fields().Get(i)
		name = prefix + strings.ReplaceAll(name, "_", " ")
		switch {
		case field.HasPresence() && !m.Has(field):
		case field.Kind() != protoreflect.MessageKind:
			lines = append(lines, line{name, showField(field, m.Get(field))})
		case !field.IsList():
			lines = append(lines, record(m.Get(field).Message(), name+": ")...)
		}
	}
	return lines
}

// showField writes a field's value, or the values of a list of scalars.
func showField(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	if !field.IsList() {
		return show(field, value)
	}
	var items []string
	for i := range value.List().Len() {
		items = append(items, show(field, value.List().Get(i)))
	}
	if len(items) == 0 {
		return "-"
	}
	return strings.Join(items, ", ")
}

func show(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	_, unit := client.People(field)
	switch {
	case unit == "time" && value.Int() == 0, field.Kind() == protoreflect.BytesKind && len(value.Bytes()) == 0:
		return "-"
	case field.Kind() == protoreflect.StringKind && value.String() == "":
		return "-"
	case field.Kind() == protoreflect.EnumKind && value.Enum() == 0:
		return "-"
	case field.Kind() == protoreflect.BoolKind:
		return map[bool]string{true: "yes", false: "no"}[value.Bool()]
	case field.Name() == "outcomes":
		return showOutcomes(value.Bytes())
	}
	return client.FormatPeople(field, value)
}

// showOutcomes writes changes of the credit value, one signed byte each.
func showOutcomes(outcomes []byte) string {
	var items []string
	for _, change := range outcomes {
		items = append(items, fmt.Sprintf("%+d", int8(change)))
	}
	return strings.Join(items, " ")
}

// writeTables prints each list of messages in m and in the messages in it.
func writeTables(w io.Writer, m protoreflect.Message, prefix string) error {
	for i, name := range peopleNames(m.Descriptor()) {
		field := m.Descriptor().Fields().Get(i)
		if field.Kind() != protoreflect.MessageKind {
			continue
		}
		name = prefix + strings.ReplaceAll(name, "_", " ")
		if !field.IsList() {
			if m.Has(field) {
				if err := writeTables(w, m.Get(field).Message(), name+": "); err != nil {
					return err
				}
			}
			continue
		}
		list := m.Get(field).List()
		if list.Len() == 0 {
			if _, err := fmt.Fprintf(w, "%s: none\n", name); err != nil {
				return err
			}
			continue
		}
		var items []protoreflect.Message
		for i := range list.Len() {
			items = append(items, list.Get(i).Message())
		}
		if _, err := fmt.Fprintf(w, "%s:\n%s\n", name, tableOf(items)); err != nil {
			return err
		}
	}
	return nil
}

// tableOf writes messages of one type as a table. Columns in which no row has
// anything are left out.
func tableOf(items []protoreflect.Message) string {
	type column struct {
		name  string
		cells []string
		used  bool
	}
	var columns []*column
	for at, item := range items {
		for _, cell := range cells(item, "") {
			place := slices.IndexFunc(columns, func(c *column) bool { return c.name == cell.name })
			if place < 0 {
				place = len(columns)
				columns = append(columns, &column{name: cell.name, cells: make([]string, len(items))})
			}
			columns[place].cells[at] = cell.value
			columns[place].used = columns[place].used || cell.value != ""
		}
	}
	columns = slices.DeleteFunc(columns, func(c *column) bool { return !c.used })
	t := newTable()
	t.ResetHeaders()
	header := make(table.Row, len(columns))
	for i, c := range columns {
		header[i] = c.name
	}
	t.AppendHeader(header)
	for at := range items {
		row := make(table.Row, len(columns))
		for i, c := range columns {
			row[i] = c.cells[at]
		}
		t.AppendRow(row)
	}
	return t.Render()
}

// cells returns all fields of a message for a table's row, empty where they
// are not set; a price of 0 is a price.
func cells(m protoreflect.Message, prefix string) []line {
	if packed, ok := m.Interface().(*txv1.Msg); ok {
		return []line{{prefix + "message", describeMsg(packed)}}
	}
	var out []line
	for i, name := range peopleNames(m.Descriptor()) {
		field := m.Descriptor().Fields().Get(i)
		name = prefix + strings.ReplaceAll(name, "_", " ")
		switch {
		case field.Kind() == protoreflect.MessageKind && field.IsList():
			out = append(out, line{name, showList(m.Get(field).List())})
		case field.Kind() == protoreflect.MessageKind:
			out = append(out, cells(m.Get(field).Message(), name+" ")...)
		case !m.Has(field) && !freePrice(m, field):
			out = append(out, line{name, ""})
		default:
			out = append(out, line{name, showField(field, m.Get(field))})
		}
	}
	return out
}

// freePrice says whether a field is a price of 0 in a message that is there.
func freePrice(m protoreflect.Message, field protoreflect.FieldDescriptor) bool {
	_, unit := client.People(field)
	return unit == "coin/kWh" && m.IsValid() && !field.HasPresence() && !field.IsList() && m.Get(field).Int() == 0
}

// showList writes a list of messages into one cell.
func showList(list protoreflect.List) string {
	var items []string
	for i := range list.Len() {
		if packed, ok := list.Get(i).Message().Interface().(*txv1.Msg); ok {
			items = append(items, describeMsg(packed))
			continue
		}
		items = append(items, fields(list.Get(i).Message()))
	}
	return strings.Join(items, "\n")
}

// describeMessage writes a message, an event or an order on one line.
func describeMessage(m proto.Message) string {
	reflected := m.ProtoReflect()
	name := strings.TrimPrefix(string(reflected.Descriptor().Name()), "Msg")
	text := strings.Join(words(name), " ")
	if list := fields(inner(reflected)); list != "" {
		text += ": " + list
	}
	return text
}

// fields writes the fields that are set, comma-separated.
func fields(m protoreflect.Message) string {
	var parts []string
	for _, cell := range cells(m, "") {
		if cell.value != "" {
			parts = append(parts, cell.name+" "+strings.ReplaceAll(cell.value, "\n", "; "))
		}
	}
	return strings.Join(parts, ", ")
}

// describeMsg writes a message as an envelope or a proposal carries it.
func describeMsg(packed *txv1.Msg) string {
	m, err := unpack(packed)
	if err != nil {
		return packed.GetType() + ": " + err.Error()
	}
	return describeMessage(m)
}

func unpack(packed *txv1.Msg) (proto.Message, error) {
	m := newMessage(protoreflect.FullName(packed.GetType()))
	if m == nil {
		return nil, fmt.Errorf("unknown message %q", packed.GetType())
	}
	if err := proto.Unmarshal(packed.GetValue(), m); err != nil {
		return nil, fmt.Errorf("%s: %w", packed.GetType(), err)
	}
	return m, nil
}
