package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/meter/gateway"
	"github.com/energyd/energyd/meter/spool"
)

// home is where a gateway lives, and how its key is unlocked.
type home struct {
	dir, config, passphraseFile string
	passphraseFD                int
}

func (h *home) register(cmd *cobra.Command) {
	dir := "energymeter"
	if user, err := os.UserHomeDir(); err == nil {
		dir = filepath.Join(user, ".energyd", "meter")
	}
	cmd.Flags().StringVar(&h.dir, "home", dir, "folder of key, spool and configuration")
	cmd.Flags().StringVar(&h.config, "config", "", "configuration (default: energymeter.yaml in the home)")
}

func (h *home) registerKey(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.passphraseFile, "passphrase-file", "", "file whose first line is the key's passphrase")
	cmd.Flags().IntVar(&h.passphraseFD, "passphrase-fd", -1, "open file descriptor whose first line is the passphrase")
}

func (h *home) configFile() string {
	if h.config != "" {
		return h.config
	}
	return filepath.Join(h.dir, "energymeter.yaml")
}

func (h *home) keystore() (*client.Keystore, error) {
	return client.OpenKeystore(filepath.Join(h.dir, "keys"))
}

// credential is the name under which systemd hands the passphrase over.
const credential = "energymeter-passphrase"

// passphrase reads it from where the flags, systemd or the configuration say,
// else from the terminal; twice if it is a new one. It is never an argument.
func (h *home) passphrase(cmd *cobra.Command, configured string, isNew bool) (string, error) {
	path := h.passphraseFile
	if path == "" && os.Getenv("CREDENTIALS_DIRECTORY") != "" {
		path = filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), credential)
	}
	if path == "" {
		path = configured
	}
	switch {
	case h.passphraseFile != "" && h.passphraseFD >= 0:
		return "", usage("--passphrase-fd: expected only one of it and --passphrase-file")
	case h.passphraseFD >= 0:
		file := os.NewFile(uintptr(h.passphraseFD), "passphrase")
		defer file.Close()
		return firstLine("--passphrase-fd", file)
	case path != "":
		info, err := os.Stat(path)
		if err != nil {
			return "", usage("passphrase: %w", err)
		}
		if mode := info.Mode().Perm(); mode&0o007 != 0 {
			return "", fmt.Errorf("passphrase: %s has mode %04o: %w", path, mode, client.ErrLooseMode)
		}
		file, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("passphrase: %w", err)
		}
		defer file.Close()
		return firstLine(path, file)
	}
	entered, err := prompt(cmd, "Passphrase of the gateway's key: ")
	if err != nil || !isNew {
		return entered, err
	}
	again, err := prompt(cmd, "The same again: ")
	if err == nil && again != entered {
		err = usage("passphrase: the two entries differ")
	}
	return entered, err
}

var errNoPassphrase = errors.New("no passphrase: standard input is no terminal")

func prompt(cmd *cobra.Command, question string) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", errNoPassphrase
	}
	fmt.Fprint(cmd.ErrOrStderr(), question)
	entered, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	if err == nil && len(entered) == 0 {
		err = usage("passphrase: expected at least one character")
	}
	return string(entered), err
}

func firstLine(what string, r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usage("%s: expected a passphrase on the first line, got nothing", what)
	}
	return line, nil
}

// unlock returns the gateway's key.
func (h *home) unlock(cmd *cobra.Command, config *gateway.Config) (client.Key, error) {
	store, err := h.keystore()
	if err != nil {
		return client.Key{}, err
	}
	if _, err := store.Info(config.Key); err != nil {
		return client.Key{}, err
	}
	passphrase, err := h.passphrase(cmd, config.PassphraseFile, false)
	if err != nil {
		return client.Key{}, err
	}
	return store.Unlock(config.Key, passphrase)
}

// keyError says whether something of keys or modes is wrong.
func keyError(err error) bool {
	for _, target := range []error{
		client.ErrNoKey, client.ErrKeyExists, client.ErrPassphrase, client.ErrLooseMode, gateway.ErrLooseConfig, errLooseFile, errNoPassphrase, fs.ErrPermission,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// adviseGateway says what to do about errors of the gateway.
func adviseGateway(err error) string {
	_, config := errors.AsType[*gateway.ConfigError](err)
	switch {
	case config:
		return "mend the configuration; energymeter doctor checks it"
	case errors.Is(err, client.ErrLooseMode), errors.Is(err, gateway.ErrLooseConfig), errors.Is(err, errLooseFile):
		return "take the others' access away: chmod go= PATH"
	case errors.Is(err, client.ErrNoKey):
		return "make one with energymeter init"
	case errors.Is(err, client.ErrKeyExists):
		return "choose another --home: keys are never overwritten"
	case errors.Is(err, client.ErrPassphrase):
		return "try again with the passphrase that the key was made with"
	case errors.Is(err, errNoPassphrase):
		return "give --passphrase-file FILE or --passphrase-fd N"
	case errors.Is(err, spool.ErrInUse):
		return "energymeter run has this home open: stop it first"
	case errors.Is(err, errUnwell):
		return "see the lines that say NO"
	}
	return ""
}
