package determinism

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// sortedRanges finds the loops over a map that do nothing but collect its keys
// into a slice which the very next statement sorts:
//
//	for k := range m {
//		keys = append(keys, k)
//	}
//	slices.Sort(keys)
//
// Anything more in the body could depend on the order and is not excused.
func (c *checker) sortedRanges(f *ast.File) map[*ast.RangeStmt]bool {
	out := map[*ast.RangeStmt]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		var list []ast.Stmt
		switch n := n.(type) {
		case *ast.BlockStmt:
			list = n.List
		case *ast.CaseClause:
			list = n.Body
		case *ast.CommClause:
			list = n.Body
		}
		for i := 0; i+1 < len(list); i++ {
			if loop, ok := list[i].(*ast.RangeStmt); ok {
				keys := c.collectsInto(loop)
				out[loop] = keys != nil && c.sorts(list[i+1], keys)
			}
		}
		return true
	})
	return out
}

// collectsInto returns the variable s if loop is "for k := range m { s =
// append(s, k) }", and nil otherwise.
func (c *checker) collectsInto(loop *ast.RangeStmt) types.Object {
	if blank, ok := loop.Value.(*ast.Ident); loop.Value != nil && (!ok || blank.Name != "_") {
		return nil
	}
	key, ok := loop.Key.(*ast.Ident)
	if !ok || loop.Tok != token.DEFINE || len(loop.Body.List) != 1 {
		return nil
	}
	set, ok := loop.Body.List[0].(*ast.AssignStmt)
	if !ok || set.Tok != token.ASSIGN || len(set.Lhs) != 1 || len(set.Rhs) != 1 {
		return nil
	}
	call, ok := set.Rhs[0].(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return nil
	}
	fun, ok := call.Fun.(*ast.Ident)
	if !ok || c.info.Uses[fun] != types.Universe.Lookup("append") {
		return nil
	}
	into := c.variable(set.Lhs[0])
	if into == nil || c.variable(call.Args[0]) != into || c.variable(call.Args[1]) != c.info.Defs[key] {
		return nil
	}
	return into
}

// sorts tells whether stmt sorts the slice, directly or converted to a
// sort.Interface.
func (c *checker) sorts(stmt ast.Stmt, slice types.Object) bool {
	expr, ok := stmt.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := expr.X.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 || !sorters[c.calleeName(call)] {
		return false
	}
	arg := call.Args[0]
	if conv, ok := arg.(*ast.CallExpr); ok && len(conv.Args) == 1 && c.info.Types[conv.Fun].IsType() {
		arg = conv.Args[0]
	}
	return c.variable(arg) == slice
}

// variable is the object that e names, or nil if e is not a plain name.
func (c *checker) variable(e ast.Expr) types.Object {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return nil
	}
	return c.info.Uses[id]
}

// sortedIterators finds the names of map iterators that are called as the
// argument of a collector which sorts, as in slices.Sorted(maps.Keys(m)).
func (c *checker) sortedIterators(f *ast.File) map[*ast.Ident]bool {
	out := map[*ast.Ident]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		iter, ok := ast.Unparen(call.Args[0]).(*ast.CallExpr)
		if ok && slices.Contains(sortedCollectors[c.calleeName(call)], c.calleeName(iter)) {
			out[calledIdent(iter.Fun)] = true
		}
		return true
	})
	return out
}

// calledIdent is the last name in the function part of a call.
func calledIdent(fun ast.Expr) *ast.Ident {
	switch fun := ast.Unparen(fun).(type) {
	case *ast.Ident:
		return fun
	case *ast.SelectorExpr:
		return fun.Sel
	case *ast.IndexExpr:
		return calledIdent(fun.X)
	case *ast.IndexListExpr:
		return calledIdent(fun.X)
	default:
		return nil
	}
}
