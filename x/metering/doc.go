// Package metering turns signed readings of meters into the energy of periods
// (SPEC 7). Settlement needs one pair of numbers per account and period that
// every replica agrees on and that no later reading changes: the package decides
// which readings count and fixes each meter's registers at every boundary
// between periods once.
//
// # State
//
//	1 meters     name                  -> MeterState
//	2 points     meter | time | kind   -> Point: readings (kind 0) and swaps (1)
//	3 sequences  meter | ^sequence     -> SequenceTime, the highest first
//	4 partial    period | account      -> Energy that lacks meters
//	5 ready      period | account      -> Energy for settlement
//	6 due        meter                 -> nothing: has boundaries to fix
//	7 histories  meter | span          -> History: boundaries that may be corrected, 32 in a span
//	8 corrections period | account     -> Correction of what settlement took
//
// Energy is measured on running registers: what the device shows plus an
// offset that makes them go on through a swap of the device. Of a meter the
// points after its last fixed boundary are kept and the latest one at or before
// it: what boundaries to come are drawn from.
//
// # Readings
//
// MsgSubmitReadings is all or nothing. Its gateway key must belong to the sender
// and must have signed every reading; each meter must be bound to the sender.
// Meters of frozen and revoked accounts are read on, so that their confirmed
// matches settle (SPEC 2). Sequence and time of a meter's readings must agree in
// order, running registers must not fall, and none may grow by more than rating
// x time + step since its neighbour. Readings may come in any order until their
// time is behind a fixed boundary (too_late), or more than a period before the
// meter was bound, or, until a meter's first boundary is fixed, more than 31 days
// ago.
//
// A gateway that lost its connection sends again what may be on chain already,
// and that must not fail its message. A repetition of a kept reading is compared
// with it, but for the signature, and changes nothing. Of removed readings only
// the sequences are known, as the highest one and the latest 16 ranges that were
// never seen: a sequence that was seen counts as a repetition if its time lies
// at or before the last fixed boundary, one never seen is too_late there. Neither
// can change a period that is closed.
//
// At most 4096 points of a meter are kept. Only a reading that ends the period
// goes in then, others are too_many_readings; after the block in which the period
// ends there is room again.
//
// # Boundaries
//
// The end-block hook fixes the registers at each multiple of the period length
// that lies at or before a meter's newest point, in order, beginning with the
// first one at or after its first point. A point at the very boundary gives its
// registers; else they are interpolated, rounded down, between the points around
// it. A boundary is estimated if those two are more than a period apart or one of
// them was not measured. A reading accepted between two hooks may bend the line:
// a boundary never falls below the one before. The first boundary closes nothing,
// each further one closes the period before it. Once all billing meters that were
// bound by the start of the period have closed it, the account's energy is ready;
// it is estimated if any of the boundaries is.
//
// A meter remembers what it counted in the last period that it closed, since
// settlement takes the ready energy away: standing orders follow it (Latest).
//
// A block fixes at most 20 000 boundaries, shared equally among the meters that
// have some; the rest waits for the next block.
//
// # Corrections
//
// MsgCorrectReadings gives what a meter's registers were at boundaries that were
// fixed: signed by the gateway like any reading, with quality corrected, no
// sequence, and the boundary's next version, so that a replay is refused. What it
// corrects of one meter is judged together: registers never fall from a boundary
// to the next nor grow by more than rating x time + step. A corrected boundary
// moves energy between the periods beside it and leaves their sum; that they are
// estimated, or not, stays. Energy that waits for settlement is changed itself;
// what settlement took becomes a Correction for it to take, one for an account
// and period whatever made it.
//
// For that the boundaries of the last correction_retention_periods periods are
// kept, and the one before, in rows of 32: a row for each would double the rows
// that a period leaves in state, one row for all would be written anew with every
// boundary. A day of quarter hours is five rows of a meter, of 16 bytes a boundary
// or so. 0, the default, keeps nothing and allows nothing.
//
// Refused is the newest boundary, by which the readings to come are judged, until
// the next one is fixed; the first that is kept, since what its period before
// counted is not known; boundaries at or before the latest swap; and those whose
// period before began before the meter was bound. A message carries at most 100.
//
// # Swaps
//
// MsgSwapMeter, by the authority, ends the old device's registers and begins the
// new one's at a time no earlier than the meter's newest point: boundaries up to
// it are drawn from the old registers. A reading of that very time or before it
// is the old device's.
//
// # Invariants
//
// I4: the points of a meter are in order of time and sequence and their running
// registers never fall; no energy is negative. boundaries: those that are kept
// never fall either, corrected or not, and end with the one in the meter's state.
package metering
