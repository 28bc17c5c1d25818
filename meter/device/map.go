package device

import (
	"embed"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/energyd/energyd/meter/modbus"
)

// Map says how the registers of a Modbus meter become a Snapshot.
type Map struct {
	// Model is the map's name, Title what people call the meter.
	Model, Title string
	table        modbus.Table
	lowFirst     bool
	allOnes      bool // all bits but a sign set say that there is no value
	importing    register
	exporting    register
	power        *register
	rolloverWh   int64
	checks       []check
}

// register is a value in a block of registers that are read at once.
type register struct {
	block block
	at    uint16
	form  form
	// factor makes Wh, W or the unit of a check of the raw number.
	factor *big.Rat
}

// block is what one question asks for.
type block struct{ address, count uint16 }

// check is a value that a probe expects of the device.
type check struct {
	register
	name     string
	from, to *big.Rat
}

//go:embed maps/*.yaml
var embedded embed.FS

// Maps returns the maps that are built in, by model. They are shared: a gateway
// has many meters of a model.
var Maps = sync.OnceValues(readMaps)

func readMaps() ([]*Map, error) {
	names, err := fs.Glob(embedded, "maps/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*Map
	for _, name := range names {
		data, err := embedded.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := ParseMap(path.Base(name), data)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Map) int { return strings.Compare(a.Model, b.Model) })
	return out, nil
}

// FindMap returns the built-in map of a model, or, where the name is that of a
// file that ends in .yaml, the map in it.
func FindMap(model string) (*Map, error) {
	if strings.HasSuffix(model, ".yaml") {
		data, err := os.ReadFile(model)
		if err != nil {
			return nil, err
		}
		return ParseMap(model, data)
	}
	maps, err := Maps()
	if err != nil {
		return nil, err
	}
	var known []string
	for _, m := range maps {
		if m.Model == model {
			return m, nil
		}
		known = append(known, m.Model)
	}
	return nil, fmt.Errorf("expected one of %s, sunspec, or a file that ends in .yaml, got %q", strings.Join(known, ", "), model)
}
