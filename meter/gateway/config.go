package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/mqtt"
	"github.com/energyd/energyd/meter/spool"
	"github.com/energyd/energyd/protocol"
)

// Config is what a gateway is told.
type Config struct {
	// ChainID that readings are signed for.
	ChainID string
	// Nodes are RPC addresses, in the order in which they are tried. Discover says
	// that others, which the chain names, are tried after them.
	Nodes    []string
	Discover bool
	// Key is the name of the gateway's key in the keystore.
	Key string
	// PassphraseFile unlocks it, unless the command line says how; relative to
	// the configuration's folder.
	PassphraseFile string
	// Listen is where /metrics and /healthz answer, empty for nowhere.
	Listen string
	// Poll is how often meters are read, Interval how often a reading is signed at
	// most, 0: as often as the chain asks, or at the ends of its periods.
	Poll, Interval time.Duration
	// Batch is how many readings travel in one envelope at most.
	Batch int
	// SpoolBytes is how much the spool may take.
	SpoolBytes int64
	Meters     []Meter
	// Devices are steered as the chain asks.
	Devices []dispatch.Output
}

// Meter is a meter as the configuration describes it. Which fields count is
// the source's affair.
type Meter struct {
	Name string
	// Source is modbus, mqtt or csv.
	Source string
	// URL of the bus or the broker.
	URL string
	// Unit and Model of a Modbus device; a map in a file relative to the
	// configuration's folder.
	Unit  int
	Model string
	// File of a CSV replay, relative to the configuration's folder.
	File string
	// Topic of a broker, and where its JSON holds the values: names joined by
	// dots.
	Topic, Import, Export, Power, Time string
	// EnergyUnit of Import and Export: Wh or kWh.
	EnergyUnit string
	// User and PasswordFile for a broker.
	User, PasswordFile string
	// Step is the least step of a topic's registers in Wh.
	Step int64
	// MaxAge is how old a topic's last message may be.
	MaxAge time.Duration
	// RatingW of the connection; 0 leaves what is too much to the chain.
	RatingW int64
	// StaleAfter is how long registers may stand still while power flows.
	StaleAfter time.Duration
	// Timeout of one read.
	Timeout time.Duration
}

// timeout is how long a read of a meter may take: questions on one bus follow
// one another, so it may have to wait for all others there.
func (c *Config) timeout(m Meter) time.Duration {
	if m.Source != "modbus" {
		return m.Timeout
	}
	return m.Timeout * time.Duration(c.sharing(m.URL))
}

// sharing is how many meters and devices are on a Modbus bus.
func (c *Config) sharing(url string) int {
	sharing := 0
	for i := range c.Meters {
		if m := &c.Meters[i]; m.URL == url && m.Source == "modbus" {
			sharing++
		}
	}
	for i := range c.Devices {
		if c.Devices[i].URL == url {
			sharing++
		}
	}
	return max(sharing, 1)
}

// Defaults of what a configuration leaves out.
const (
	defaultPoll    = 10 * time.Second
	defaultTimeout = 3 * time.Second
	// defaultBatch is small enough that blocks stay quick while much is caught up
	// on (bench/results/2026-11-23.md).
	defaultBatch = 150
	// maxBatch is what the chain takes in one message.
	maxBatch = 1000
)

// ConfigError is a mistake in a configuration file.
type ConfigError struct {
	File  string
	Line  int
	Field string
	// Text is what was expected and found.
	Text string
}

func (e *ConfigError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Field, e.Text)
}

// ReadConfig reads a configuration file. One that others may write is refused:
// it says where readings come from.
func ReadConfig(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("configuration %s has mode %04o: %w", path, mode, ErrLooseConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	config, err := parseConfig(path, data)
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(path)
	config.PassphraseFile = within(folder, config.PassphraseFile)
	for i := range config.Meters {
		m := &config.Meters[i]
		m.File, m.PasswordFile = within(folder, m.File), within(folder, m.PasswordFile)
		if strings.HasSuffix(m.Model, ".yaml") {
			m.Model = within(folder, m.Model)
		}
	}
	return config, nil
}

// ErrLooseConfig says that a configuration's mode is too open.
var ErrLooseConfig = fmt.Errorf("others may read or change it: expected mode 0640 or less")

func within(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

func parseConfig(file string, data []byte) (*Config, error) {
	var document, second yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, syntaxError(file, err)
	}
	switch err := documents.Decode(&second); {
	case err == nil:
		return nil, &ConfigError{file, second.Line, "", "expected one document, got a second one"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(file, err)
	}
	c := &Config{Poll: defaultPoll, Batch: defaultBatch, SpoolBytes: spool.DefaultMaxBytes, Key: "gateway", Discover: true}
	d := decoder{file, make(map[string]string)}
	if len(document.Content) != 1 {
		return nil, &ConfigError{file, 1, "", "expected a mapping with chain_id, nodes and meters, got nothing"}
	}
	root := document.Content[0]
	err := d.mapping(root, "", fields{
		"chain_id":        text(&c.ChainID, protocol.CheckName),
		"nodes":           d.list(&c.Nodes, client.CheckAddress),
		"discover":        yesNo(&c.Discover),
		"key":             text(&c.Key, protocol.CheckName),
		"passphrase_file": text(&c.PassphraseFile, nil),
		"listen":          text(&c.Listen, checkListen),
		"poll":            duration(&c.Poll, 100*time.Millisecond, time.Hour),
		"interval":        duration(&c.Interval, time.Second, 24*time.Hour),
		"batch":           whole(&c.Batch, 1, maxBatch),
		"spool_mib": func(n *yaml.Node) error {
			mib := 0
			err := whole(&mib, 1, 1<<20)(n)
			c.SpoolBytes = int64(mib) << 20
			return err
		},
		"meters":  d.meters(&c.Meters),
		"devices": d.devices(&c.Devices),
	}, "chain_id", "nodes", "meters")
	if err != nil {
		return nil, err
	}
	return c, nil
}

// meters reads the list of meters.
func (d decoder) meters(out *[]Meter) field {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return fmt.Errorf("expected a list of meters")
		}
		seen := make(map[string]bool)
		for i, item := range n.Content {
			path := fmt.Sprintf("meters[%d]", i)
			m := Meter{Unit: 1, Timeout: defaultTimeout, EnergyUnit: "kWh"}
			if err := d.meter(item, path, &m); err != nil {
				return err
			}
			if seen[m.Name] {
				return &ConfigError{d.file, item.Line, path + ".name", fmt.Sprintf("expected each meter once, got %q again", m.Name)}
			}
			seen[m.Name] = true
			*out = append(*out, m)
		}
		return nil
	}
}

// required are the fields that a source cannot do without.
var required = map[string][]string{
	"modbus": {"url", "model"},
	"mqtt":   {"url", "topic", "import"},
	"csv":    {"file"},
}

func (d decoder) meter(n *yaml.Node, path string, m *Meter) error {
	var step, rating int
	err := d.mapping(n, path, fields{
		"name":          text(&m.Name, protocol.CheckName),
		"source":        oneOf(&m.Source, "modbus", "mqtt", "csv"),
		"url":           text(&m.URL, nil),
		"unit":          whole(&m.Unit, 1, 247),
		"model":         text(&m.Model, nil),
		"file":          text(&m.File, nil),
		"topic":         text(&m.Topic, checkTopic),
		"import":        text(&m.Import, nil),
		"export":        text(&m.Export, nil),
		"power":         text(&m.Power, nil),
		"time":          text(&m.Time, nil),
		"energy_unit":   oneOf(&m.EnergyUnit, "Wh", "kWh"),
		"user":          text(&m.User, nil),
		"password_file": text(&m.PasswordFile, nil),
		"step_wh":       whole(&step, 1, 1_000_000),
		"rating_w":      whole(&rating, 1, 1_000_000_000),
		"max_age":       duration(&m.MaxAge, time.Second, 24*time.Hour),
		"stale_after":   duration(&m.StaleAfter, time.Minute, 31*24*time.Hour),
		"timeout":       duration(&m.Timeout, 50*time.Millisecond, time.Minute),
	}, "name", "source")
	if err != nil {
		return err
	}
	m.Step, m.RatingW = int64(max(step, 1)), int64(rating)
	if err := d.require(n, path, required[m.Source]...); err != nil {
		return err
	}
	at := func(name string, err error) error {
		if err == nil {
			return nil
		}
		return &ConfigError{d.file, lineOf(n, name), join(path, name), err.Error()}
	}
	switch m.Source {
	case "modbus":
		return errors.Join(at("url", d.checkBus(m.URL)), at("model", checkModel(m.Model)))
	case "mqtt":
		return at("url", mqtt.CheckURL(m.URL))
	}
	return nil
}

// checkModel looks for the map of a model; one in a file is read when the meter
// is opened.
func checkModel(model string) error {
	if model == "sunspec" || strings.HasSuffix(model, ".yaml") {
		return nil
	}
	_, err := device.FindMap(model)
	return err
}

func checkListen(address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("expected HOST:PORT, got %q", address)
	}
	return nil
}

func checkTopic(topic string) error {
	if strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("expected the topic of one meter, without + and #, got %q", topic)
	}
	return nil
}
