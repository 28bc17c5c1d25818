package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	dir := t.TempDir()
	first, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("locked twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("after its release: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := lock(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

// A folder whose network runs is refused before any node starts.
func TestStartRefusesRunning(t *testing.T) {
	dir := t.TempDir()
	text := `{"chain_id": "a", "period_length_ms": 1, "nodes": [{"name": "n", "node_id": "i", "account": "x"}]}`
	if err := os.WriteFile(filepath.Join(dir, FolderFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	if _, err := Start(t.Context(), Options{Binary: os.Args[0], Dir: dir}); !errors.Is(err, ErrRunning) {
		t.Errorf("got %v, want %v", err, ErrRunning)
	}
}
