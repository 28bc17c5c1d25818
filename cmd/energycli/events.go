package main

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
)

// eventJSON is an event in the output for programs.
type eventJSON struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

func eventsJSON(events []proto.Message) ([]eventJSON, error) {
	list := []eventJSON{}
	for _, event := range events {
		data, err := client.EncodeJSON(event)
		if err != nil {
			return nil, err
		}
		list = append(list, eventJSON{string(event.ProtoReflect().Descriptor().FullName()), data})
	}
	return list, nil
}

// mentions says whether a scalar in a message, at any depth, matches.
func mentions(m protoreflect.Message, match func(protoreflect.FieldDescriptor, protoreflect.Value) bool) bool {
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		each := func(value protoreflect.Value) bool {
			if field.Kind() == protoreflect.MessageKind {
				return mentions(value.Message(), match)
			}
			return match(field, value)
		}
		if !field.IsList() {
			found = each(value)
			return !found
		}
		for i := range value.List().Len() {
			if found = each(value.List().Get(i)); found {
				break
			}
		}
		return !found
	})
	return found
}
