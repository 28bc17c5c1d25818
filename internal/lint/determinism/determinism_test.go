package determinism

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

func TestRules(t *testing.T) {
	for _, pkg := range []string{"x/floats", "x/ranges", "x/concurrency", "x/clock", "x/imports", "app", "api"} {
		t.Run(pkg, func(t *testing.T) {
			analysistest.Run(t, analysistest.TestData(), newAnalyzer(""), modulePath+"/"+pkg)
		})
	}
}

func TestExceptionExcusesOneRuleOfOnePackage(t *testing.T) {
	allow := "x/excused goroutine to test the allow list\n" +
		"x/other clock names another package"
	analysistest.Run(t, analysistest.TestData(), newAnalyzer(allow), modulePath+"/x/excused")
}

func TestReplicated(t *testing.T) {
	for _, tc := range []struct {
		path string
		pkg  string
		ok   bool
	}{
		{"github.com/energyd/energyd/units", "units", true},
		{"github.com/energyd/energyd/state", "state", true},
		{"github.com/energyd/energyd/module", "module", true},
		{"github.com/energyd/energyd/protocol", "protocol", true},
		{"github.com/energyd/energyd/app", "app", true},
		{"github.com/energyd/energyd/x/matching/kproto", "x/matching/kproto", true},
		{"github.com/energyd/energyd/x/bank [github.com/energyd/energyd/x/bank.test]", "x/bank", true},
		{"github.com/energyd/energyd/x/bank.test", "", false},
		{"github.com/energyd/energyd/api", "api", false},
		{"github.com/energyd/energyd/application", "application", false},
		{"github.com/energyd/energyd/internal/app", "internal/app", false},
		{"github.com/energyd/energyd", "", false},
		{"github.com/other/app", "", false},
		{"time", "", false},
	} {
		pkg, ok := replicated(tc.path)
		if pkg != tc.pkg || ok != tc.ok {
			t.Errorf("replicated(%q) = %q, %t, want %q, %t", tc.path, pkg, ok, tc.pkg, tc.ok)
		}
	}
}
