package mutants

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const root = "../../.." // top folder of the module

// simulation is the test that the word stands for: not shortened, since all that
// counts is that it fails.
const simulation = "./internal/testkit/simulation -run TestSimulation/all/0 -rapid.seed=1 -rapid.checks=300 -rapid.shrinktime=1ms -rapid.nofailfile"

// mutant is a bug and the test that finds it.
type mutant struct {
	what, file string
	test       []string
	old, new   string
}

// parse reads a mutant as doc.go describes it.
func parse(text string) (mutant, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 4 {
		return mutant{}, errors.New("expected a line that says what is broken, file:, test: and a change")
	}
	file, named := strings.CutPrefix(lines[1], "file: ")
	test, tested := strings.CutPrefix(lines[2], "test: ")
	if lines[0] == "" || !named || !tested {
		return mutant{}, errors.New("expected a line that says what is broken, then file: and test:")
	}
	if test == "simulation" {
		test = simulation
	}
	m := mutant{what: lines[0], file: file, test: strings.Fields(test)}
	for i, line := range lines[3:] {
		switch {
		case strings.HasPrefix(line, "-"):
			m.old += line[1:] + "\n"
		case strings.HasPrefix(line, "+"):
			m.new += line[1:] + "\n"
		default:
			return mutant{}, fmt.Errorf("line %d: expected - or + before it", i+4)
		}
	}
	if m.old == "" || m.old == m.new {
		return mutant{}, errors.New("expected lines with - and others with +")
	}
	return m, nil
}

// apply returns the file with the bug in it.
func (m mutant) apply(text string) (string, error) {
	found, at := 0, 0
	for i := range text {
		if (i == 0 || text[i-1] == '\n') && strings.HasPrefix(text[i:], m.old) {
			found, at = found+1, i
		}
	}
	if found != 1 {
		return "", fmt.Errorf("%s has %d of these lines, expected 1:\n%s", m.file, found, m.old)
	}
	return text[:at] + m.new + text[at+len(m.old):], nil
}

// goTest runs the mutant's test.
func (m mutant) goTest(flags ...string) (output string, err error) {
	cmd := exec.Command("go", slices.Concat([]string{"test", "-vet=off", "-timeout=80s"}, flags, m.test)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs the mutant's test with the bug in place, and returns an error unless it
// fails as a test does.
func (m mutant) run(t *testing.T, changed string) error {
	path, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		return err
	}
	with := filepath.Join(t.TempDir(), filepath.Base(m.file))
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: with}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(with, []byte(changed), 0o600), os.WriteFile(overlay, list, 0o600)); err != nil {
		return err
	}
	switch text, err := m.goTest("-count=1", "-overlay="+overlay); {
	case err == nil:
		return fmt.Errorf("survived: %s\n%s\n%s", m.what, strings.Join(m.test, " "), text)
	case !strings.Contains(text, "--- FAIL: ") && !strings.Contains(text, "\npanic: "):
		return fmt.Errorf("no test failed, but: %w\n%s", err, text)
	}
	return nil
}

// sound runs tests without a bug, each once.
type sound struct {
	mu   sync.Mutex
	runs map[string]func() error
}

// passes runs a mutant's test, unless another mutant had it run.
func (s *sound) passes(m mutant) error {
	s.mu.Lock()
	test := strings.Join(m.test, " ")
	if s.runs[test] == nil {
		s.runs[test] = sync.OnceValue(func() error {
			text, err := m.goTest()
			if err != nil {
				return fmt.Errorf("fails without the bug: %w\n%s", err, text)
			}
			return nil
		})
	}
	run := s.runs[test]
	s.mu.Unlock()
	return run()
}

// TestMutants: every bug is found by its test. As many at a time as there are
// cores: linking takes one only.
func TestMutants(t *testing.T) {
	files, err := filepath.Glob("testdata/*.mutant")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d mutants, %v; want 20 at least", len(files), err)
	}
	healthy := &sound{runs: make(map[string]func() error)}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".mutant"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := parse(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			source, err := os.ReadFile(filepath.Join(root, m.file))
			if err != nil {
				t.Fatal(err)
			}
			changed, err := m.apply(string(source))
			if err != nil {
				t.Fatalf("does not apply any more: %v", err)
			}
			if testing.Short() {
				return
			}
			t.Parallel()
			if err := healthy.passes(m); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := m.run(t, changed); err != nil {
				t.Fatal(err)
			}
			t.Logf("killed in %.1f s: %s", time.Since(began).Seconds(), m.what)
		})
	}
}

// TestParse: what is not a mutant is said.
func TestParse(t *testing.T) {
	good := "it breaks\nfile: a.go\ntest: ./a -run TestA\n-one\n-two\n+three\n"
	m, err := parse(good)
	if err != nil || m.what != "it breaks" || m.file != "a.go" || len(m.test) != 3 || m.old != "one\ntwo\n" || m.new != "three\n" {
		t.Fatalf("got %+v, %v", m, err)
	}
	for name, text := range map[string]string{
		"empty": "", "no file": strings.Replace(good, "file: ", "", 1), "no test": strings.Replace(good, "test: ", "", 1),
		"no words": strings.Replace(good, "it breaks", "", 1), "no change": strings.Replace(good, "+three", "+one\n+two", 1),
		"other line": good + "four\n", "nothing replaced": "it breaks\nfile: a.go\ntest: ./a\n+three\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for text, want := range map[string]string{
		"one\ntwo\nfour\n":     "three\nfour\n",
		"zero\none\ntwo\n":     "zero\nthree\n",
		"one\ntwo\none\ntwo\n": "", // twice
		"one\nfour\n":          "", // gone
		"at one\ntwo\n":        "", // not the whole line
	} {
		if got, err := m.apply(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}
