package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/energyd/energyd/meter/device"
)

// run executes a command line without an environment.
func run(ctx context.Context, args ...string) (string, error) {
	root := newRoot(func(string) (string, bool) { return "", false })
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"x", `energymeter: unknown command "x"`},
		{"read x", `energymeter read: expected no argument, got "x"`},
		{"read", `--url: expected tcp://HOST:PORT, rtu+tcp://HOST:PORT or rtu:///dev/NAME?baud=9600, got ""`},
		{"read --url tcp://127.0.0.1:1 --model x", `--model: expected one of abb-b23, acrel-adw300, carlo-gavazzi-em24, carlo-gavazzi-em340, chint-dtsu666, chint-dtsu666-401e, eastron-sdm120, eastron-sdm630, janitza-b23, schneider-iem3000, sunspec, or a file that ends in .yaml, got "x"`},
		{"read --url tcp://127.0.0.1:1 --model none.yaml", "--model: open none.yaml: no such file or directory"},
		{"read --url rtu:///dev/x --unit 0 --model abb-b23", "--unit: expected a number from 1 to 247, got 0"},
		{"read --unit 256", `--unit: expected a number from 0 to 255, got "256"`},
		{"read --nonsense", "unknown flag: --nonsense"},
		{"probe --url rtu:///dev/x?baud=1", `--url: baud: expected one of 1200 2400 4800 9600 19200 38400 57600 115200, got "1"`},
		{"simulate --model x", `--model: expected eastron-sdm630, sunspec, schneider-iem3000, battery, got "x"`},
		{"simulate --model battery --csv x.csv", "--csv: expected none for a battery: it does what it is told"},
		{"simulate --units 0", "--units: expected 1 to 247, got 0"},
		{"simulate --speed -1", "--speed: expected a number above 0 up to 10000, got -1"},
		{"simulate --speed NaN", "--speed: expected a number above 0 up to 10000, got NaN"},
		{"simulate --csv none.csv", "--csv: open none.csv: no such file or directory"},
		{"simulate --csv testdata/slave.py", `--csv: testdata/slave.py: line 1: expected the header time,import_wh,export_wh,power_w, the last or not, got ["# A meter by pymodbus 3.0: slave.py tcp PORT" " or slave.py rtu DEVICE. Unit 1 has"]`},
		{"simulate --listen nowhere", "--listen: listen tcp: address nowhere: missing port in address"},
	} {
		_, err := run(t.Context(), strings.Fields(tc.args)...)
		if err == nil || err.Error() != tc.want || exitCode(err) != exitUsage {
			t.Errorf("%s: exit code %d, %v\nwant %s", tc.args, exitCode(err), err, tc.want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	_, refused := run(t.Context(), "read", "--url", "tcp://127.0.0.1:1", "--model", "abb-b23")
	_, silent := run(t.Context(), "probe", "--url", "tcp://127.0.0.1:1")
	_, noDevice := run(t.Context(), "read", "--url", "rtu:///dev/no-such-line", "--model", "sunspec")
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{refused, exitUnreachable},
		{silent, exitUnreachable},
		{noDevice, exitUnreachable},
		{&device.QualityError{Quality: device.Unreachable, Err: fs.ErrPermission}, exitKey},
		{&device.QualityError{Quality: device.NotAvailable, Err: errors.New("x")}, exitError},
		{errNoneFits, exitError},
	} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("%v: exit code %d, want %d", tc.err, got, tc.want)
		}
		if tc.err != nil && !strings.Contains(describe(newRoot(nil), tc.err), "\n  ") {
			t.Errorf("%v: no advice", tc.err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	root := newRoot(func(name string) (string, bool) {
		return map[string]string{"ENERGYD_UNIT": "300"}[name], name == "ENERGYD_UNIT"
	})
	root.SetArgs([]string{"read"})
	if err := root.Execute(); err == nil || err.Error() != `ENERGYD_UNIT="300": --unit: expected a number from 0 to 255, got "300"` {
		t.Error(err)
	}
}
