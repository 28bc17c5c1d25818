package client

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/scrypt"

	"github.com/energyd/energyd/protocol"
)

// Costs of deriving the encryption key from a passphrase: N of scrypt with
// r = 8, p = 1. Standard takes about a second and 256 MiB, Light suits
// gateways and test networks.
const (
	ScryptStandard = 1 << 18
	ScryptLight    = 1 << 12
)

// Errors of the keystore.
var (
	ErrNoKey      = errors.New("no such key")
	ErrKeyExists  = errors.New("a key of that name exists")
	ErrPassphrase = errors.New("wrong passphrase, or the key file was changed")
	ErrLooseMode  = errors.New("others may read it: expected mode 0600, directories 0700")
)

// Keystore is a folder of keys, each encrypted with a passphrase in a file of
// its own.
type Keystore struct{ dir string }

// KeyInfo is what a key file shows without its passphrase.
type KeyInfo struct {
	Name    string
	Public  []byte
	Address protocol.Address
}

// keyFile is the stored form: XChaCha20-Poly1305 under a scrypt key. Name and
// public key are authenticated with the secret.
type keyFile struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	PublicKey string `json:"public_key"`
	ScryptN   int    `json:"scrypt_n"`
	Salt      string `json:"salt"`
	Nonce     string `json:"nonce"`
	Secret    string `json:"secret"`
}

// OpenKeystore opens the folder, which is made on the first write. A folder
// that others may read is refused.
func OpenKeystore(dir string) (*Keystore, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("keystore: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("keystore %s has mode %04o: %w", dir, info.Mode().Perm(), ErrLooseMode)
	}
	return &Keystore{dir}, nil
}

// Create draws a key and stores it.
func (ks *Keystore) Create(name, passphrase string, scryptN int) (Key, error) {
	key, err := NewKey()
	if err != nil {
		return Key{}, err
	}
	return key, ks.Import(name, passphrase, scryptN, key)
}

// Import stores a key. A name that is taken is refused, so that no key is ever
// overwritten.
func (ks *Keystore) Import(name, passphrase string, scryptN int, key Key) error {
	if err := protocol.CheckName(name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	file := keyFile{
		Name: name, Address: key.Address().String(), PublicKey: hex.EncodeToString(key.Public()),
		ScryptN: scryptN,
	}
	salt, nonce := make([]byte, 32), make([]byte, chacha20poly1305.NonceSizeX)
	for _, random := range [][]byte{salt, nonce} {
		if _, err := rand.Read(random); err != nil {
			return fmt.Errorf("key %s: %w", name, err)
		}
	}
	file.Salt, file.Nonce = hex.EncodeToString(salt), hex.EncodeToString(nonce)
	aead, err := file.aead(passphrase, salt)
	if err != nil {
		return err
	}
	file.Secret = hex.EncodeToString(aead.Seal(nil, nonce, key.Seed(), file.bound()))
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(ks.dir, 0o700); err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	return ks.write(name, append(data, '\n'))
}

func (ks *Keystore) write(name string, data []byte) error {
	out, err := os.OpenFile(ks.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("key %s: %w", name, ErrKeyExists)
	}
	if err != nil {
		return fmt.Errorf("key %s: %w", name, err)
	}
	_, err = out.Write(data)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("key %s: %w", name, err)
	}
	return nil
}

// Unlock decrypts a key.
func (ks *Keystore) Unlock(name, passphrase string) (Key, error) {
	file, err := ks.read(name)
	if err != nil {
		return Key{}, err
	}
	salt, err1 := hex.DecodeString(file.Salt)
	nonce, err2 := hex.DecodeString(file.Nonce)
	secret, err3 := hex.DecodeString(file.Secret)
	if err := errors.Join(err1, err2, err3); err != nil || len(nonce) != chacha20poly1305.NonceSizeX {
		return Key{}, fmt.Errorf("key %s: salt, nonce and secret: expected hexadecimal", name)
	}
	aead, err := file.aead(passphrase, salt)
	if err != nil {
		return Key{}, err
	}
	seed, err := aead.Open(nil, nonce, secret, file.bound())
	if err != nil {
		return Key{}, fmt.Errorf("key %s: %w", name, ErrPassphrase)
	}
	return KeyFromSeed(seed)
}

// Info returns what a key file shows without its passphrase.
func (ks *Keystore) Info(name string) (KeyInfo, error) {
	file, err := ks.read(name)
	if err != nil {
		return KeyInfo{}, err
	}
	public, err := hex.DecodeString(file.PublicKey)
	if err != nil || len(public) != protocol.KeySize {
		return KeyInfo{}, fmt.Errorf("key %s: public_key: expected %d hexadecimal digits", name, 2*protocol.KeySize)
	}
	return KeyInfo{Name: name, Public: public, Address: protocol.KeyAddress(public)}, nil
}

// List returns the keys by name.
func (ks *Keystore) List() ([]KeyInfo, error) {
	entries, err := os.ReadDir(ks.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	var infos []KeyInfo
	for _, entry := range entries {
		name, isKey := strings.CutSuffix(entry.Name(), keySuffix)
		if !isKey {
			continue
		}
		info, err := ks.Info(name)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b KeyInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

const keySuffix = ".key.json"

func (ks *Keystore) path(name string) string { return filepath.Join(ks.dir, name+keySuffix) }

func (ks *Keystore) read(name string) (*keyFile, error) {
	if err := protocol.CheckName(name); err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	path := ks.path(name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key %s in %s: %w", name, ks.dir, ErrNoKey)
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: %w", path, info.Mode().Perm(), ErrLooseMode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	file := new(keyFile)
	if err := json.Unmarshal(data, file); err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return file, nil
}

// aead derives the key file's cipher from the passphrase.
func (f *keyFile) aead(passphrase string, salt []byte) (cipher.AEAD, error) {
	// The cost comes from the file: refuse what would take all memory.
	if f.ScryptN > 1<<20 {
		return nil, fmt.Errorf("key %s: scrypt_n: expected at most %d, got %d", f.Name, 1<<20, f.ScryptN)
	}
	derived, err := scrypt.Key([]byte(passphrase), salt, f.ScryptN, 8, 1, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("key %s: scrypt_n: %w", f.Name, err)
	}
	return chacha20poly1305.NewX(derived)
}

func (f *keyFile) bound() []byte { return []byte(f.Name + "\n" + f.PublicKey) }
