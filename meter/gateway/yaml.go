package gateway

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder reads YAML so that each mistake is reported with file, line and
// field.
type decoder struct {
	file string
	// buses are the URLs of Modbus buses seen so far, by where they lead.
	buses map[string]string
}

// field reads the value of one field. Its error says what was expected; a
// *ConfigError knows its place already.
type field func(*yaml.Node) error

type fields map[string]field

var yamlLine = regexp.MustCompile(`line (\d+): `)

// syntaxError puts the file and the line of a YAML error in their places.
func syntaxError(file string, err error) error {
	line, message := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if found := yamlLine.FindStringSubmatch(message); found != nil {
		line, _ = strconv.Atoi(found[1])
		message = strings.Replace(message, found[0], "", 1)
	}
	return &ConfigError{file, line, "", "broken YAML: " + message}
}

// mapping reads a mapping whose fields are known, each at most once; those in
// must have to be there.
func (d decoder) mapping(n *yaml.Node, path string, known fields, must ...string) error {
	if n.Kind != yaml.MappingNode {
		return &ConfigError{d.file, n.Line, path, "expected fields with their values"}
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := join(path, key.Value)
		read, ok := known[key.Value]
		if !ok {
			return &ConfigError{d.file, key.Line, name, "unknown field, expected one of " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")}
		}
		if seen[key.Value] {
			return &ConfigError{d.file, key.Line, name, "expected it once"}
		}
		seen[key.Value] = true
		if err := read(value); err != nil {
			if placed, ok := errors.AsType[*ConfigError](err); ok {
				return placed
			}
			return &ConfigError{d.file, value.Line, name, err.Error()}
		}
	}
	return d.require(n, path, must...)
}

// require demands fields of a mapping.
func (d decoder) require(n *yaml.Node, path string, names ...string) error {
	for _, name := range names {
		there := false
		for i := 0; i+1 < len(n.Content); i += 2 {
			there = there || n.Content[i].Value == name
		}
		if !there {
			return &ConfigError{d.file, n.Line, join(path, name), "missing"}
		}
	}
	return nil
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// scalar returns a plain value.
func scalar(n *yaml.Node, expected string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		return "", fmt.Errorf("expected %s", expected)
	}
	return n.Value, nil
}

// text reads text that check accepts.
func text(out *string, check func(string) error) field {
	return func(n *yaml.Node) error {
		value, err := scalar(n, "text")
		if err == nil && check != nil {
			err = check(value)
		}
		*out = value
		return err
	}
}

func oneOf(out *string, choices ...string) field {
	return text(out, func(value string) error {
		if !slices.Contains(choices, value) {
			return fmt.Errorf("expected %s, got %q", strings.Join(choices, ", "), value)
		}
		return nil
	})
}

// yesNo reads yes or no.
func yesNo(out *bool) field {
	return func(n *yaml.Node) error {
		word := ""
		err := oneOf(&word, "yes", "no")(n)
		*out = word == "yes"
		return err
	}
}

// whole reads a whole number from low to high.
func whole(out *int, low, high int) field {
	return func(n *yaml.Node) error {
		expected := fmt.Sprintf("a whole number from %d to %d", low, high)
		value, err := scalar(n, expected)
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < low || number > high {
			return fmt.Errorf("expected %s, got %q", expected, value)
		}
		*out = number
		return nil
	}
}

func duration(out *time.Duration, low, high time.Duration) field {
	return func(n *yaml.Node) error {
		expected := fmt.Sprintf("a duration like 10s, from %v to %v", low, high)
		value, err := scalar(n, expected)
		if err != nil {
			return err
		}
		length, err := time.ParseDuration(value)
		if err != nil || length < low || length > high {
			return fmt.Errorf("expected %s, got %q", expected, value)
		}
		*out = length
		return nil
	}
}

// list reads one or more texts.
func (d decoder) list(out *[]string, check func(string) error) field {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			return errors.New("expected a list of at least one")
		}
		for _, item := range n.Content {
			value := ""
			if err := text(&value, check)(item); err != nil {
				return fmt.Errorf("line %d: %w", item.Line, err)
			}
			*out = append(*out, value)
		}
		return nil
	}
}
