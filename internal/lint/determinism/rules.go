package determinism

import "strings"

// The rules, as named in findings and in allow.txt.
const (
	ruleFloat     = "float"     // float or complex type, literal, value or conversion
	ruleMapRange  = "maprange"  // iteration over a map in its random order
	ruleGoroutine = "goroutine" // go statement, or a call that starts a goroutine
	ruleSelect    = "select"    // select statement
	ruleChanRange = "chanrange" // range over a channel
	ruleClock     = "clock"     // wall clock or timer
	ruleRand      = "rand"      // random source
	ruleImport    = "import"    // package that x/ may not import
)

var rules = []string{
	ruleFloat, ruleMapRange, ruleGoroutine, ruleSelect, ruleChanRange, ruleClock, ruleRand, ruleImport,
}

// forbiddenFuncs maps a function, written as by types.Func.FullName, to the
// rule it breaks. Mentioning it is enough: f := time.Now; f() is no way out.
var forbiddenFuncs = map[string]string{
	"time.Now":       ruleClock,
	"time.Since":     ruleClock,
	"time.Until":     ruleClock,
	"time.After":     ruleClock,
	"time.AfterFunc": ruleClock,
	"time.Tick":      ruleClock,
	"time.NewTicker": ruleClock,
	"time.NewTimer":  ruleClock,
	"time.Sleep":     ruleClock,

	"(*sync.WaitGroup).Go":                      ruleGoroutine,
	"(*golang.org/x/sync/errgroup.Group).Go":    ruleGoroutine,
	"(*golang.org/x/sync/errgroup.Group).TryGo": ruleGoroutine,
	"context.AfterFunc":                         ruleGoroutine,
	"(*sync.Map).Range":                         ruleMapRange,
	"(reflect.Value).MapKeys":                   ruleMapRange,
	"(reflect.Value).MapRange":                  ruleMapRange,
	"(reflect.Value).Seq":                       ruleMapRange,
	"(reflect.Value).Seq2":                      ruleMapRange,
	"maps.All":                                  ruleMapRange,
	"maps.Keys":                                 ruleMapRange,
	"maps.Values":                               ruleMapRange,
}

// sortedCollectors maps a function that sorts all it collects from an iterator
// to the map iterators that are harmless as its first argument. A comparison
// function may call two different values equal and so leave them in map order;
// keys are excused nevertheless, since array keys have no natural order in Go.
var sortedCollectors = map[string][]string{
	"slices.Sorted":           {"maps.Keys", "maps.Values"},
	"slices.SortedFunc":       {"maps.Keys"},
	"slices.SortedStableFunc": {"maps.Keys"},
}

// sorters are the functions that sort the slice given as first argument.
var sorters = map[string]bool{
	"slices.Sort":           true,
	"slices.SortFunc":       true,
	"slices.SortStableFunc": true,
	"sort.Ints":             true,
	"sort.Slice":            true,
	"sort.SliceStable":      true,
	"sort.Sort":             true,
	"sort.Stable":           true,
	"sort.Strings":          true,
}

// randImports are refused in every replicated room.
var randImports = []string{"math/rand", "math/rand/v2", "crypto/rand"}

// effectImports and the packages below them are refused in x/, which is pure:
// state, message and header in; writes, events and error out.
var effectImports = []string{
	"os", "net", "sync", "runtime", "unsafe", "reflect", "log", "io/ioutil", "context",
	"github.com/cometbft",
}

// importRule names the rule that an import of path breaks in package pkg, or
// is empty if it breaks none.
func importRule(pkg, path string) string {
	for _, p := range randImports {
		if path == p {
			return ruleRand
		}
	}
	if !strings.HasPrefix(pkg, "x/") {
		return ""
	}
	for _, p := range effectImports {
		if path == p || strings.HasPrefix(path, p+"/") {
			return ruleImport
		}
	}
	return ""
}
