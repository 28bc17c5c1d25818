// Package gateway is the meter sidecar: it polls the meters of its
// configuration, signs readings of their cumulative registers, keeps them in a
// spool until a block holds them, and brings them there (SPEC 7). The devices of
// its configuration it steers as the chain asks (SPEC 11).
//
// # A reading's way
//
//	poller    one a meter: a snapshot at every multiple of poll; device.History
//	          judges it; the first good one of each interval is handed on
//	recorder  one: gives it its sequence, signs it, appends it to the spool; what
//	          many meters hand on at a time is synced at once
//	uplink    one: sends what waits in batches, the oldest first, one at a time
//
// The interval is the chain's period length unless the configuration says
// another: a reading just after each boundary is what the chain needs.
//
// # Sequences
//
// A meter's sequence goes up by one with each reading. It is in the spool before
// anything is sent, so that no two readings ever share one. A meter without a
// reading in the spool begins at the time in ms: a gateway whose disk was lost
// goes on beyond all that it may have used, without asking anybody. A sequence
// whose append failed is not used again.
//
// # What is never signed
//
// Snapshots that device.History does not find measured. A Gap is signed: the
// registers are right, and the chain sees from the times that it must estimate.
// A meter whose registers went back, or that was replaced, is withheld until the
// chain knows of a swap (MsgSwapMeter) after its last reading. Nothing is signed
// before the clock shows 2020, and nothing at or before the time of the meter's
// last reading: when the clock was set back, the meter waits until it has passed
// that time again.
//
// # What the chain refuses
//
// An envelope is all or nothing. If one fails with a code of the metering module,
// the reading to blame is sought by dividing the batch, beginning where the
// chain's words point; it is set aside with code and reason, the rest goes on.
// Readings refused as of the future, or because the meter is not bound to this
// gateway, are tried again after 1, 2, 4 .. 60 minutes; others when somebody asks
// for it (energymeter spool retry). Any other refusal is about the gateway, not a
// reading (unknown key, quota, another chain): all readings wait, and the uplink
// tries again after a pause.
//
// # Devices
//
// Every 10 s, or three times within the shortest watchdog, one node is asked what
// the devices are to do, the next one after a failure; package dispatch decides
// whether the answer may be followed, and executes it. What became of it waits on
// disk and travels behind the readings, by the same sender. An acknowledgement
// that the chain refuses is dropped; where the chain takes none of this gateway
// they wait, and readings go on. dispatch.json in the home says how things stand,
// for energymeter dispatch status.
//
// # Without a chain
//
// Pauses grow from 1 s to 30 s, with jitter, and each attempt begins at the next
// node. When nodes answer again, batches follow one another, never two at a time,
// so that a gateway takes at most one envelope of a block. Sending twice is
// harmless: the chain takes a repetition for what it is. A reading leaves the
// spool only when a block holds it.
package gateway
