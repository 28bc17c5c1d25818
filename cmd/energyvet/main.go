// Command energyvet checks the determinism rules under go vet:
//
//	go build -o bin/energyvet ./cmd/energyvet
//	go vet -vettool=bin/energyvet ./...
//
// It exists because go vet hands a tool typed packages from the build cache,
// which makes the check as fast as an incremental build.
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/energyd/energyd/internal/lint/determinism"
)

func main() { unitchecker.Main(determinism.Analyzer) }
