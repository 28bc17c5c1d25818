package app_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// TestStoredCodecs fills each message that has a codec of its own (see state.Map) and
// compares it with package proto: the same bytes, and the same message back.
// Replicas agree on those bytes, so it must stay so whatever generates the code.
func TestStoredCodecs(t *testing.T) {
	type codec interface {
		MarshalVTStrict() ([]byte, error)
		UnmarshalVT([]byte) error
	}
	tried := 0
	random := rand.New(rand.NewPCG(1, 2))
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		if !strings.HasPrefix(string(kind.Descriptor().FullName()), "energy.") {
			return true
		}
		if _, ok := kind.New().Interface().(codec); !ok {
			return true
		}
		tried++
		for range 50 {
			m := kind.New()
			draw(random, m, 3)
			want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Interface().(codec).MarshalVTStrict()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v: %v, %v\n got %x\nwant %x", kind.Descriptor().FullName(), m.Interface(), err, got, want)
			}
			back := kind.New().Interface()
			if err := back.(codec).UnmarshalVT(want); err != nil || !proto.Equal(back, m.Interface()) {
				t.Fatalf("%v: %v became %v, %v", kind.Descriptor().FullName(), m.Interface(), back, err)
			}
		}
		return true
	})
	if tried < 50 {
		t.Errorf("%d messages have codecs, expected all that are stored", tried)
	}
}

// TestCanonicalFields: the encodings of maps and floating-point numbers are not
// canonical, and what is signed, stored or hashed has none.
func TestCanonicalFields(t *testing.T) {
	seen := 0
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		message := kind.Descriptor()
		if !strings.HasPrefix(string(message.FullName()), "energy.") {
			return true
		}
		for i := range message.Fields().Len() {
			seen++
			if field := message.Fields().Get(i); field.IsMap() || field.Kind() == protoreflect.FloatKind || field.Kind() == protoreflect.DoubleKind {
				t.Errorf("%s: a %s has no canonical encoding", field.FullName(), field.Kind())
			}
		}
		return true
	})
	if seen < 500 {
		t.Errorf("only %d fields were seen", seen)
	}
}

// draw sets about half of a message's fields, to depth levels.
func draw(random *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case random.IntN(2) == 0 || field.Message() != nil && depth == 0:
		case field.IsList():
			list := m.Mutable(field).List()
			for range random.IntN(4) {
				if field.Message() != nil {
					draw(random, list.AppendMutable().Message(), depth-1)
				} else {
					list.Append(scalar(random, field))
				}
			}
		case field.Message() != nil:
			draw(random, m.Mutable(field).Message(), depth-1)
		default:
			m.Set(field, scalar(random, field))
		}
	}
}

// scalar is a value of a field: 0 and the extremes as often as others.
func scalar(random *rand.Rand, field protoreflect.FieldDescriptor) protoreflect.Value {
	bits := random.Uint64() >> random.IntN(64) * uint64(random.IntN(3))
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(bits&1 == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(int32(bits)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(bits))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(bits))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(bits))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(bits)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("é", int(bits%200)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Repeat([]byte{byte(bits)}, int(bits%200)))
	}
	panic("a kind that is not stored yet: " + field.Kind().String())
}
