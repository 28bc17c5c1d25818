package client

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
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
		if err != nil || len(event.Attributes) == 0 {
			continue
		}
		m := kind.New().Interface()
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(event.Attributes[0].Value), m); err != nil {
			return nil, fmt.Errorf("event %s: %w", event.Type, err)
		}
		found = append(found, m)
	}
	return found, nil
}
