// Package device says what a meter shows: a Source gives Snapshots, each with
// both cumulative registers in Wh from one consistent read, and a Quality that
// says whether a gateway may sign it. Device maps in YAML say how a Modbus
// meter's registers become a Snapshot, so that another meter needs no Go; the
// format is described in maps/README.md. SunSpec devices describe themselves
// and are read by package sunspec.
//
// The rule that everything here follows: a wrong value never comes out. A
// register that is not available, no number, negative or does not fit with the
// ones before is a state with a name, not a value (metering.md 2).
package device
