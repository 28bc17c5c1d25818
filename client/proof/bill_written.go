package proof

import (
	"bytes"
	"encoding/json"
)

// wasWritten says whether a compact file is what would be written, given again. A
// file of before a record had a field lacks it: where the field says nothing
// (zero), its absence is no difference, since the record's encoding is the same.
func wasWritten(file, again json.RawMessage) bool {
	if bytes.Equal(file, again) {
		return true
	}
	if len(file) == 0 || len(again) == 0 || file[0] != again[0] {
		return false
	}
	switch file[0] {
	case '{':
		return sameMembers(members(file), members(again))
	case '[':
		var of, in []json.RawMessage
		if json.Unmarshal(file, &of) != nil || json.Unmarshal(again, &in) != nil || len(of) != len(in) {
			return false
		}
		for i := range of {
			if !wasWritten(of[i], in[i]) {
				return false
			}
		}
		return true
	}
	return false
}

func sameMembers(file, again []member) bool {
	at := 0
	for _, m := range again {
		switch {
		case at < len(file) && file[at].name == m.name:
			if !wasWritten(file[at].value, m.value) {
				return false
			}
			at++
		case !saysNothing(m.value):
			return false
		}
	}
	return at == len(file)
}

// member is a name and value of an object.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of an object in their order.
func members(object json.RawMessage) []member {
	var found []member
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil
		}
		m := member{}
		m.name, _ = name.(string)
		if err := decoder.Decode(&m.value); err != nil {
			return nil
		}
		found = append(found, m)
	}
	return found
}

// saysNothing recognises how a field that is not set is written.
func saysNothing(value json.RawMessage) bool {
	switch string(value) {
	case "0", `""`, "false", "[]", `"unspecified"`:
		return true
	}
	return false
}
