package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	maxFileLines     = 500
	maxFunctionLines = 70
)

// maxLinesOf are files that must stay shorter than others, because they are
// the first that a newcomer reads.
var maxLinesOf = map[string]int{
	"app/wire.go":           200,
	"cmd/energyd/main.go":   30,
	"cmd/energyvet/main.go": 30,
}

// sourceEndings are the files written by hand as source.
var sourceEndings = []string{".go", ".proto", ".sh", ".js", ".ts", ".css"}

// unwanted matches what ties the text to the machine it was written on: paths
// of top folders of that machine and the hosts it fetches packages from. It is
// put together from parts so that this file does not match.
var unwanted = regexp.MustCompile(
	`(?:^|[^\w.~}-])/(?:wo` + `rk|fa` + `rm)/` + // not ../..., ~/... or ${HOME}/...
		`|go` + `proxy|registry\.` + `npm|deb\.` + `debian`)

func TestSizes(t *testing.T) {
	for _, f := range projectFiles(t) {
		for _, breach := range sizeBreaches(f) {
			t.Error(breach)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, breach := range uncommented(projectFiles(t)) {
		t.Error(breach)
	}
}

func TestText(t *testing.T) {
	for _, f := range projectFiles(t) {
		for _, breach := range textBreaches(f) {
			t.Error(breach)
		}
	}
}

// sizeBreaches reports a file that is too long, and functions in it that are.
func sizeBreaches(f file) []string {
	if f.generated() || !slices.Contains(sourceEndings, path.Ext(f.name)) {
		return nil
	}
	limit, ok := maxLinesOf[f.name]
	if !ok {
		limit = maxFileLines
	}
	var out []string
	if n := bytes.Count(f.text, []byte("\n")); n > limit {
		out = append(out, fmt.Sprintf("%s has %d lines, at most %d", f.name, n, limit))
	}
	if !f.isGo() || f.isTest() || f.isTestdata() {
		return out
	}
	fset := token.NewFileSet()
	// What does not parse is the compiler's business.
	parsed, _ := parser.ParseFile(fset, f.name, f.text, parser.SkipObjectResolution)
	if parsed == nil {
		return out
	}
	for _, decl := range parsed.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
			out = append(out, fmt.Sprintf("%s: function %s has %d lines, at most %d", fset.Position(fn.Pos()), fn.Name, n, maxFunctionLines))
		}
	}
	return out
}

// uncommented reports the folders with Go files of which none has a package
// comment. Test files count only in a folder that has no others.
func uncommented(files []file) []string {
	type folder struct{ hasCode, codeDoc, testDoc bool }
	folders := map[string]folder{}
	for _, f := range files {
		if !f.isGo() || f.generated() || f.isTestdata() {
			continue
		}
		parsed, _ := parser.ParseFile(token.NewFileSet(), f.name, f.text, parser.PackageClauseOnly|parser.ParseComments)
		documented := parsed != nil && parsed.Doc != nil
		dir := folders[path.Dir(f.name)]
		if f.isTest() {
			dir.testDoc = dir.testDoc || documented
		} else {
			dir.hasCode = true
			dir.codeDoc = dir.codeDoc || documented
		}
		folders[path.Dir(f.name)] = dir
	}
	var out []string
	for name, dir := range folders {
		if dir.hasCode && !dir.codeDoc || !dir.hasCode && !dir.testDoc {
			out = append(out, fmt.Sprintf("%s has no package comment", name))
		}
	}
	slices.Sort(out)
	return out
}

// textBreaches reports the lines of a text file that match unwanted. Sums of
// modules are exempt: their names are not ours to choose.
func textBreaches(f file) []string {
	if path.Ext(f.name) == ".sum" || bytes.IndexByte(f.text, 0) >= 0 {
		return nil
	}
	var out []string
	for i, line := range bytes.Split(f.text, []byte("\n")) {
		if found := unwanted.Find(line); found != nil {
			out = append(out, fmt.Sprintf("%s:%d: %q ties the text to one machine", f.name, i+1, found))
		}
	}
	return out
}

func TestSizeBreaches(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("//\n", n) }
	function := func(n int) string { return "package p\n\nfunc f() {\n" + lines(n-2) + "}\n" }
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"a/b.go", "package p\n" + lines(499), nil},
		{"a/b.go", "package p\n" + lines(500), []string{"a/b.go has 501 lines, at most 500"}},
		{"a/b_test.go", "package p\n" + lines(500), []string{"a/b_test.go has 501 lines, at most 500"}},
		{"proto/b.proto", lines(501), []string{"proto/b.proto has 501 lines, at most 500"}},
		{"gen/b.go", "package p\n" + lines(500) + function(100), nil},
		{"go.sum", lines(501), nil},
		{"cmd/energyd/main.go", "package main\n" + lines(30), []string{"cmd/energyd/main.go has 31 lines, at most 30"}},
		{"a/b.go", function(70), nil},
		{"a/b.go", function(71), []string{"a/b.go:3:1: function f has 71 lines, at most 70"}},
		{"a/b.go", "not Go", nil},
		{"a/b_test.go", function(71), nil},
		{"a/testdata/b.go", function(71), nil},
	} {
		if diff := cmp.Diff(tc.want, sizeBreaches(file{tc.name, []byte(tc.text)})); diff != "" {
			t.Errorf("%s: -want +got\n%s", tc.name, diff)
		}
	}
}

func TestUncommented(t *testing.T) {
	got := uncommented([]file{
		{"good/doc.go", []byte("// Package good has a comment.\npackage good\n")},
		{"good/other.go", []byte("package good\n")},
		{"bad/bad.go", []byte("// Copyright\n\npackage bad\n")},
		{"bad/bad_test.go", []byte("// Package bad is described in its test only.\npackage bad\n")},
		{"tests/a_test.go", []byte("// Package tests has no other files.\npackage tests\n")},
		{"worse/a_test.go", []byte("package worse\n")},
		{"gen/v1/a.go", []byte("package v1\n")},
		{"good/testdata/src/a.go", []byte("package a\n")},
	})
	want := []string{"bad has no package comment", "worse has no package comment"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestTextBreaches(t *testing.T) {
	top := "/wo" + "rk/"
	for _, tc := range []struct {
		name, text string
		found      bool
	}{
		{"a.md", "run it in " + top + "main", true},
		{"a.go", `const dir = "` + top + `main"`, true},
		{"a.sh", top + "main/bin", true},
		{"a.sh", "cd /fa" + "rm/main", true},
		{"a.sh", "export GOPROXY=https://go" + "proxy.example", true},
		{"a.json", "https://registry." + "npmjs.org/a", true},
		{"Dockerfile", "http://deb." + "debian.org", true},
		{"go.sum", "example.org/go" + "proxy v1.0.0 h1:abc=", false},
		{"a.bin", "\x00 " + top + "main", false},
		{"a.md", "docs" + top + "a.md, ../.." + top + "a.md, ~" + top + "a", false},
		{"a.md", "the wind farm, /workspace/ and /farms/", false},
	} {
		if got := textBreaches(file{tc.name, []byte(tc.text)}); (len(got) == 1) != tc.found {
			t.Errorf("%s: %q: breaches %q, want found %t", tc.name, tc.text, got, tc.found)
		}
	}
}
