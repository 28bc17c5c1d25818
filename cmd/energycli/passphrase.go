package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/energyd/energyd/client"
)

// passphrase reads a passphrase from where the flags say, else from the
// terminal; twice if it is a new one. It is never an argument: those can be
// read by everybody on the machine.
func (o *options) passphrase(cmd *cobra.Command, name string, isNew bool) (string, error) {
	switch {
	case o.passphraseFile != "" && o.passphraseFD >= 0:
		return "", usage("--passphrase-fd: expected only one of it and --passphrase-file")
	case o.passphraseFile != "":
		return passphraseFromFile(o.passphraseFile)
	case o.passphraseFD >= 0:
		file := os.NewFile(uintptr(o.passphraseFD), "passphrase")
		if file == nil {
			return "", usage("--passphrase-fd: expected an open file descriptor, got %d", o.passphraseFD)
		}
		defer file.Close()
		return firstLine("--passphrase-fd", file)
	}
	entered, err := prompt(cmd, fmt.Sprintf("Passphrase of key %s: ", name))
	if err != nil || !isNew {
		return entered, err
	}
	again, err := prompt(cmd, "The same again: ")
	if err != nil {
		return "", err
	}
	if entered != again {
		return "", usage("passphrase: the two entries differ")
	}
	return entered, nil
}

// passphraseFromFile reads a file that not everybody may read; the mode of a
// credential that systemd hands over passes.
func passphraseFromFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", usage("--passphrase-file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("--passphrase-file: %s has mode %04o: %w", path, mode, client.ErrLooseMode)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--passphrase-file: %w", err)
	}
	defer file.Close()
	return firstLine("--passphrase-file", file)
}

func firstLine(flag string, r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usage("%s: expected a passphrase on the first line, got nothing", flag)
	}
	return line, nil
}

// prompt asks on the terminal without showing what is typed.
func prompt(cmd *cobra.Command, question string) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", errNoPassphrase
	}
	fmt.Fprint(cmd.ErrOrStderr(), question)
	entered, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	if err != nil {
		return "", fmt.Errorf("passphrase: %w", err)
	}
	if len(entered) == 0 {
		return "", usage("passphrase: expected at least one character")
	}
	return string(entered), nil
}

// confirm asks before something is sent. Where nobody can be asked, the
// command itself is the answer.
func (o *options) confirm(cmd *cobra.Command, what string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if o.yes || !ok || !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\nSend it? [y/N] ", what)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("confirmation: %w", err)
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errDeclined
	}
	return nil
}

// unlock returns the key of a name.
func (o *options) unlock(cmd *cobra.Command, name string) (client.Key, error) {
	store, err := o.keystore()
	if err != nil {
		return client.Key{}, err
	}
	// A name that does not exist is reported before anybody types.
	if _, err := store.Info(name); err != nil {
		return client.Key{}, err
	}
	passphrase, err := o.passphrase(cmd, name, false)
	if err != nil {
		return client.Key{}, err
	}
	return store.Unlock(name, passphrase)
}
