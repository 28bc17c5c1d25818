package modbus

import (
	"testing"
	"time"
)

func TestParseAddress(t *testing.T) {
	base := Address{Timeout: time.Second, Baud: 9600, Parity: 'N', StopBits: 1}
	with := func(edit func(*Address)) Address { a := base; edit(&a); return a }
	for text, want := range map[string]Address{
		"tcp://127.0.0.1:502":              with(func(a *Address) { a.Kind, a.Target = TCP, "127.0.0.1:502" }),
		"tcp://[::1]:502?timeout=250ms":    with(func(a *Address) { a.Kind, a.Target, a.Timeout = TCP, "[::1]:502", 250*time.Millisecond }),
		"rtu+tcp://meters.local:4001":      with(func(a *Address) { a.Kind, a.Target = RTUOverTCP, "meters.local:4001" }),
		"rtu:///dev/ttyUSB0":               with(func(a *Address) { a.Kind, a.Target = RTU, "/dev/ttyUSB0" }),
		"rtu:///dev/ttyS1?baud=2400":       with(func(a *Address) { a.Kind, a.Target, a.Baud = RTU, "/dev/ttyS1", 2400 }),
		"rtu:///dev/ttyS1?parity=E&stop=2": with(func(a *Address) { a.Kind, a.Target, a.Parity, a.StopBits = RTU, "/dev/ttyS1", 'E', 2 }),
	} {
		if got, err := ParseAddress(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                               `expected tcp://HOST:PORT, rtu+tcp://HOST:PORT or rtu:///dev/NAME?baud=9600, got ""`,
		"http://a:1":                     `expected tcp://HOST:PORT, rtu+tcp://HOST:PORT or rtu:///dev/NAME?baud=9600, got "http://a:1"`,
		"tcp://%zz":                      `expected tcp://HOST:PORT, rtu+tcp://HOST:PORT or rtu:///dev/NAME?baud=9600, got "tcp://%zz"`,
		"tcp://host":                     `expected tcp://HOST:PORT, got "tcp://host"`,
		"tcp://:502":                     `expected tcp://HOST:PORT, got "tcp://:502"`,
		"tcp://host:0":                   `expected tcp://HOST:PORT, got "tcp://host:0"`,
		"tcp://host:65536":               `expected tcp://HOST:PORT, got "tcp://host:65536"`,
		"tcp://me@host:502":              `expected tcp://HOST:PORT, got "tcp://me@host:502"`,
		"tcp://host:502/1":               `expected tcp://HOST:PORT, got "tcp://host:502/1"`,
		"tcp://host:502?baud=9600":       `baud: expected timeout, the only setting of a tcp bus`,
		"tcp://host:502?timeout=1":       `timeout: expected a duration from 10ms to 1m, got "1"`,
		"tcp://host:502?timeout=1h":      `timeout: expected a duration from 10ms to 1m, got "1h"`,
		"rtu://dev/ttyS1":                `expected rtu:///dev/NAME?baud=9600, got "rtu://dev/ttyS1"`,
		"rtu:///":                        `expected rtu:///dev/NAME?baud=9600, got "rtu:///"`,
		"rtu:///dev/../etc/passwd":       `expected rtu:///dev/NAME?baud=9600, got "rtu:///dev/../etc/passwd"`,
		"rtu:///dev/ttyS1?baud=9601":     `baud: expected one of 1200 2400 4800 9600 19200 38400 57600 115200, got "9601"`,
		"rtu:///dev/ttyS1?parity=e":      `parity: expected N, E or O, got "e"`,
		"rtu:///dev/ttyS1?stop=0":        `stop: expected 1 or 2, got "0"`,
		"rtu:///dev/ttyS1?bits=7":        `bits: expected baud, parity, stop or timeout`,
		"rtu:///dev/ttyS1?baud=1&baud=2": `baud: expected one value, got 2`,
		"rtu:///dev/ttyS1?baud=%zz":      `expected name=value pairs joined by & after ?, got "baud=%zz"`,
	} {
		if got, err := ParseAddress(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v; want %s", text, got, err, want)
		}
	}
}
