package mqtt

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/device"
)

var mapping = Mapping{Topic: "meters/1", Import: "energy.in", Export: "energy.out", Power: "power", KWh: true, StepWh: 1}

func TestDecode(t *testing.T) {
	arrived := time.UnixMilli(1_700_000_000_000)
	timed := mapping
	timed.Time = "t"
	for _, tc := range []struct {
		name, payload string
		mapping       Mapping
		importWh      int64
		exportWh      int64
		atMs          int64
		quality       device.Quality
		says          string
	}{
		{name: "kWh", payload: `{"energy":{"in":12345.6789,"out":0.001},"power":-3.5}`, importWh: 12345678, exportWh: 1, atMs: 1_700_000_000_000},
		{name: "exact where floats are not", payload: `{"energy":{"in":4503599627.370497,"out":0.3},"power":0}`, importWh: 4503599627370, exportWh: 300, atMs: 1_700_000_000_000},
		{name: "text and powers", payload: `{"energy":{"in":"1.5","out":12e-1},"power":"1"}`, importWh: 1500, exportWh: 1200, atMs: 1_700_000_000_000},
		{name: "Wh", payload: `{"in":7}`, mapping: Mapping{Import: "in", StepWh: 1}, importWh: 7, atMs: 1_700_000_000_000},
		{name: "seconds", payload: `{"energy":{"in":1,"out":1},"power":0,"t":1700000001.5}`, mapping: timed, importWh: 1000, exportWh: 1000, atMs: 1_700_000_001_500},
		{name: "milliseconds", payload: `{"energy":{"in":1,"out":1},"power":0,"t":1700000001500}`, mapping: timed, importWh: 1000, exportWh: 1000, atMs: 1_700_000_001_500},
		{name: "RFC 3339", payload: `{"energy":{"in":1,"out":1},"power":0,"t":"2023-11-14T22:13:21.5Z"}`, mapping: timed, importWh: 1000, exportWh: 1000, atMs: 1_700_000_001_500},

		{name: "no JSON", payload: `12;5`, quality: device.WrongDevice, says: "expected"},
		{name: "nothing", payload: ``, quality: device.WrongDevice, says: "expected JSON"},
		{name: "two values", payload: `{} {}`, quality: device.WrongDevice, says: "got more"},
		{name: "a list", payload: `[1]`, quality: device.NotAvailable, says: "energy.in: missing"},
		{name: "missing", payload: `{"energy":{"in":1}}`, quality: device.NotAvailable, says: "energy.out: missing"},
		{name: "null", payload: `{"energy":{"in":null,"out":1}}`, quality: device.NotAvailable, says: "energy.in"},
		{name: "NaN as text", payload: `{"energy":{"in":"NaN","out":1}}`, quality: device.NotANumber, says: `got "NaN"`},
		{name: "infinity", payload: `{"energy":{"in":"Inf","out":1}}`, quality: device.NotANumber, says: "energy.in"},
		{name: "an object", payload: `{"energy":{"in":{},"out":1}}`, quality: device.NotANumber, says: "energy.in"},
		{name: "truth", payload: `{"energy":{"in":true,"out":1}}`, quality: device.NotANumber, says: "energy.in"},
		{name: "negative", payload: `{"energy":{"in":-1,"out":1}}`, quality: device.OutOfRange, says: "energy.in: expected a register"},
		{name: "too much", payload: `{"energy":{"in":1e30,"out":1}}`, quality: device.OutOfRange, says: "energy.in"},
		{name: "memory", payload: `{"energy":{"in":1e999999999,"out":1}}`, quality: device.NotANumber, says: "digits"},
		{name: "a fraction", payload: `{"energy":{"in":"1/3","out":1}}`, quality: device.NotANumber, says: "decimal"},
		{name: "hexadecimal", payload: `{"energy":{"in":"0x10","out":1}}`, quality: device.NotANumber, says: "decimal"},
		{name: "power is no number", payload: `{"energy":{"in":1,"out":1},"power":"a"}`, quality: device.NotANumber, says: "power"},
		{name: "time is none", payload: `{"energy":{"in":1,"out":1},"power":0,"t":"noon"}`, mapping: timed, quality: device.WrongDevice, says: "t: expected Unix"},
		{name: "long", payload: strings.Repeat(" ", maxPayload) + "{}", quality: device.WrongDevice, says: "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := tc.mapping
			if m.Import == "" {
				m = mapping
			}
			got, err := m.decode([]byte(tc.payload), arrived)
			if tc.says != "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) || device.QualityOf(err) != tc.quality || got.ImportWh != 0 {
					t.Errorf("%+v, %v, want %v: %q", got, err, tc.quality, tc.says)
				}
				return
			}
			if err != nil || got.ImportWh != tc.importWh || got.ExportWh != tc.exportWh || got.At.UnixMilli() != tc.atMs || got.Quality != device.Measured {
				t.Errorf("%+v, %v, want %d and %d Wh at %d", got, err, tc.importWh, tc.exportWh, tc.atMs)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"energy":{"in":12345.6789,"out":"0.001"},"power":-3.5,"t":1700000000}`))
	f.Add([]byte(`{"energy":{"in":1e40,"out":-0},"power":null,"t":"x"}`))
	m := mapping
	m.Time = "t"
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := m.decode(payload, time.UnixMilli(1))
		if (err == nil) != (s.Quality == device.Measured) || s.ImportWh < 0 || s.ExportWh < 0 || s.ImportWh > maxRegisterWh {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// broker runs mosquitto on a free port of loopback.
func broker(t *testing.T, settings ...string) (address string) {
	t.Helper()
	for _, program := range []string{"mosquitto", "mosquitto_pub"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: %s is not installed (Debian: mosquitto mosquitto-clients)", program)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	start(t, port, append(settings, "allow_anonymous true")[0])
	return address
}

// start runs the broker until stop is called or the test ends.
func start(t *testing.T, port, settings string) (stop func()) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, "listener %s 127.0.0.1\n%s\npersistence false\n", port, settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(stop)
	return stop
}

func publish(t *testing.T, address, payload string, more ...string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	args := append([]string{"-h", host, "-p", port, "-t", mapping.Topic, "-q", "1", "-m", payload}, more...)
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("mosquitto_pub", args...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// until reads until ok says so.
func until(t *testing.T, s *Source, ok func(device.Snapshot, error) bool) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got, err := s.Read(t.Context())
		if ok(got, err) {
			return
		}
		if time.Since(begin) > 15*time.Second {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
}

// TestBroker: values and junk through a real broker.
func TestBroker(t *testing.T) {
	address := broker(t)
	good := `{"energy":{"in":12.345,"out":1},"power":5}`
	publish(t, address, `{"energy":{"in":1,"out":1},"power":5}`, "-r")
	offset := time.Duration(0)
	s, err := Open(Options{URL: "tcp://" + address, Mapping: mapping, MaxAge: time.Minute, Now: func() time.Time { return time.Now().Add(offset) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// The retained message is not taken.
	until(t, s, func(got device.Snapshot, err error) bool {
		if err == nil && got.ImportWh == 1000 {
			t.Fatal("a retained message without a time was taken")
		}
		publish(t, address, good)
		return err == nil && got.ImportWh == 12345
	})
	publish(t, address, "junk")
	until(t, s, func(_ device.Snapshot, err error) bool { return device.QualityOf(err) == device.WrongDevice })
	publish(t, address, good)
	until(t, s, func(got device.Snapshot, err error) bool { return err == nil && got.ImportWh == 12345 })
	s.mu.Lock()
	s.snapshot.At = s.snapshot.At.Add(-2 * time.Minute)
	s.mu.Unlock()
	if got, err := s.Read(t.Context()); device.QualityOf(err) != device.Stale {
		t.Errorf("a value of two minutes ago: %+v, %v", got, err)
	}
}

// TestRefusedLogin: a broker that wants a password says why nothing comes.
func TestRefusedLogin(t *testing.T) {
	address := broker(t, "allow_anonymous false")
	s, err := Open(Options{URL: "tcp://" + address, Mapping: mapping, MaxAge: time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	until(t, s, func(_ device.Snapshot, err error) bool {
		return err != nil && strings.Contains(err.Error(), "ot Authorized")
	})
}

// TestNoBroker: without a broker a read fails at once.
func TestNoBroker(t *testing.T) {
	s, err := Open(Options{URL: "tcp://127.0.0.1:1", Mapping: mapping, MaxAge: time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Read(t.Context()); device.QualityOf(err) != device.Unreachable || got.Quality != device.Unreachable {
		t.Errorf("%+v, %v", got, err)
	}
	until(t, s, func(_ device.Snapshot, err error) bool { return err != nil && strings.Contains(err.Error(), "refused") })
	for _, bad := range []string{"", "127.0.0.1:1883", "http://h:1", "tcp://h", "tcp://u:p@h:1"} {
		if _, err := Open(Options{URL: bad}); err == nil || !strings.Contains(err.Error(), "url: expected tcp://HOST:PORT") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
