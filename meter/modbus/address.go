package modbus

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is how frames travel on a bus.
type Kind string

// The kinds of bus, as the scheme of an address names them.
const (
	TCP        Kind = "tcp"
	RTU        Kind = "rtu"
	RTUOverTCP Kind = "rtu+tcp"
)

// Address says where a bus is and how to talk on it.
type Address struct {
	Kind Kind
	// Target is HOST:PORT, or the serial line's device file.
	Target string
	// Timeout is how long a unit may think, from 10ms to 1m; the time that
	// the frames need on a serial line comes on top. 1s by default.
	Timeout time.Duration
	// Baud, Parity (N, E or O) and StopBits are of a serial line: 9600 N 1 by
	// default.
	Baud     int
	Parity   byte
	StopBits int
}

const expectedAddress = "tcp://HOST:PORT, rtu+tcp://HOST:PORT or rtu:///dev/NAME?baud=9600"

// ParseAddress reads the address of a bus: tcp://HOST:PORT,
// rtu+tcp://HOST:PORT or rtu:///dev/NAME, the latter with baud, parity and
// stop in its query, and all with timeout: rtu:///dev/ttyUSB0?baud=9600&parity=E.
func ParseAddress(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("expected %s, got %q", expectedAddress, text)
	}
	a := Address{Kind: Kind(u.Scheme), Timeout: time.Second, Baud: 9600, Parity: 'N', StopBits: 1}
	plain := u.User == nil && u.Fragment == "" && u.Opaque == ""
	switch a.Kind {
	case TCP, RTUOverTCP:
		host, port, err := net.SplitHostPort(u.Host)
		n, badPort := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" || badPort != nil || n == 0 || !plain || u.Path != "" && u.Path != "/" {
			return Address{}, fmt.Errorf("expected %s://HOST:PORT, got %q", a.Kind, text)
		}
		a.Target = u.Host
	case RTU:
		if u.Host != "" || !plain || !path.IsAbs(u.Path) || path.Clean(u.Path) != u.Path || u.Path == "/" {
			return Address{}, fmt.Errorf("expected rtu:///dev/NAME?baud=9600, got %q", text)
		}
		a.Target = u.Path
	default:
		return Address{}, fmt.Errorf("expected %s, got %q", expectedAddress, text)
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Address{}, fmt.Errorf("expected name=value pairs joined by & after ?, got %q", u.RawQuery)
	}
	for name, given := range values {
		if len(given) != 1 {
			return Address{}, fmt.Errorf("%s: expected one value, got %d", name, len(given))
		}
		if err := a.set(name, given[0]); err != nil {
			return Address{}, err
		}
	}
	return a, nil
}

func (a *Address) set(name, value string) error {
	serial := a.Kind == RTU
	switch {
	case name == "timeout":
		d, err := time.ParseDuration(value)
		if err != nil || d < 10*time.Millisecond || d > time.Minute {
			return fmt.Errorf("timeout: expected a duration from 10ms to 1m, got %q", value)
		}
		a.Timeout = d
	case name == "baud" && serial:
		n, err := strconv.Atoi(value)
		if err != nil || !slices.Contains(bauds, n) {
			return fmt.Errorf("baud: expected one of %s, got %q", strings.Trim(fmt.Sprint(bauds), "[]"), value)
		}
		a.Baud = n
	case name == "parity" && serial:
		if value != "N" && value != "E" && value != "O" {
			return fmt.Errorf("parity: expected N, E or O, got %q", value)
		}
		a.Parity = value[0]
	case name == "stop" && serial:
		if value != "1" && value != "2" {
			return fmt.Errorf("stop: expected 1 or 2, got %q", value)
		}
		a.StopBits = int(value[0] - '0')
	case serial:
		return fmt.Errorf("%s: expected baud, parity, stop or timeout", name)
	default:
		return fmt.Errorf("%s: expected timeout, the only setting of a %s bus", name, a.Kind)
	}
	return nil
}

// bauds are the speeds of serial lines.
var bauds = []int{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200}

// String returns the bus without its settings, as messages name it.
func (a Address) String() string { return string(a.Kind) + "://" + a.Target }

// onLine is how long n bytes take on a serial line: eleven bits each, with
// start, parity or second stop.
func (a Address) onLine(n int) time.Duration {
	if a.Kind != RTU {
		return 0
	}
	return time.Duration(n) * 11 * time.Second / time.Duration(a.Baud)
}

// silence is how long nothing must come before a question may be written: on
// a serial line the 3.5 characters that end a frame, but not less than an
// adapter may hold bytes back.
func (a Address) silence() time.Duration {
	switch a.Kind {
	case RTU:
		return max(a.onLine(4), 20*time.Millisecond)
	case RTUOverTCP:
		return 2 * time.Millisecond
	}
	return time.Millisecond
}
