package grid

import (
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/grid/paths"
)

// MaxZones bounds the zones that fees know, so that a clearing looks at no more
// than its square of fees.
const MaxZones = 64

// zoneFeeAt returns the fee from one zone to another that rules the period: the
// latest one from then or before, one of 0 if there is none.
func zoneFeeAt(r state.Reader, from, to string, period int64) *gridv1.ZoneFee {
	for _, fee := range zoneFees.From(r, zoneFees.Key().Name(from).Name(to), zoneFeeKey(from, to, max(period, 0))) {
		return fee
	}
	return &gridv1.ZoneFee{FromZone: from, ToZone: to}
}

// FeesOf returns what the ways between the nodes cost in a period by their zones;
// nil if no fee was ever set. It reads MaxZones^2 fees at most.
func FeesOf(r state.Reader, ways *paths.Paths, period int64) *paths.Fees {
	var names []string
	for _, zone := range zones.All(r, zones.Key()) {
		names = append(names, zone.Zone)
	}
	if len(names) == 0 {
		return nil
	}
	return ways.Fees(names, func(from, to int) int64 {
		return zoneFeeAt(r, names[from], names[to], period).FeeUcoinPerKwh
	})
}

// zoneFeeKey orders a pair's fees from the newest to the oldest.
func zoneFeeKey(from, to string, fromPeriod int64) state.Key {
	return zoneFees.Key().Name(from).Name(to).Int64(-fromPeriod)
}

// writeZoneFee sets a fee, and its zones where they are new.
func writeZoneFee(store state.Store, fee *gridv1.ZoneFee) error {
	for _, name := range []string{fee.FromZone, fee.ToZone} {
		if zones.Has(store, zones.Key().Name(name)) {
			continue
		}
		known := 0
		for range store.Range(zones.Key(), nil) {
			known++
		}
		if known >= MaxZones {
			return ErrTooManyZones.With("from_zone: expected fees between at most %d zones, %q is one more", MaxZones, name)
		}
		zones.Set(store, zones.Key().Name(name), &gridv1.Zone{Zone: name})
	}
	zoneFees.Set(store, zoneFeeKey(fee.FromZone, fee.ToZone, fee.FromPeriod), fee)
	return nil
}

// checkZone accepts a name like a node's, and the empty one.
func checkZone(name string) error {
	if name == "" {
		return nil
	}
	return protocol.CheckName(name)
}
