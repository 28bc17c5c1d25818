package determinism

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"

	"golang.org/x/tools/go/types/typeutil"
)

// finding is one place that breaks a rule.
type finding struct {
	pos  token.Pos
	rule string
	what string // what stands there and what to do instead
}

// checker gathers the findings of one package.
type checker struct {
	info  *types.Info
	found []finding
}

// check returns the findings in the files of package pkg (its path within the
// module) in the order of the source.
func check(pkg string, files []*ast.File, info *types.Info) []finding {
	c := &checker{info: info}
	for _, f := range files {
		c.imports(pkg, f)
		c.floats(f)
		c.statements(f)
		c.functions(f)
	}
	slices.SortStableFunc(c.found, func(a, b finding) int { return cmp.Compare(a.pos, b.pos) })
	return c.found
}

func (c *checker) report(n ast.Node, rule, what string) {
	c.found = append(c.found, finding{pos: n.Pos(), rule: rule, what: what})
}

func (c *checker) imports(pkg string, f *ast.File) {
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // does not compile either
		}
		switch importRule(pkg, path) {
		case ruleRand:
			c.report(spec, ruleRand, "import of "+path+": replicas would draw different values")
		case ruleImport:
			c.report(spec, ruleImport, "import of "+path+": x/ depends on state, message and header only")
		}
	}
}

// floats reports the outermost expression of each that involves a float, so
// that a+b*2.5 is one finding and not five.
func (c *checker) floats(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		// A literal like 1e6 that becomes an integer has an integer type.
		lit, _ := e.(*ast.BasicLit)
		isLit := lit != nil && (lit.Kind == token.FLOAT || lit.Kind == token.IMAG)
		if !isLit && !isFloat(c.info.Types[e].Type) {
			return true
		}
		c.report(e, ruleFloat, types.ExprString(e)+" is a float or complex: use the fixed-point types of units")
		return false
	})
}

func isFloat(t types.Type) bool {
	if t == nil {
		return false
	}
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Info()&(types.IsFloat|types.IsComplex) != 0
	case *types.Tuple: // the results of a call
		for v := range t.Variables() {
			if isFloat(v.Type()) {
				return true
			}
		}
	}
	return false
}

func (c *checker) statements(f *ast.File) {
	sorted := c.sortedRanges(f)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.report(n, ruleGoroutine, "go statement: replicas would interleave differently")
		case *ast.SelectStmt:
			c.report(n, ruleSelect, "select statement: it chooses at random among ready cases")
		case *ast.RangeStmt:
			over := c.info.TypeOf(n.X)
			if ranges[*types.Map](over) && !sorted[n] {
				c.report(n, ruleMapRange, "range over a map: collect the keys and sort them in the next statement")
			}
			if ranges[*types.Chan](over) {
				c.report(n, ruleChanRange, "range over a channel: the order depends on other goroutines")
			}
		}
		return true
	})
}

// ranges tells whether t, or any type that the type parameter t may stand for,
// is a T underneath.
func ranges[T types.Type](t types.Type) bool {
	if t == nil {
		return false
	}
	if _, ok := t.Underlying().(T); ok {
		return true
	}
	p, ok := types.Unalias(t).(*types.TypeParam)
	return ok && termIs[T](p.Constraint().Underlying())
}

// termIs looks for a T among the terms of a constraint.
func termIs[T types.Type](t types.Type) bool {
	switch t := t.(type) {
	case *types.Union:
		for term := range t.Terms() {
			if termIs[T](term.Type().Underlying()) {
				return true
			}
		}
	case *types.Interface:
		for e := range t.EmbeddedTypes() {
			if u, ok := e.(*types.Union); ok && termIs[T](u) || !ok && termIs[T](e.Underlying()) {
				return true
			}
		}
	case T:
		return true
	}
	return false
}

// functions reports the mention of a forbidden function.
func (c *checker) functions(f *ast.File) {
	harmless := c.sortedIterators(f)
	ast.Inspect(f, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok || harmless[id] {
			return true
		}
		fn, ok := c.info.Uses[id].(*types.Func)
		if !ok {
			return true
		}
		name := fn.Origin().FullName()
		switch rule := forbiddenFuncs[name]; rule {
		case ruleClock:
			c.report(id, rule, name+": take the time from the block header")
		case ruleGoroutine:
			c.report(id, rule, name+" starts a goroutine: replicas would interleave differently")
		case ruleMapRange:
			c.report(id, rule, name+" yields in random order: use slices.Sorted(maps.Keys(m))")
		}
		return true
	})
}

// calleeName is the full name of the function that call calls, or empty if it
// is not known statically.
func (c *checker) calleeName(call *ast.CallExpr) string {
	if fn := typeutil.StaticCallee(c.info, call); fn != nil {
		return fn.Origin().FullName()
	}
	return ""
}
