package module

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// MarshalGenesis writes a module's genesis state as JSON, equal to the byte
// for equal state: protojson spaces its output at random on purpose, so it is
// compacted.
func MarshalGenesis(m proto.Message) (json.RawMessage, error) {
	loose, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	var tight bytes.Buffer
	if err := json.Compact(&tight, loose); err != nil {
		return nil, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return tight.Bytes(), nil
}

// UnmarshalGenesis reads what MarshalGenesis wrote; unknown fields are errors.
// Absent data leaves m empty.
func UnmarshalGenesis(data json.RawMessage, m proto.Message) error {
	if len(data) == 0 {
		return nil
	}
	if err := protojson.Unmarshal(data, m); err != nil {
		return fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}
