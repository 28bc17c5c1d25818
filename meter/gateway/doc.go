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
// A reading just after each boundary of the chain's periods is what the chain
// needs: there is one whatever the interval.
//
// # What the chain asks
//
// A gateway's operator sets on chain how often it signs and how long readings
// may wait before they are sent (MsgSetGateway, metering.md 8). The chain is
// asked at the start, every minute and after a reload; what it says holds from
// the next poll and the next sending on, and no meter is stopped for it. An
// interval in the configuration is a bound of whoever owns the machine: the
// gateway never signs more often, whatever the chain asks, but at boundaries.
// Where the chain asks nothing it is the interval; without either, readings are
// signed at boundaries only. Readings are sent at once unless the chain lets
// them wait.
//
// # Nodes
//
// Aggregators say on chain where their nodes answer (MsgSetEndpoints). A gateway
// learns these endpoints from any node that it reaches and tries them after the
// configured ones; "discover: no" in the configuration leaves it at those. All
// are asked who they are, every minute and after each failure: only nodes that
// name the right chain and have caught up are used. An endpoint that is no
// http or https URL of a host and a port is not learnt, and one that the chain
// names no more, as of a revoked aggregator, is forgotten. What was learnt is in
// chain.json in the gateway's home, for a start while the configured nodes are
// away; a file that is damaged, that others may write, or that is of another chain
// is not used. A node that is used is trusted: one that said of a block that
// it holds readings, and lied, would make the gateway drop them.
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
// that time again. A meter's own time may be 30 s ahead of the clock, as the chain
// allows. A reading that the chain refused as implausible or as of the future is
// none to compare with: if the registers or the clock fall back after it, the next
// snapshot is signed, and the chain compares it with what it has.
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
// node that can be used; five minutes after the last failure, or when other nodes
// can be used than before, at the first. When nodes answer again, batches follow one another, never two at a time,
// so that a gateway takes at most one envelope of a block. Sending twice is
// harmless: the chain takes a repetition for what it is. A reading leaves the
// spool only when a block holds it.
package gateway
