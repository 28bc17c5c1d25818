package determinism

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/packages"
)

func TestParseAllow(t *testing.T) {
	got, err := parseAllow("# a comment\n\n  app goroutine  verifies signatures  in parallel \nx/bank float why\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []exception{
		{pkg: "app", rule: ruleGoroutine, reason: "verifies signatures in parallel"},
		{pkg: "x/bank", rule: ruleFloat, reason: "why"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(exception{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestParseAllowRefuses(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no reason", "app goroutine", "line 1: want package, rule and reason"},
		{"unknown rule", "# first\napp gorotine in parallel", `line 2: rule "gorotine" is not one of`},
		{"outside the rooms", "api clock measures latency", `line 1: package "api" is outside the rooms`},
		{"twice", "app clock a\napp clock b", "line 2: app clock is allowed twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parseAllow(tc.text)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// stale returns the exceptions that excuse none of the findings of their
// package.
func stale(allow []exception, findings func(pkg string) ([]finding, error)) ([]exception, error) {
	var out []exception
	for _, e := range allow {
		found, err := findings(e.pkg)
		if slices.ContainsFunc(found, func(f finding) bool { return e.excuses(e.pkg, f) }) {
			continue // used, even if the package does not compile at the moment
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func TestStale(t *testing.T) {
	tree := map[string][]finding{
		"app":    {{rule: ruleGoroutine}, {rule: ruleGoroutine}},
		"x/bank": {{rule: ruleClock}},
	}
	findings := func(pkg string) ([]finding, error) { return tree[pkg], nil }
	used := exception{"app", ruleGoroutine, "used"}
	otherRule := exception{"app", ruleClock, "another package breaks this rule"}
	noPackage := exception{"x/gone", ruleClock, "there is no such package"}
	got, err := stale([]exception{used, otherRule, noPackage}, findings)
	if err != nil {
		t.Fatal(err)
	}
	want := []exception{otherRule, noPackage}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(exception{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAllowListHasNoStaleLine(t *testing.T) {
	allow, err := parseAllow(allowText)
	if err != nil {
		t.Fatalf("allow.txt: %v", err)
	}
	unused, err := stale(allow, findingsInTree)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range unused {
		t.Errorf("allow.txt: %s %s excuses nothing: remove the line", e.pkg, e.rule)
	}
}

// TestFindingsInTree shows that the tree is really looked at: packages which
// do not exist are an error and not an empty list of findings.
func TestFindingsInTree(t *testing.T) {
	if _, err := findingsInTree("x/no_such_package"); err == nil {
		t.Error("no error for a package that does not exist")
	}
}

// findingsInTree checks one package of this module as it stands. With an error
// it returns what it found in the part that it could load.
func findingsInTree(pkg string) ([]finding, error) {
	cfg := &packages.Config{Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles |
		packages.NeedImports | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo}
	loaded, err := packages.Load(cfg, modulePath+"/"+pkg)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", pkg, err)
	}
	var found []finding
	for _, p := range loaded {
		found = append(found, check(pkg, productionFiles(p.Fset, p.Syntax), p.TypesInfo)...)
		if len(p.Errors) > 0 {
			err = fmt.Errorf("load %s: %w", pkg, p.Errors[0])
		}
	}
	return found, err
}
