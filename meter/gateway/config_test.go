package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodConfig = `chain_id: region-1
nodes:
  - tcp://127.0.0.1:26657
  - https://node.example
poll: 5s
meters:
  - name: m-1
    source: modbus
    url: tcp://127.0.0.1:502
    model: eastron-sdm630
    unit: 7
  - name: m-2
    source: mqtt
    url: tcp://127.0.0.1:1883
    topic: a/b
    import: e.in
    energy_unit: Wh
  - {name: m-3, source: csv, file: m3.csv}
`

func TestConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "energymeter.yaml")
	must(t, os.WriteFile(path, []byte(goodConfig), 0o640))
	c, err := ReadConfig(path)
	must(t, err)
	if c.ChainID != "region-1" || len(c.Nodes) != 2 || c.Poll != 5*time.Second || c.Interval != 0 || c.Batch != defaultBatch || len(c.Meters) != 3 {
		t.Errorf("%+v", c)
	}
	if m := c.Meters[0]; m.Unit != 7 || m.Timeout != defaultTimeout || m.EnergyUnit != "kWh" {
		t.Errorf("%+v", m)
	}
	must(t, os.WriteFile(path, []byte(strings.Replace(goodConfig, "eastron-sdm630", "own.yaml", 1)), 0o640))
	if own, err := ReadConfig(path); err != nil || own.Meters[0].Model != filepath.Join(filepath.Dir(path), "own.yaml") {
		t.Errorf("a map of one's own: %+v, %v", own, err)
	}
	if m := c.Meters[2]; m.File != filepath.Join(filepath.Dir(path), "m3.csv") || c.Meters[1].EnergyUnit != "Wh" {
		t.Errorf("%+v", m)
	}
	for _, mode := range []os.FileMode{0o644, 0o660, 0o602} {
		must(t, os.Chmod(path, mode))
		if _, err := ReadConfig(path); !errors.Is(err, ErrLooseConfig) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if _, err := ReadConfig(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestConfigRefuses: each mistake is said with file, line and field.
func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct{ name, old, new, says string }{
		{"tab", "poll: 5s", "\tpoll: 5s", "broken YAML: found a tab"},
		{"unclosed", "file: m3.csv}", "file: m3.csv", "c.yaml:1"},
		{"unknown field", "poll: 5s", "pole: 5s", "c.yaml:5: pole: unknown field, expected one of batch, chain_id"},
		{"unknown field of a meter", "unit: 7", "units: 7", "c.yaml:11: meters[0].units: unknown field"},
		{"twice", "poll: 5s", "poll: 5s\npoll: 6s", "c.yaml:6: poll"},
		{"no duration", "poll: 5s", "poll: 5", "c.yaml:5: poll: expected a duration like 10s"},
		{"too often", "poll: 5s", "poll: 1ms", "c.yaml:5: poll: expected a duration"},
		{"no list of nodes", "nodes:\n  - tcp://127.0.0.1:26657\n  - https://node.example", "nodes: x", "c.yaml:2: nodes: expected a list"},
		{"a node", "https://node.example", "node.example", "nodes: line 4: expected tcp://HOST:PORT"},
		{"unit 0", "unit: 7", "unit: 0", "c.yaml:11: meters[0].unit: expected a whole number from 1 to 247"},
		{"unit in words", "unit: 7", "unit: seven", "c.yaml:11: meters[0].unit: expected a whole number"},
		{"source", "source: csv", "source: cvs", `c.yaml:18: meters[2].source: expected modbus, mqtt, csv, got "cvs"`},
		{"without a model", "    model: eastron-sdm630\n", "", "c.yaml:7: meters[0].model: missing"},
		{"without a topic", "    topic: a/b\n", "", "meters[1].topic: missing"},
		{"no address", "tcp://127.0.0.1:502", "tcp:/127.0.0.1:502", "c.yaml:9: meters[0].url: expected tcp://HOST:PORT, got"},
		{"no model", "eastron-sdm630", "eastron-sdm63", "c.yaml:10: meters[0].model: expected one of abb-b23"},
		{"no broker", "tcp://127.0.0.1:1883", "mqtt://127.0.0.1", "c.yaml:14: meters[1].url: expected tcp://HOST:PORT or ssl"},
		{
			"two URLs of one bus", "  - {name: m-3, source: csv, file: m3.csv}",
			"  - {name: m-3, source: modbus, model: sunspec, url: \"tcp://127.0.0.1:502?timeout=2s\"}",
			`c.yaml:18: meters[2].url: expected "tcp://127.0.0.1:502" as before`,
		},
		{"a topic of many", "a/b", "a/#", "c.yaml:15: meters[1].topic: expected the topic of one meter"},
		{"the same meter", "m-2", "m-1", "c.yaml:12: meters[1].name: expected each meter once"},
		{"a bad name", "m-2", "M 2", "c.yaml:12: meters[1].name"},
		{"without a chain", "chain_id: region-1\n", "", "c.yaml:1: chain_id: missing"},
		{"empty value", "poll: 5s", "poll:", "c.yaml:5: poll: expected a duration"},
		{"a unit of energy", "energy_unit: Wh", "energy_unit: MWh", "c.yaml:17: meters[1].energy_unit: expected Wh, kWh"},
		{"batch", "poll: 5s", "batch: 1001", "c.yaml:5: batch: expected a whole number from 1 to 1000"},
		{"a second document", "poll: 5s", "poll: 5s\n---", "c.yaml:6: expected one document"},
		{"listen without a host", "poll: 5s", "listen: \"9464:x:y\"", "c.yaml:5: listen: expected HOST:PORT"},
		{"listen", "poll: 5s", "listen: here", "c.yaml:5: listen: expected HOST:PORT"},
		{"a meter that is none", "  - {name: m-3, source: csv, file: m3.csv}", "  - m-3", "c.yaml:18: meters[2]: expected fields"},
		{"alias", "model: eastron-sdm630", "model: *x", "c.yaml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := strings.Replace(goodConfig, tc.old, tc.new, 1)
			if data == goodConfig {
				t.Fatalf("%q is not there", tc.old)
			}
			c, err := parseConfig("c.yaml", []byte(data))
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, %v, want %q", c, err, tc.says)
			}
		})
	}
	if _, err := parseConfig("c.yaml", nil); err == nil || !strings.HasPrefix(err.Error(), "c.yaml:1: ") {
		t.Errorf("an empty file: %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig("c.yaml", data)
		if err == nil && (c.ChainID == "" || len(c.Nodes) == 0 || c.Poll <= 0) {
			t.Errorf("%+v", c)
		}
	})
}
