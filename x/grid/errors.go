package grid

import "github.com/energyd/energyd/module"

var codespace = module.Codespace("grid")

// Refusals. The codes are consensus data.
var (
	// ErrField: a field is out of its range.
	ErrField = codespace.New(2, "invalid_field")
	// ErrDuplicate: a node, line or removal is named twice in one message, or
	// two nodes are joined twice.
	ErrDuplicate = codespace.New(3, "duplicate")
	// ErrUnknownNode: no node has that name.
	ErrUnknownNode = codespace.New(4, "unknown_node")
	// ErrUnknownLine: no line joins these ends in that order.
	ErrUnknownLine = codespace.New(5, "unknown_line")
	// ErrNodeInUse: a line ends at the node or an account is connected to it.
	ErrNodeInUse = codespace.New(6, "node_in_use")
	// ErrUnknownTariff: the class has no tariff in that period.
	ErrUnknownTariff = codespace.New(7, "unknown_tariff")
	// ErrTooManyZones: fees know as many zones as they may.
	ErrTooManyZones = codespace.New(8, "too_many_zones")
)
