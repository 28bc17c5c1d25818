// Package grid knows the network through which energy is traded and what the
// upper grid pays and asks. Matching needs the loss between two connection
// points, settlement the tariff of a period; both must be the same number on
// every replica, so losses are integers and a path is compared by an undivided
// sum (SPEC 4).
//
// # State
//
//	1 nodes    name                      -> Node
//	2 lines    from | to                 -> Line
//	3 ends     to | from                 -> Line without content: the lines that
//	                                       end at a node without starting there
//	4 tariffs  class | minus from period -> Tariff: the newest comes first
//	5 fees     from zone | to zone | minus from period -> ZoneFee: the newest first
//	6 zones    name                      -> Zone that some fee names
//
// A line is known by its ends in the order given. Two nodes are joined by one
// line, or by two one-way lines of opposite directions.
//
// # Loss of a pair
//
// The loss from one node to another is the least, over all paths, of
//
//	floor(sum of length_mm * loss_ppm_per_km / 10^6) + sum of router_loss_ppm
//
// in ppm. Every router on the path converts the energy once, so all of its
// nodes count, both ends included. Dijkstra compares the undivided sums,
// 10^6 times the loss; among equal ones the shorter path is reported. A path on
// which more than everything would be lost (more than 10^6 ppm) leads nowhere.
// Within one node nothing is lost.
//
// On a chain without lines the length of a pair is the sum of both ends'
// path_mm where both have one, else the straight line between their places,
// rounded down to mm, with the default loss per km; else the pair is
// unreachable. The routers of both ends count here too.
//
// # Fees between zones
//
// A node lies in a zone; nodes that name none lie in the zone "". Energy that goes
// from one zone to another, or stays in one, costs the buyer the chain's fee and
// that of this pair of zones, 0 if none was set; one way says nothing of the other.
// A fee holds from the first period whose orders were not open when it was set. A
// node's zone is what it is when the book is cleared, for contracts when their
// period is opened, like its lines. Fees know 64
// zones at most, so that a clearing reads 64 x 64 of them at most.
//
// # Messages
//
// MsgSetTopology, MsgSetTariff and MsgSetZoneFee, by the authority. There are no
// hooks.
//
// # Invariants
//
// grid_topology: the ends of every line exist, and every line is found from both.
// grid_zones: the zones kept are those that fees name.
package grid
