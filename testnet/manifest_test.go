package testnet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSimpleManifest(t *testing.T) {
	got, err := ReadManifest("simple.toml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Simple(), got); diff != "" {
		t.Errorf("simple.toml and Simple differ:\n%s", diff)
	}
}

func TestReadManifest(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{"validators = 7\nperiod_length = \"3s\"\n", ""},
		{"validators = 0\n", "field validators: expected 1 to 64, got 0"},
		{"validators = 65\n", "field validators: expected 1 to 64, got 65"},
		{"chain_id = \"a\"\nvalidators = \"four\"\n", "m.toml: line 2 (last key \"validators\"): incompatible types"},
		{"\nperiod_length = \"soon\"\n", "m.toml: line 2 column 18: "},
		{"nodes = 4\n", "field nodes: no such field"},
		{"timeout_commit = \"0s\"\n", "field timeout_commit: expected more than 0s, got 0s"},
		{"period_length = \"-1s\"\n", "field period_length: expected more than 0s, got -1s"},
		{"seed = \"a\"\nseed = \"b\"\n", "line 2 column"},
	} {
		file := filepath.Join(t.TempDir(), "m.toml")
		if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(file)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%q: %v", tc.text, err)
			}
			if strings.Contains(tc.text, "7") && (m.Validators != 7 || m.PeriodLength != 3*time.Second || m.ChainID != Simple().ChainID) {
				t.Errorf("%q: got %+v", tc.text, m)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %q", tc.text, err, tc.want)
		}
	}
	if _, err := ReadManifest(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that does not exist was read")
	}
}

func TestReadFolder(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{"chain_id": "a", "period_length_ms": 1, "nodes": [{"name": "n", "node_id": "i", "account": "x"}]}`, ""},
		{`{"chain_id": "a", "period_length_ms": 1, "nodes": []}`, "field nodes: expected at least one"},
		{`{"chain_id": "a", "period_length_ms": 1, "nodes": [{"name": 1}]}`, "line 1 column 61: field nodes[0].name"},
		{`{"chain_id": "a"}`, "period_length_ms"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, FolderFile), []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		folder, err := ReadFolder(dir)
		if tc.want == "" {
			if err != nil || folder.Members[0].NodeID != "i" {
				t.Errorf("%s: got %+v, %v", tc.text, folder, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestPickPorts(t *testing.T) {
	ports, err := pickPorts(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 8 || ports[0] < firstPort || ports[7] >= endPort {
		t.Errorf("got %v, want 8 ports from %d to %d", ports, firstPort, endPort)
	}
	again, err := pickPorts(4, ports[0])
	if err != nil {
		t.Fatal(err)
	}
	if again[0] != ports[0] {
		t.Errorf("preferred %d, which was free a moment ago, got %d", ports[0], again[0])
	}
	// One port of the preferred block is taken.
	listener := listen(t, ports[3])
	defer func() { _ = listener.Close() }()
	other, err := pickPorts(4, ports[0])
	if err != nil {
		t.Fatal(err)
	}
	if other[0] == ports[0] {
		t.Errorf("got the preferred block %v although %d is taken", other, ports[3])
	}
}
