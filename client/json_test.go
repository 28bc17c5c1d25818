package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/protocol"
)

// drawMessage fills a message of any type with random values.
func drawMessage(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if depth == 0 && field.Kind() == protoreflect.MessageKind || !rapid.Bool().Draw(t, "set") {
			continue
		}
		if !field.IsList() {
			value := m.NewField(field)
			if field.Kind() == protoreflect.MessageKind {
				drawMessage(t, value.Message(), depth-1)
			} else {
				value = drawScalar(t, field)
			}
			m.Set(field, value)
			continue
		}
		list := m.Mutable(field).List()
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			if field.Kind() == protoreflect.MessageKind {
				element := list.NewElement()
				drawMessage(t, element.Message(), depth-1)
				list.Append(element)
			} else {
				list.Append(drawScalar(t, field))
			}
		}
	}
}

func drawScalar(t *rapid.T, field protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(field.Name())
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, name))
	case protoreflect.BytesKind:
		sizes := []int{0, protocol.IDSize, protocol.AddressSize, protocol.KeySize, protocol.SignatureSize}
		size := rapid.SampledFrom(sizes).Draw(t, "size")
		return protoreflect.ValueOfBytes(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, name))
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, name)).Number())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, name))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, name))
	}
	return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, name))
}

// messageTypes returns every message of the chain's schema.
func messageTypes(t *testing.T) []protoreflect.MessageDescriptor {
	t.Helper()
	var found []protoreflect.MessageDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if file.Package().Parent().Parent() == "energy" {
			for i := range file.Messages().Len() {
				found = append(found, file.Messages().Get(i))
			}
		}
		return true
	})
	if len(found) < 50 {
		t.Fatalf("only %d message types found", len(found))
	}
	return found
}

func TestJSONRoundTrip(t *testing.T) {
	types := messageTypes(t)
	rapid.Check(t, func(t *rapid.T) {
		descriptor := rapid.SampledFrom(types).Draw(t, "type")
		m := dynamicpb.NewMessage(descriptor)
		drawMessage(t, m, 3)
		data, err := EncodeJSON(m)
		if err != nil || !json.Valid(data) {
			t.Fatalf("%v in %s", err, data)
		}
		read := dynamicpb.NewMessage(descriptor)
		if err := DecodeJSON(data, read); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if !proto.Equal(m, read) {
			t.Fatalf("%s read back is %v, want %v", data, read, m)
		}
		if again, err := EncodeJSON(read); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("written again: %s, %v, want %s", again, err, data)
		}
	})
}

func TestEncodeJSON(t *testing.T) {
	account := protocol.Address{}
	data, err := EncodeJSON(&matchingv1.BuyOrder{
		Id: bytes.Repeat([]byte{0xab}, 16), Account: account[:], Period: 5, PriceUcoinPerKwh: -1, MaxLossPpm: proto.Int64(0),
		WantedEnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Consent: &matchingv1.Consent{Standing: true},
	})
	want := `{"id":"abababababababababababababababab","account":"` + account.String() + `","period":5,"price_ucoin_per_kwh":-1,"energy_wh":0,` +
		`"wanted_loss_ppm":0,"max_loss_ppm":0,"wanted_energy_type":"solar","consent":{"standing":true,"min_satisfaction_ppm":0,"reject_below_ppm":0},"open_wh":0,"escrow_ucoin":0,"preferences":[],"credit":0,"identity":"","grid_node":"","priority":false,"market":0,"verification":0,"exposed_ucoin":0}`
	if err != nil || string(data) != want {
		t.Errorf("%s, %v, want\n%s", data, err, want)
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for _, tc := range []struct {
		text         string
		line, column int
		field        string
	}{
		{`{"period": 1`, 1, 12, ""},
		{`[]`, 1, 1, ""},
		{`null`, 1, 1, ""},
		{`{} {}`, 1, 4, ""},
		{"{\n  \"periods\": 1}", 2, 3, ""},
		{`{"period": 1, "period": 2}`, 1, 15, "period"},
		{`{"period": "1"}`, 1, 12, "period"},
		{`{"period": 1.5}`, 1, 12, "period"},
		{`{"period": 1e3}`, 1, 12, "period"},
		{`{"period": 9223372036854775808}`, 1, 12, "period"},
		{`{"period": null}`, 1, 12, "period"},
		{`{"period": true}`, 1, 12, "period"},
		{`{"period": {}}`, 1, 12, "period"},
		{`{"account": 5}`, 1, 13, "account"},
		{`{"account": "energy1qq"}`, 1, 13, "account"},
		{`{"account": "xyz"}`, 1, 13, "account"},
		{`{"missing": 1}`, 1, 13, "missing"},
		{`{"missing": "true"}`, 1, 13, "missing"},
		{`{"trades": {}}`, 1, 12, "trades"},
		{"{\"trades\": [{},\n {\"match\": \"ab\", \"seller\": 5}]}", 2, 28, "trades[1].seller"},
		{`{"trades": [5]}`, 1, 13, "trades[0]"},
	} {
		err := DecodeJSON([]byte(tc.text), new(settlementv1.Statement))
		wrong, ok := errors.AsType[*strictjson.Error](err)
		if !ok || wrong.Line != tc.line || wrong.Column != tc.column || wrong.Field != tc.field {
			t.Errorf("%s: %v, want line %d column %d field %q", tc.text, err, tc.line, tc.column, tc.field)
		}
	}
}

// field returns a field of a message by name.
func field(t testing.TB, m proto.Message, name string) protoreflect.FieldDescriptor {
	t.Helper()
	found := m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
	if found == nil {
		t.Fatalf("no field %s", name)
	}
	return found
}

func TestPeople(t *testing.T) {
	sell, node, reading := &matchingv1.SellOrder{}, &registryv1.Params{}, &settlementv1.Trade{}
	for _, tc := range []struct {
		m                    proto.Message
		field, text, written string
		value                int64
	}{
		{sell, "energy_wh", "1.5", "1.5 kWh", 1500},
		{sell, "energy_wh", "1.5 kWh", "1.5 kWh", 1500},
		{sell, "energy_wh", "-0.001kWh", "-0.001 kWh", -1},
		{sell, "price_ucoin_per_kwh", "0.6", "0.6 coin/kWh", 600_000},
		{reading, "amount_ucoin", "0.000001", "0.000001 coin", 1},
		{reading, "loss_ppm", "1.25", "1.25 %", 12_500},
		{sell, "period", "2026-01-31T12:00:00Z", "2026-01-31 12:00:00Z", 1_769_860_800_000},
		{sell, "period", "1769860800000", "2026-01-31 12:00:00Z", 1_769_860_800_000},
		{node, "gate_lead_ms", "15m", "15m0s", 900_000},
	} {
		f := field(t, tc.m, tc.field)
		got, err := ParsePeople(f, tc.text)
		if err != nil || got.Int() != tc.value {
			t.Errorf("%s %q: %v, %v, want %d", tc.field, tc.text, got, err, tc.value)
			continue
		}
		if written := FormatPeople(f, got); written != tc.written {
			t.Errorf("%s %d: %q, want %q", tc.field, tc.value, written, tc.written)
		}
	}
	for _, tc := range []struct {
		m           proto.Message
		field, text string
	}{
		{sell, "energy_wh", "1.2345"},
		{sell, "energy_wh", "1.5 MWh"},
		{sell, "energy_wh", ""},
		{sell, "energy_wh", "99999999999999999"},
		{sell, "period", "tomorrow"},
		{node, "gate_lead_ms", "15"},
		{sell, "account", "me"},
	} {
		if got, err := ParsePeople(field(t, tc.m, tc.field), tc.text); err == nil {
			t.Errorf("%s %q was read as %v", tc.field, tc.text, got)
		}
	}
}

// TestPeopleRoundTrip: whatever people are shown of a number they can type in
// again, but for times, which are shown in seconds, and months.
func TestPeopleRoundTrip(t *testing.T) {
	types := messageTypes(t)
	rapid.Check(t, func(t *rapid.T) {
		descriptor := rapid.SampledFrom(types).Draw(t, "type")
		if descriptor.Fields().Len() == 0 {
			return
		}
		f := descriptor.Fields().Get(rapid.IntRange(0, descriptor.Fields().Len()-1).Draw(t, "field"))
		_, unit := People(f)
		if f.Kind() == protoreflect.MessageKind || unit == "time" || unit == "month" {
			return
		}
		value := drawScalar(t, f)
		if f.Kind() == protoreflect.Int64Kind {
			// A duration counts nanoseconds.
			value = protoreflect.ValueOfInt64(rapid.Int64Range(math.MinInt64/1_000_000, math.MaxInt64/1_000_000).Draw(t, "value"))
		}
		text := FormatPeople(f, value)
		got, err := ParsePeople(f, text)
		if err != nil || !got.Equal(value) {
			t.Fatalf("%s: %q read back is %v, %v, want %v", f.FullName(), text, got, err, value)
		}
	})
}
