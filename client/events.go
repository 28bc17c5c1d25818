package client

import (
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// The types of events are found by name.
	_ "github.com/energyd/energyd/gen/energy/bank/v1"
	_ "github.com/energyd/energyd/gen/energy/credit/v1"
	_ "github.com/energyd/energyd/gen/energy/grid/v1"
	_ "github.com/energyd/energyd/gen/energy/matching/v1"
	_ "github.com/energyd/energyd/gen/energy/reputation/v1"
)

// DecodeEvents decodes the chain's events among those of a block or of a
// transaction. Others, which the engine adds or a later version of the chain
// knows, are left out.
func DecodeEvents(events []Event) ([]proto.Message, error) {
	var found []proto.Message
	for _, event := range events {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(event.Type))
		if err != nil {
			continue
		}
		m := kind.New().Interface()
		if err := event.Decode(m); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

// Decode reads one of the chain's events, which has its encoding in base64 for its
// only attribute, into a message of its type.
func (e *Event) Decode(into proto.Message) error {
	if len(e.Attributes) == 0 {
		return fmt.Errorf("event %s: expected an attribute, got none", e.Type)
	}
	encoded, err := base64.StdEncoding.DecodeString(e.Attributes[0].Value)
	if err == nil {
		err = proto.Unmarshal(encoded, into)
	}
	if err != nil {
		return fmt.Errorf("event %s: %w", e.Type, err)
	}
	return nil
}
