package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	modulePath = "github.com/energyd/energyd"
	enginePath = "github.com/cometbft" // the engine and its database
)

// room is a row of the import rule: what the packages of one room may import
// of this module and of the engine. A pattern that ends in "/..." stands for a
// folder and all below it; otherwise * stands for one path element. Packages
// may always import others of their own room.
type room struct {
	name   string
	ours   []string
	engine []string
}

var (
	// contract is what every module of x/ stands on.
	contract = []string{"gen/...", "units", "protocol", "state/...", "module", "internal/strictjson"}
	// trade is what the stages of a trading period read and write.
	trade = []string{"x/registry", "x/bank", "x/grid", "x/reputation"}
	// outside is what a program that talks to a node stands on.
	outside = []string{"gen/...", "units", "protocol", "internal/strictjson", "client"}
	// proving is one that also fetches headers and bills with their proofs: it
	// carries the engine's types.
	proving    = list(outside, "client/proof")
	everything = []string{"..."}
)

// table is the import rule (section 2 of the design). A package in no row is
// an error: a new room needs a row.
var table = []room{
	{name: "gen/..."},
	{name: "units"},
	{name: "internal/strictjson"},
	{name: "internal/svg"},
	{name: "protocol", ours: list("gen/...", "units")},
	{name: "state/...", ours: list("gen/...")},
	{name: "module", ours: list("gen/...", "units", "protocol", "state/...")},

	// A module imports those whose state an earlier stage has written.
	{name: "x/registry", ours: contract},
	{name: "x/bank", ours: list(contract, "x/registry")},
	{name: "x/grid", ours: list(contract, "x/registry", "x/grid/*")},
	{name: "x/reputation", ours: list(contract, "x/registry", "x/bank")},
	{name: "x/origin", ours: list(contract, "x/registry")},
	{name: "x/metering", ours: list(contract, trade)},
	{name: "x/credit", ours: list(contract, trade, "x/metering", "x/credit/*")},
	{name: "x/matching", ours: list(contract, trade, "x/origin", "x/metering", "x/credit", "x/grid/*", "x/matching/*")},
	{name: "x/settlement", ours: list(contract, trade, "x/origin", "x/metering", "x/credit", "x/matching/...", "x/settlement/*")},
	{name: "x/dispatch", ours: list(contract, "x/registry", "x/matching", "x/settlement")},

	// Pure algorithms, usable without a chain on books and bills from files.
	{name: "x/grid/*", ours: list("gen/...", "units")},
	{name: "x/credit/*", ours: list("units", "protocol", "internal/strictjson")},
	{name: "x/matching/*", ours: list("gen/...", "units", "protocol", "internal/strictjson", "internal/svg", "x/grid/*")},
	{name: "x/settlement/*", ours: list("units", "protocol", "internal/strictjson")},

	// abci passes the engine's wire types, keys and logger.
	{name: "app/...", ours: list(contract, "x/..."), engine: list("cometbft/abci/...", "cometbft/proto/...", "cometbft/crypto/...", "cometbft/libs/log")},
	// Gateways stand on client: it is without the engine, for their size.
	{name: "client", ours: list("gen/...", "units", "protocol", "internal/strictjson")},
	// Headers, commits and validators are checked as the engine does.
	{name: "client/proof", ours: outside, engine: list("cometbft/types", "cometbft/libs/...", "cometbft/crypto/...")},

	{name: "meter/...", ours: outside},
	{name: "web/..."},
	{name: "api/...", ours: list(outside, "web/...")},
	{name: "testnet/...", ours: list(proving, "api/...")},
	{name: "bench/...", ours: list(outside, "api/...", "testnet/...", "meter/spool")},
	{name: "demo/...", ours: list(proving, "api/...", "testnet/...", "meter/simulate", "internal/svg", "x/grid/*", "x/matching/*")},

	{name: "cmd/energyd", ours: list(proving, "app/...", "api/...", "testnet/...", "demo/...", "bench/..."), engine: everything},
	{name: "cmd/energycli", ours: list(proving, "internal/svg", "x/credit/*", "x/grid/*", "x/matching/*", "x/settlement/*")},
	{name: "cmd/energymeter", ours: list(outside, "meter/...")},
	{name: "cmd/energyvet", ours: list("internal/lint/determinism")},
	{name: "internal/lint/..."},
	{name: "internal/release"},
	{name: "internal/testkit/...", ours: everything, engine: everything},
}

// engineFree are the rooms whose tests, too, may not import the engine: what
// they check must hold without it. internal/testkit stands between.
var engineFree = []string{"units", "protocol", "state/...", "module", "x/..."}

// list joins patterns and lists of patterns.
func list(parts ...any) []string {
	var out []string
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p)
		case []string:
			out = append(out, p...)
		}
	}
	return out
}

func TestImportRule(t *testing.T) {
	for _, breach := range breaches(goList(t)) {
		t.Error(breach)
	}
}

// breaches reports each import that the table does not allow, and each package
// that does not stand in exactly one row.
func breaches(packages []listed) []string {
	var out []string
	for _, p := range packages {
		pkg := strings.TrimPrefix(p.ImportPath, modulePath+"/")
		var rows []room
		for _, r := range table {
			if matches(r.name, pkg) {
				rows = append(rows, r)
			}
		}
		if len(rows) != 1 {
			out = append(out, fmt.Sprintf("%s stands in %d rows of the import table, want 1", pkg, len(rows)))
			continue
		}
		for _, imp := range p.Imports {
			if !rows[0].allows(imp) {
				out = append(out, fmt.Sprintf("%s may not import %s", pkg, imp))
			}
		}
		if !matchesAny(engineFree, pkg) {
			continue
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if _, ok := below(enginePath, imp); ok {
				out = append(out, fmt.Sprintf("tests of %s may not import %s", pkg, imp))
			}
		}
	}
	return out
}

func (r room) allows(importPath string) bool {
	if pkg, ok := below(modulePath, importPath); ok {
		return matches(r.name, pkg) || matchesAny(r.ours, pkg)
	}
	if pkg, ok := below(enginePath, importPath); ok {
		return matchesAny(r.engine, pkg)
	}
	return true
}

// below returns the path of an import within the module mod.
func below(mod, importPath string) (string, bool) {
	if importPath == mod {
		return ".", true
	}
	return strings.CutPrefix(importPath, mod+"/")
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == folder || strings.HasPrefix(pkg, folder+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

func TestBreaches(t *testing.T) {
	for _, tc := range []struct {
		pkg         string
		imports     string
		testImports string
		want        []string
	}{
		{pkg: "units", imports: "fmt math/big"},
		{pkg: "units", imports: "M/gen/energy/bank/v1", want: []string{"units may not import M/gen/energy/bank/v1"}},
		{pkg: "units", imports: "M", want: []string{"units may not import M"}},
		{pkg: "state", imports: "M/gen/energy/tx/v1 M/state/internal/smt"},
		{pkg: "state", imports: "M/units M/protocol", want: []string{"state may not import M/units", "state may not import M/protocol"}},
		{pkg: "state", testImports: "E/abci/types", want: []string{"tests of state may not import E/abci/types"}},
		{pkg: "module", imports: "M/state M/protocol M/x/bank", want: []string{"module may not import M/x/bank"}},
		{pkg: "protocol", imports: "M/gen/energy/tx/v1 M/units M/state", want: []string{"protocol may not import M/state"}},
		{pkg: "x/registry", imports: "M/module M/x/bank", want: []string{"x/registry may not import M/x/bank"}},
		{pkg: "x/bank", imports: "M/x/registry M/state M/units M/protocol M/gen/energy/bank/v1 M/internal/strictjson"},
		{pkg: "x/bank", imports: "E/abci/types", want: []string{"x/bank may not import E/abci/types"}},
		{pkg: "x/bank", imports: "E-db", want: []string{"x/bank may not import E-db"}},
		{pkg: "x/bank", imports: "M/internal/testkit", want: []string{"x/bank may not import M/internal/testkit"}},
		{pkg: "x/bank", testImports: "M/internal/testkit M/x/settlement"},
		{pkg: "x/bank", testImports: "E/types", want: []string{"tests of x/bank may not import E/types"}},
		{pkg: "x/metering", imports: "M/x/grid M/x/credit", want: []string{"x/metering may not import M/x/credit"}},
		{pkg: "x/matching", imports: "M/x/metering M/x/credit M/x/matching/cmap"},
		{pkg: "x/matching", imports: "M/x/settlement", want: []string{"x/matching may not import M/x/settlement"}},
		{pkg: "x/matching/cmap", imports: "M/units M/x/matching/auction M/state", want: []string{"x/matching/cmap may not import M/state"}},
		{pkg: "x/matching/cmap", imports: "M/x/credit/stackelberg", want: []string{"x/matching/cmap may not import M/x/credit/stackelberg"}},
		{pkg: "x/settlement", imports: "M/x/matching M/x/matching/auction M/x/bank M/app", want: []string{"x/settlement may not import M/app"}},
		{pkg: "app", imports: "M/x/bank M/x/matching/cmap E/abci/types E/proto/tendermint/crypto"},
		{pkg: "app", imports: "M/client E/node", want: []string{"app may not import M/client", "app may not import E/node"}},
		{pkg: "client", imports: "M/protocol M/gen/energy/tx/v1 net/http"},
		{pkg: "client", imports: "M/state M/client/proof E/abci/types", want: []string{"client may not import M/state", "client may not import M/client/proof", "client may not import E/abci/types"}},
		{pkg: "client/proof", imports: "M/client M/protocol E/types E/libs/json"},
		{pkg: "client/proof", imports: "M/state E/consensus", want: []string{"client/proof may not import M/state", "client/proof may not import E/consensus"}},
		{pkg: "meter/gateway", imports: "M/client M/client/proof E/types", want: []string{"meter/gateway may not import M/client/proof", "meter/gateway may not import E/types"}},
		{pkg: "meter/drivers", imports: "M/client M/meter M/app", want: []string{"meter/drivers may not import M/app"}},
		{pkg: "api", imports: "M/client M/state", want: []string{"api may not import M/state"}},
		{pkg: "testnet", imports: "M/api M/x/bank", want: []string{"testnet may not import M/x/bank"}},
		{pkg: "cmd/energycli", imports: "M/client M/x/matching/kproto M/x/matching", want: []string{"cmd/energycli may not import M/x/matching"}},
		{pkg: "cmd/energyd", imports: "M/app M/demo E/node M/x/bank", want: []string{"cmd/energyd may not import M/x/bank"}},
		{pkg: "cmd/energyvet", imports: "M/internal/lint/determinism golang.org/x/tools/go/analysis"},
		{pkg: "internal/testkit", imports: "M/app M/x/bank E/types"},
		{pkg: "keeper", imports: "fmt", want: []string{"keeper stands in 0 rows of the import table, want 1"}},
		{pkg: "x/bank/keeper", want: []string{"x/bank/keeper stands in 0 rows of the import table, want 1"}},
		{pkg: "x/unheard", want: []string{"x/unheard stands in 0 rows of the import table, want 1"}},
	} {
		short := strings.NewReplacer("M", modulePath, "E", enginePath+"/cometbft")
		p := listed{
			ImportPath:   modulePath + "/" + tc.pkg,
			Imports:      strings.Fields(short.Replace(tc.imports)),
			XTestImports: strings.Fields(short.Replace(tc.testImports)),
		}
		var want []string
		for _, w := range tc.want {
			want = append(want, short.Replace(w))
		}
		if diff := cmp.Diff(want, breaches([]listed{p})); diff != "" {
			t.Errorf("%s imports %q, tests %q: -want +got\n%s", tc.pkg, tc.imports, tc.testImports, diff)
		}
	}
}
