// Package determinism finds code that could make two replicas of the chain
// compute different results from the same blocks.
//
// Everything a replica computes must be a function of the blocks alone. Floats
// round differently between machines, maps iterate in random order, goroutines
// interleave, clocks and random sources differ. The analyzer refuses these in
// the rooms whose results enter the app hash; cmd/energyvet runs it under
// go vet. It sees one package at a time, so it cannot notice what a library
// does inside: twins and golden roots are the guards for that.
//
// Exceptions stand in allow.txt, one a line with a reason, and never in
// comments, so that a reviewer sees them all in one place.
package determinism

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const modulePath = "github.com/energyd/energyd"

// rooms are the top folders of the module whose results all replicas must
// agree on. The analyzer is silent elsewhere.
var rooms = []string{"units", "state", "module", "protocol", "x", "app"}

//go:embed allow.txt
var allowText string

// Analyzer reports nondeterminism in the replicated rooms, except for what
// allow.txt excuses. Test files are exempt.
var Analyzer = newAnalyzer(allowText)

func newAnalyzer(allowText string) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name: "determinism",
		Doc:  "report code whose result could differ between replicas of the chain",
		URL:  "https://pkg.go.dev/" + modulePath + "/internal/lint/determinism",
		Run: func(pass *analysis.Pass) (any, error) {
			allow, err := parseAllow(allowText)
			if err != nil {
				return nil, fmt.Errorf("allow.txt: %w", err)
			}
			pkg, ok := replicated(pass.Pkg.Path())
			if !ok {
				return nil, nil
			}
			for _, f := range check(pkg, productionFiles(pass.Fset, pass.Files), pass.TypesInfo) {
				if !slices.ContainsFunc(allow, func(e exception) bool { return e.excuses(pkg, f) }) {
					pass.Report(analysis.Diagnostic{Pos: f.pos, Category: f.rule, Message: f.rule + ": " + f.what})
				}
			}
			return nil, nil
		},
	}
}

// replicated tells whether the package with this import path lies in one of
// the rooms, and returns its path within the module ("x/bank").
func replicated(importPath string) (pkg string, ok bool) {
	// The go command writes a package compiled for a test as
	// "path [path.test]", and the main package it generates as "path.test".
	importPath, _, _ = strings.Cut(importPath, " ")
	pkg, ok = strings.CutPrefix(importPath, modulePath+"/")
	if !ok || strings.HasSuffix(pkg, ".test") {
		return "", false
	}
	room, _, _ := strings.Cut(pkg, "/")
	return pkg, slices.Contains(rooms, room)
}

func productionFiles(fset *token.FileSet, files []*ast.File) []*ast.File {
	var out []*ast.File
	for _, f := range files {
		if !strings.HasSuffix(fset.File(f.FileStart).Name(), "_test.go") {
			out = append(out, f)
		}
	}
	return out
}
