// Package testnet runs a network of real energyd processes on this machine's
// loopback: for people who want to try the market, for the demo, and for tests
// that kill validators. The nodes are whole: four processes with their own
// folders, keys and ports that agree by consensus and know nothing of each
// other but addresses.
package testnet

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Manifest describes a network (simple.toml).
type Manifest struct {
	ChainID string `toml:"chain_id"`
	// Validators is the number of nodes, each a validator of equal power.
	Validators   int           `toml:"validators"`
	PeriodLength time.Duration `toml:"period_length"`
	// TimeoutPropose and TimeoutCommit are those of config.toml; blocks come
	// about every TimeoutCommit.
	TimeoutPropose time.Duration `toml:"timeout_propose"`
	TimeoutCommit  time.Duration `toml:"timeout_commit"`
	// Params are consensus parameters other than the defaults, by the names in
	// registry/v1/state.proto.
	Params map[string]int64 `toml:"params"`
	// Quotas of orders without escrow (reliability_quotas) by user type, each as
	// TRADES/WH; the empty type is for all others.
	Quotas map[string]string `toml:"quotas"`
	// Mechanism is how the market clears, kprototypes if empty.
	Mechanism string `toml:"mechanism"`
	// Seed, if not empty, makes all keys the same every time.
	Seed string `toml:"seed"`
}

// Simple is the network of simple.toml.
func Simple() Manifest {
	return Manifest{
		ChainID: "energy-testnet", Validators: 4, PeriodLength: 10 * time.Second,
		TimeoutPropose: 500 * time.Millisecond, TimeoutCommit: 200 * time.Millisecond,
	}
}

// ReadManifest reads a manifest. What it leaves out is as in Simple; a field
// that does not exist is an error.
func ReadManifest(file string) (Manifest, error) {
	m := Simple()
	data, err := os.ReadFile(file)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	meta, err := toml.Decode(string(data), &m)
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		return Manifest{}, fmt.Errorf("%s: line %d column %d: %s", file, parse.Position.Line, parse.Position.Col, parse.Message)
	}
	if err != nil { // a value of another type, with its line
		return Manifest{}, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Manifest{}, fmt.Errorf("%s: field %s: no such field", file, unknown[0])
	}
	if err := m.Validate(); err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// Validate checks what this package itself needs; energyd checks the rest.
func (m Manifest) Validate() error {
	if m.Validators < 1 || m.Validators > 64 {
		return fmt.Errorf("field validators: expected 1 to 64, got %d", m.Validators)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"period_length", m.PeriodLength}, {"timeout_propose", m.TimeoutPropose}, {"timeout_commit", m.TimeoutCommit}} {
		if d.value <= 0 {
			return fmt.Errorf("field %s: expected more than 0s, got %s", d.field, d.value)
		}
	}
	return nil
}

// initArgs is the command line that makes the network's folder.
func (m Manifest) initArgs(dir string) []string {
	args := []string{
		"testnet", "init", "--output-dir", dir, "--validators", strconv.Itoa(m.Validators), "--chain-id", m.ChainID,
		"--period-length", m.PeriodLength.String(),
		"--timeout-propose", m.TimeoutPropose.String(), "--timeout-commit", m.TimeoutCommit.String(),
	}
	for _, name := range slices.Sorted(maps.Keys(m.Params)) {
		args = append(args, "--param", fmt.Sprintf("%s=%d", name, m.Params[name]))
	}
	for _, userType := range slices.Sorted(maps.Keys(m.Quotas)) {
		args = append(args, "--quota", userType+"="+m.Quotas[userType])
	}
	if m.Mechanism != "" {
		args = append(args, "--mechanism", m.Mechanism)
	}
	if m.Seed != "" {
		args = append(args, "--seed", m.Seed)
	}
	return args
}
