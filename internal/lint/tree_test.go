package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.." // top folder of the module

// listed is what we use of a package as go list prints it.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// goList lists the packages of the module. With -e it lists those that do not
// compile as well: their imports are checked all the same.
func goList(t *testing.T) []listed { return listPackages(t, false, "./...") }

// listPackages lists those of a pattern, with all that they stand on if deps.
func listPackages(t *testing.T, deps bool, pattern string) []listed {
	t.Helper()
	watchTree(t)
	cmd := exec.Command("go", "list", "-e", fmt.Sprintf("-deps=%t", deps), "-json=ImportPath,Imports,TestImports,XTestImports", pattern)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var out []listed
	for dec := json.NewDecoder(bytes.NewReader(stdout)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		t.Fatal("go list found no packages")
	}
	return out
}

// file is one file of the project, named from the top folder with slashes.
type file struct {
	name string
	text []byte
}

func (f file) generated() bool { return strings.HasPrefix(f.name, "gen/") }
func (f file) isGo() bool      { return path.Ext(f.name) == ".go" }
func (f file) isTest() bool    { return strings.HasSuffix(f.name, "_test.go") }
func (f file) isTestdata() bool {
	return strings.Contains("/"+f.name, "/testdata/")
}

// projectFiles reads the files that git keeps or would add. Without git, as in
// an unpacked archive, the folder may hold files that are not the project's.
func projectFiles(t *testing.T) []file {
	t.Helper()
	watchTree(t)
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	stdout, err := cmd.Output()
	if err != nil {
		t.Skipf("SKIPPED: the files of the project are not known without git: %v", err)
	}
	var out []file
	for name := range strings.SplitSeq(strings.TrimSuffix(string(stdout), "\x00"), "\x00") {
		full := filepath.Join(root, filepath.FromSlash(name))
		if info, err := os.Lstat(full); err != nil || !info.Mode().IsRegular() {
			continue // deleted and not yet committed, or a link
		}
		text, err := os.ReadFile(full)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, file{name: name, text: text})
	}
	if len(out) == 0 {
		t.Fatal("git lists no files")
	}
	return out
}

// watchTree reads every folder of the tree. The go command remembers the result
// of a test until a file or folder that the test itself has read changes, and
// does not see what go list and git read.
func watchTree(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file that is gone by now
		}
		if entry != nil && entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
