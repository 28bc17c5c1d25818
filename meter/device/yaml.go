package device

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/energyd/energyd/meter/modbus"
)

var modelName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,39}$`)

// ParseMap reads a device map; maps/README.md describes the format. file is
// what errors call it, which name the line and the field as well.
func ParseMap(file string, data []byte) (*Map, error) {
	m, err := parseMap(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

func parseMap(data []byte) (*Map, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("no YAML: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected one document")
	}
	p := &parser{m: &Map{}}
	p.fields(document.Content[0], "", map[string]func(*yaml.Node, string){
		"model":    func(n *yaml.Node, at string) { p.m.Model = p.text(n, at) },
		"title":    func(n *yaml.Node, at string) { p.m.Title = p.text(n, at) },
		"source":   func(n *yaml.Node, at string) { p.text(n, at) },
		"note":     func(n *yaml.Node, at string) { p.text(n, at) },
		"function": func(n *yaml.Node, at string) { p.m.table = modbus.Table(p.choice(n, at, "3", "4")[0] - '0') },
		"word_order": func(n *yaml.Node, at string) {
			p.m.lowFirst = p.choice(n, at, "high_first", "low_first") == "low_first"
		},
		"not_available": func(n *yaml.Node, at string) { p.m.allOnes = p.choice(n, at, "none", "all_ones") == "all_ones" },
		"rollover_wh":   func(n *yaml.Node, at string) { p.m.rolloverWh = p.number(n, at, 1, MaxWh) },
		"blocks":        p.blocks,
		"energy_import": func(n *yaml.Node, at string) { p.m.importing = p.register(n, at, "Wh") },
		"energy_export": func(n *yaml.Node, at string) { p.m.exporting = p.register(n, at, "Wh") },
		"power":         func(n *yaml.Node, at string) { r := p.register(n, at, "W"); p.m.power = &r },
		"probe":         p.checks,
	}, "model", "title", "source", "function", "blocks", "energy_import", "energy_export", "probe")
	p.place(document.Content[0])
	if p.err != nil {
		return nil, p.err
	}
	return p.m, nil
}

// parser collects a map; after the first error it goes on without effect.
type parser struct {
	m          *Map
	blockOrder []block
	err        error
}

func (p *parser) fail(n *yaml.Node, at, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("line %d: %s: %s", n.Line, strings.TrimPrefix(at, "."), fmt.Sprintf(format, args...))
	}
}

// fields calls a function for each field of a mapping.
func (p *parser) fields(n *yaml.Node, at string, known map[string]func(*yaml.Node, string), required ...string) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, at+".", "expected fields with values")
		return
	}
	var seen []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		read := known[name]
		switch {
		case read == nil:
			p.fail(n.Content[i], at+"."+name, "unknown field")
		case slices.Contains(seen, name):
			p.fail(n.Content[i], at+"."+name, "given twice")
		default:
			read(n.Content[i+1], at+"."+name)
		}
		seen = append(seen, name)
	}
	for _, name := range required {
		if !slices.Contains(seen, name) {
			p.fail(n, at+"."+name, "missing")
		}
	}
}

func (p *parser) text(n *yaml.Node, at string) string {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		p.fail(n, at, "expected text")
		return ""
	}
	return n.Value
}

// choice returns one of the given values, the first where there is an error.
func (p *parser) choice(n *yaml.Node, at string, values ...string) string {
	if n.Kind == yaml.ScalarNode && slices.Contains(values, n.Value) {
		return n.Value
	}
	p.fail(n, at, "expected %s, got %q", strings.Join(values, " or "), n.Value)
	return values[0]
}

func (p *parser) number(n *yaml.Node, at string, low, high int64) int64 {
	v, err := strconv.ParseInt(n.Value, 0, 64)
	if n.Kind != yaml.ScalarNode || err != nil || v < low || v > high {
		p.fail(n, at, "expected a number from %d to %d, got %q", low, high, n.Value)
		return low
	}
	return v
}

var decimal = regexp.MustCompile(`^-?[0-9]{1,9}(\.[0-9]{1,9})?$`)

func (p *parser) decimal(n *yaml.Node, at string) *big.Rat {
	if n.Kind != yaml.ScalarNode || !decimal.MatchString(n.Value) {
		p.fail(n, at, "expected a decimal number, got %q", n.Value)
		return new(big.Rat)
	}
	v, _ := new(big.Rat).SetString(n.Value)
	return v
}

// list calls a function for each of 1 to most items.
func (p *parser) list(n *yaml.Node, at string, most int, item func(*yaml.Node, string)) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > most {
		p.fail(n, at, "expected a list of 1 to %d", most)
		return
	}
	for i, c := range n.Content {
		item(c, fmt.Sprintf("%s[%d]", at, i))
	}
}

func (p *parser) blocks(n *yaml.Node, at string) {
	p.list(n, at, 4, func(n *yaml.Node, at string) {
		var b block
		p.fields(n, at, map[string]func(*yaml.Node, string){
			"address": func(n *yaml.Node, at string) { b.address = uint16(p.number(n, at, 0, 0xFFFF)) },
			"count": func(n *yaml.Node, at string) {
				b.count = uint16(p.number(n, at, modbus.MinRegisters, modbus.MaxRegisters))
			},
		}, "address", "count")
		if int(b.address)+int(b.count) > 1<<16 {
			p.fail(n, at, "reaches beyond register 0xffff")
		}
		if slices.ContainsFunc(p.blockOrder, func(other block) bool { return other.count == b.count }) {
			p.fail(n, at+".count", "another block is %d registers long too: a late answer could be taken for the other's", b.count)
		}
		p.blockOrder = append(p.blockOrder, b)
	})
}

// units are what registers may count in, as a multiple of the base unit.
var units = map[string]map[string]string{
	"Wh": {"Wh": "1", "kWh": "1000", "MWh": "1000000"},
	"W":  {"W": "1", "kW": "1000"},
}

// register reads a register that counts in a unit of base, or in any where
// base is empty.
func (p *parser) register(n *yaml.Node, at, base string) register {
	r := register{factor: big.NewRat(1, 1)}
	known := p.registerFields(&r)
	required := []string{"address", "type"}
	if base != "" {
		known["unit"] = func(n *yaml.Node, at string) {
			multiple, ok := units[base][n.Value]
			if !ok {
				p.fail(n, at, "expected %s or a multiple of it, got %q", base, n.Value)
				return
			}
			of, _ := new(big.Rat).SetString(multiple)
			r.factor = new(big.Rat).Mul(r.factor, of)
		}
		required = append(required, "unit")
	}
	p.fields(n, at, known, required...)
	return r
}

func (p *parser) registerFields(r *register) map[string]func(*yaml.Node, string) {
	return map[string]func(*yaml.Node, string){
		"address": func(n *yaml.Node, at string) { r.at = uint16(p.number(n, at, 0, 0xFFFF)) },
		"type": func(n *yaml.Node, at string) {
			if r.form = form(n.Value); words[r.form] == 0 {
				p.fail(n, at, "expected uint16, int16, uint32, int32, uint64, int64 or float32, got %q", n.Value)
			}
		},
		"scale": func(n *yaml.Node, at string) {
			scale := p.decimal(n, at)
			if scale.Sign() == 0 {
				p.fail(n, at, "expected a number other than 0")
			}
			r.factor = new(big.Rat).Mul(r.factor, scale)
		},
	}
}

func (p *parser) checks(n *yaml.Node, at string) {
	p.list(n, at, 8, func(n *yaml.Node, at string) {
		c := check{register: register{factor: big.NewRat(1, 1)}, from: new(big.Rat), to: new(big.Rat)}
		known := p.registerFields(&c.register)
		known["name"] = func(n *yaml.Node, at string) { c.name = p.text(n, at) }
		known["from"] = func(n *yaml.Node, at string) { c.from = p.decimal(n, at) }
		known["to"] = func(n *yaml.Node, at string) { c.to = p.decimal(n, at) }
		p.fields(n, at, known, "name", "address", "type", "from", "to")
		if c.from.Cmp(c.to) > 0 {
			p.fail(n, at+".to", "expected at least from")
		}
		c.block = block{c.at, max(words[c.form], modbus.MinRegisters)}
		p.m.checks = append(p.m.checks, c)
	})
}

// place finds each register's block and checks what one field alone cannot
// say.
func (p *parser) place(n *yaml.Node) {
	if p.err != nil {
		return
	}
	if !modelName.MatchString(p.m.Model) {
		p.fail(n, "model", "expected 2 to 40 small letters, digits and -, got %q", p.m.Model)
	}
	p.within(n, "energy_import", &p.m.importing)
	p.within(n, "energy_export", &p.m.exporting)
	if p.m.power != nil {
		p.within(n, "power", p.m.power)
	}
	if p.m.importing.block != p.m.exporting.block {
		p.fail(n, "blocks", "energy_import and energy_export lie in different blocks: they must be read at once")
	}
	if p.m.importing.factor.Sign() < 0 || p.m.exporting.factor.Sign() < 0 {
		p.fail(n, "scale", "expected a number above 0 for an energy")
	}
}

func (p *parser) within(n *yaml.Node, at string, r *register) {
	for _, b := range p.blockOrder {
		if r.at >= b.address && int(r.at)+int(words[r.form]) <= int(b.address)+int(b.count) {
			r.block = b
			return
		}
	}
	p.fail(n, at, "lies in no block")
}
