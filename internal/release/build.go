package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// build makes a stripped binary without cgo.
func build(binary string, env []string) error {
	command := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/energymeter")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	command.Env = append(command.Env, env...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", binary, err, out)
	}
	return nil
}

var (
	errDynamic = errors.New("expected a static binary")
	errLarge   = fmt.Errorf("expected at most %d bytes", maxBytes)
)

// check returns the size of a binary, or why it may not be released.
func check(binary string) (int64, error) {
	info, err := os.Stat(binary)
	if err != nil {
		return 0, err
	}
	if info.Size() > maxBytes {
		return 0, fmt.Errorf("%s: %w, got %d: what weighs shows go tool nm -size -sort size", binary, errLarge, info.Size())
	}
	file, err := elf.Open(binary)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", binary, err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return 0, fmt.Errorf("%s: %w, got one with %v", binary, errDynamic, p.Type)
		}
	}
	return info.Size(), nil
}
