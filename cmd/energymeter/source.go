package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/gateway"
	"github.com/energyd/energyd/meter/modbus"
	"github.com/energyd/energyd/meter/mqtt"
	"github.com/energyd/energyd/meter/replay"
)

// withOpeners adds how the sources of a configuration and the buses of its devices
// are made.
func withOpeners(o gateway.Options) gateway.Options {
	shared := &buses{open: make(map[string]*sharedBus)}
	o.Open = map[string]gateway.Opener{"modbus": shared.meter, "mqtt": openMQTT, "csv": openCSV}
	o.OpenBus = shared.device
	return o
}

// buses are shared by the meters and devices on them: two connections to one line
// would disturb each other.
type buses struct {
	mu   sync.Mutex
	open map[string]*sharedBus
}

type sharedBus struct {
	*modbus.Bus
	users int
}

// busMeter is a meter on a shared bus; Close leaves the bus.
type busMeter struct {
	device.Source
	leave func() error
}

// Close closes the bus with the last that is on it.
func (m busMeter) Close() error { return m.leave() }

// Fits says whether the device is of the model, as far as that can be asked.
func (m busMeter) Fits(ctx context.Context) error {
	if known, ok := m.Source.(device.Fitter); ok {
		return known.Fits(ctx)
	}
	return nil
}

func (b *buses) meter(m gateway.Meter) (device.Source, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bus, err := b.at(m.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	source, err := sourceOf(bus, m.Model, byte(m.Unit))
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	bus.users++
	b.open[m.URL] = bus
	return busMeter{source, func() error { return b.leave(m.URL) }}, nil
}

// busDevice is a device on a shared bus; Close leaves the bus.
type busDevice struct {
	dispatch.Bus
	leave func() error
}

// Close closes the bus with the last that is on it.
func (d busDevice) Close() error { return d.leave() }

func (b *buses) device(url string) (dispatch.Bus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bus, err := b.at(url)
	if err != nil {
		return nil, err
	}
	bus.users++
	b.open[url] = bus
	return busDevice{bus, func() error { return b.leave(url) }}, nil
}

// at returns the bus at a URL, which is open already if somebody uses it; b.mu is
// held.
func (b *buses) at(url string) (*sharedBus, error) {
	if bus := b.open[url]; bus != nil {
		return bus, nil
	}
	address, err := modbus.ParseAddress(url)
	if err != nil {
		return nil, err
	}
	return &sharedBus{Bus: modbus.NewBus(address)}, nil
}

func (b *buses) leave(url string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	bus := b.open[url]
	if bus.users--; bus.users > 0 {
		return nil
	}
	delete(b.open, url)
	return bus.Close()
}

func openMQTT(m gateway.Meter) (device.Source, error) {
	password := ""
	if m.PasswordFile != "" {
		info, err := os.Stat(m.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("password_file %s has mode %04o: %w", m.PasswordFile, info.Mode().Perm(), errLooseFile)
		}
		data, err := os.ReadFile(m.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		password = strings.TrimRight(string(data), "\r\n")
	}
	maxAge := m.MaxAge
	if maxAge == 0 {
		maxAge = time.Minute
	}
	return mqtt.Open(mqtt.Options{
		URL: m.URL, User: m.User, Password: password, MaxAge: maxAge, Now: time.Now,
		Mapping: mqtt.Mapping{
			Topic: m.Topic, Import: m.Import, Export: m.Export, Power: m.Power, Time: m.Time, KWh: m.EnergyUnit == "kWh", StepWh: m.Step,
		},
	})
}

func openCSV(m gateway.Meter) (device.Source, error) {
	return replay.New(m.File, m.MaxAge, time.Now), nil
}

var errLooseFile = errors.New("others may read it: expected mode 0600")
