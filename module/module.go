// Package module is the contract between the application and the modules in
// x/: what a module gives (routes, hooks, queries, genesis) and what it gets
// (a Ctx). A module is pure: state, message and block header in; writes,
// events and an error out.
package module

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/state"
)

// Module is one package of x/.
type Module interface {
	Name() string
	Routes() []Route
	Queries() []Query
	// InitGenesis takes the module's part of the genesis file; ExportGenesis
	// gives it back, equal to the byte for equal state.
	InitGenesis(*Ctx, json.RawMessage) error
	ExportGenesis(*Ctx) (json.RawMessage, error)
}

// EndBlocker is a module with work at the end of a block. An error halts the
// node: a hook isolates what may fail with Ctx.Atomic.
type EndBlocker interface {
	EndBlock(*Ctx) error
}

// InvariantChecker is a module that can check laws of its state; nil error
// means that the law holds.
type InvariantChecker interface {
	Invariants() []Invariant
}

// Invariant is a named law (reliability.md 2).
type Invariant struct {
	Name  string
	Check func(state.Reader) error
}

// Lane orders messages within a block, lowest first (DESIGN 5).
type Lane int

// The lanes. An envelope's lane is the highest among its messages'.
const (
	LaneRegistry Lane = 1 + iota
	LaneReadings
	LaneSettlement
	LaneOrders
	LaneRest
)

// Route is one kind of message.
type Route struct {
	// Type is the full protobuf name.
	Type string
	Lane Lane
	// Roles that may send it, any one suffices; none: any account.
	// ROLE_AUTHORITY: only by an approved proposal.
	Roles []registryv1.Role
	// WhileFrozen: a frozen account may still send it.
	WhileFrozen bool
	New         func() proto.Message
	// Check is stateless; it runs in CheckTx and again at admission.
	Check func(chainID string, msg proto.Message) error
	// Exec runs on a branch that an error drops.
	Exec func(*Ctx, proto.Message) error
}

// Handle makes a route for messages of type M.
func Handle[M proto.Message](lane Lane, roles []registryv1.Role, check func(chainID string, msg M) error, exec func(*Ctx, M) error) Route {
	var prototype M
	kind := prototype.ProtoReflect().Type()
	return Route{
		Type:  string(kind.Descriptor().FullName()),
		Lane:  lane,
		Roles: roles,
		New:   func() proto.Message { return kind.New().Interface() },
		Check: func(chainID string, msg proto.Message) error { return check(chainID, msg.(M)) },
		Exec:  func(ctx *Ctx, msg proto.Message) error { return exec(ctx, msg.(M)) },
	}
}

// AllowFrozen marks a route that frozen accounts may use.
func (r Route) AllowFrozen() Route {
	r.WhileFrozen = true
	return r
}

// Query answers one kind of request from committed state; the ABCI path is
// "/" and the request's full protobuf name.
type Query struct {
	Type   string
	New    func() proto.Message
	Answer func(QueryCtx, proto.Message) (proto.Message, error)
}

// QueryCtx is what a query sees.
type QueryCtx struct {
	Height int64
	// TimeMs is the block time of that height.
	TimeMs int64
	Store  state.Reader
}

// Answer makes a query for requests of type Q.
func Answer[Q, A proto.Message](answer func(QueryCtx, Q) (A, error)) Query {
	var prototype Q
	kind := prototype.ProtoReflect().Type()
	return Query{
		Type: string(kind.Descriptor().FullName()),
		New:  func() proto.Message { return kind.New().Interface() },
		Answer: func(ctx QueryCtx, q proto.Message) (proto.Message, error) {
			return answer(ctx, q.(Q))
		},
	}
}
