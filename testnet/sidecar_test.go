package testnet

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/client"
)

func TestSidecarHome(t *testing.T) {
	key, err := client.KeyFromSeed(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	o := SidecarOptions{
		Name: "gateway0", Binary: "energymeter", Home: filepath.Join(t.TempDir(), "g"), Key: key, ChainID: "c", Nodes: []string{"http://127.0.0.1:1", "http://127.0.0.1:2"},
		Poll: time.Second, Interval: 1500 * time.Millisecond,
		Meters: []SidecarMeter{{"m-1", "tcp://127.0.0.1:3", 7, "sunspec"}},
	}
	s, err := NewSidecar(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(o.Home, "energymeter.yaml"))
	want := `chain_id: c
nodes: [http://127.0.0.1:1, http://127.0.0.1:2]
passphrase_file: passphrase
listen: 127.0.0.1:0
poll: 1s
interval: 1.5s
meters:
- {name: m-1, source: modbus, url: "tcp://127.0.0.1:3", unit: 7, model: sunspec}
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	store, err := client.OpenKeystore(filepath.Join(o.Home, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := store.Unlock("gateway", sidecarPassphrase); err != nil || kept.Address() != key.Address() {
		t.Errorf("the key in the home: %v", err)
	}
	if _, err := s.Count(t.Context(), "x"); err == nil {
		t.Error("a gateway that never ran has metrics")
	}
	if _, err := NewSidecar(o); err == nil {
		t.Error("a second gateway is made in one home")
	}
}

func TestSidecarCount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# HELP polls_total x\npolls_total{meter=\"a b\"} 3\npolls_total{meter=\"c\"} 4\npolls_total_more 9\npolls 1e+06\n")
	}))
	defer server.Close()
	log := filepath.Join(t.TempDir(), "log")
	// The address of the latest life counts.
	text := "msg=\"metrics and health\" address=127.0.0.1:1\nx\ntime=now level=INFO msg=\"metrics and health\" address=" + strings.TrimPrefix(server.URL, "http://") + "\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Sidecar{&process{logFile: log}}
	for metric, want := range map[string]int64{"polls_total": 7, "polls": 1_000_000, "none": 0} {
		if got, err := s.Count(t.Context(), metric); got != want || err != nil {
			t.Errorf("%s: got %d, %v; want %d", metric, got, err, want)
		}
	}
}
