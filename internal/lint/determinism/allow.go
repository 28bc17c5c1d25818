package determinism

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// exception is one line of allow.txt: the findings of one rule in one package
// are excused for the stated reason.
type exception struct {
	pkg    string // path within the module, such as "x/bank"
	rule   string
	reason string
}

func (e exception) excuses(pkg string, f finding) bool {
	return e.pkg == pkg && e.rule == f.rule
}

// parseAllow reads lines of "package rule reason"; lines that are blank or
// begin with # are skipped. A line without a reason, with an unknown rule or
// outside the replicated rooms is an error, because it would excuse nothing
// or excuse silently.
func parseAllow(text string) ([]exception, error) {
	var out []exception
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 3 {
			return nil, fmt.Errorf("line %d: want package, rule and reason, got %q", n, line)
		}
		e := exception{pkg: words[0], rule: words[1], reason: strings.Join(words[2:], " ")}
		if _, ok := replicated(modulePath + "/" + e.pkg); !ok {
			return nil, fmt.Errorf("line %d: package %q is outside the rooms %v", n, e.pkg, rooms)
		}
		if !slices.Contains(rules, e.rule) {
			return nil, fmt.Errorf("line %d: rule %q is not one of %v", n, e.rule, rules)
		}
		if slices.ContainsFunc(out, func(o exception) bool { return o.pkg == e.pkg && o.rule == e.rule }) {
			return nil, fmt.Errorf("line %d: %s %s is allowed twice", n, e.pkg, e.rule)
		}
		out = append(out, e)
	}
	return out, lines.Err()
}
