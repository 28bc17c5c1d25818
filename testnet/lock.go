package testnet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrRunning says that somebody runs the folder's network.
var ErrRunning = errors.New("a network runs there")

// lock makes the folder this process's own until the file is closed or the
// process dies. The file itself stays: removing it would let two in.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close() // nothing was written
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", dir, ErrRunning)
	}
	return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
}
