package client

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testCost keeps scrypt from slowing the tests down.
const testCost = 1 << 4

func openStore(t *testing.T) (*Keystore, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	store, err := OpenKeystore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return store, dir
}

func TestKeystoreRoundTrip(t *testing.T) {
	store, dir := openStore(t)
	if infos, err := store.List(); err != nil || len(infos) != 0 {
		t.Errorf("empty store: %v, %v", infos, err)
	}
	second, err := store.Create("second", "secret words", testCost)
	if err != nil {
		t.Fatal(err)
	}
	first, err := KeyFromSeed(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Import("first", "other words", testCost, first); err != nil {
		t.Fatal(err)
	}
	infos, err := store.List()
	if err != nil || len(infos) != 2 || infos[0].Name != "first" || infos[1].Name != "second" {
		t.Fatalf("list %+v, %v", infos, err)
	}
	if infos[1].Address != second.Address() || !bytes.Equal(infos[1].Public, second.Public()) {
		t.Errorf("second is shown as %+v", infos[1])
	}
	unlocked, err := store.Unlock("second", "secret words")
	if err != nil || !bytes.Equal(unlocked.Seed(), second.Seed()) {
		t.Errorf("unlocked another key, %v", err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "first.key.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, mode)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "first.key.json"))
	if err != nil || strings.Contains(string(data), strings.Repeat("07", 32)) {
		t.Errorf("the seed stands in the file: %v", err)
	}
}

func TestKeystoreRefuses(t *testing.T) {
	store, dir := openStore(t)
	if _, err := store.Create("a", "words", testCost); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		call func() error
		want error
	}{
		{"wrong passphrase", func() error { _, err := store.Unlock("a", "Words"); return err }, ErrPassphrase},
		{"no such key", func() error { _, err := store.Unlock("b", "words"); return err }, ErrNoKey},
		{"no such key's address", func() error { _, err := store.Info("b"); return err }, ErrNoKey},
		{"a name that is taken", func() error { _, err := store.Create("a", "words", testCost); return err }, ErrKeyExists},
	} {
		if err := tc.call(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	for _, name := range []string{"", "../a", "A", "a/b"} {
		if _, err := store.Create(name, "words", testCost); err == nil {
			t.Errorf("name %q was taken", name)
		}
		if _, err := store.Unlock(name, "words"); err == nil || errors.Is(err, ErrNoKey) {
			t.Errorf("name %q: %v, want one about the name", name, err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "a.key.json"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Unlock("a", "words"); !errors.Is(err, ErrLooseMode) {
		t.Errorf("a file that others may read: %v", err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeystore(dir); !errors.Is(err, ErrLooseMode) {
		t.Errorf("a folder that others may read: %v", err)
	}
}

// TestKeystoreNoticesChanges: name and public key are bound to the secret, so
// that no file can be passed off as another key's.
func TestKeystoreNoticesChanges(t *testing.T) {
	store, dir := openStore(t)
	for _, name := range []string{"a", "b"} {
		if _, err := store.Create(name, "words", testCost); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "a.key.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	infoB, err := store.Info("b")
	if err != nil {
		t.Fatal(err)
	}
	infoA, err := store.Info("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, old, new string }{
		{"name", `"name": "a"`, `"name": "b"`},
		{"public key", FormatBytes(infoA.Public), FormatBytes(infoB.Public)},
		{"salt", `"salt": "`, `"salt": "00`},
		{"scrypt_n", `"scrypt_n": 16`, `"scrypt_n": 32`},
		{"cost beyond all memory", `"scrypt_n": 16`, `"scrypt_n": 1073741824`},
		{"cost that is no power of two", `"scrypt_n": 16`, `"scrypt_n": 17`},
		{"nonce", `"nonce": "`, `"nonce": "00`},
		{"not hexadecimal", `"secret": "`, `"secret": "x`},
		{"not JSON", `{`, `[`},
	} {
		changed := strings.Replace(string(good), tc.old, tc.new, 1)
		if changed == string(good) {
			t.Fatalf("%s: nothing to change", tc.name)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Unlock("a", "words"); err == nil {
			t.Errorf("%s changed, the key was unlocked", tc.name)
		}
	}
}

func TestParseSeed(t *testing.T) {
	key, err := ParseSeed(strings.Repeat("07", 32))
	if err != nil || !bytes.Equal(key.Seed(), bytes.Repeat([]byte{7}, 32)) {
		t.Errorf("seed %x, %v", key.Seed(), err)
	}
	for _, text := range []string{"", "07", strings.Repeat("07", 33), strings.Repeat("0g", 32)} {
		if _, err := ParseSeed(text); err == nil {
			t.Errorf("seed %q was read", text)
		}
	}
}
