// Package dispatch steers devices: it writes what the chain asks of them into
// their coils and holding registers, behind an interlock, and says what became
// of it (SPEC 11, metering.md 7).
//
//	Output   a device as the configuration has it: registers, limits, safe state
//	Plan     what the chain asks of a gateway's devices in the next periods
//	Device   executes the plan with one output, looked after every second
//	Outbox   acknowledgements on disk until a block holds them
//
// # The interlock
//
// No power beyond the limits is ever written: the lesser of the gateway's own and
// those of the device on chain counts, and what does not fit a register's steps
// is rounded towards 0. The limits are applied where registers are made, so that
// nothing decided before can go around them.
//
// A device is in its safe state whenever nothing better is known: its power is
// safe_w, its switch in the safe position, its charge source the usual one. It is
// written
//
//   - first, from any state that is not known: at the start, after a fault, and
//     after somebody on site had the device;
//   - when the schedule could not be renewed for longer than the watchdog;
//   - at once when the clock cannot be right;
//   - when the schedule asks nothing of the device in a period, or what the
//     output cannot do;
//   - when the gateway is stopped, or the device leaves its configuration.
//
// A gateway that is killed writes nothing; until it is started again the device's
// own fallback is what helps, for which what is set is written again every
// refresh, the safe state as well.
//
// While the override is set nothing is written at all, nor while it cannot be
// read: somebody may be at the device.
//
// # Writing
//
// Each value is read back. A write whose answer is late or lost may have been
// done: if the device shows the value it was, else the safe state is written. A
// device that answers with an exception has refused, one that shows another value
// has failed; in both cases it rests in its safe state for 2, 4 .. 60 s before
// the next attempt. A device in two registers has the direction that ends set to 0
// before the other begins; a switch goes off before all else and on at last. With
// a ramp the power changes step by step, down to the safe state at once.
//
// # Time
//
// A period begins by the gateway's clock, within a second, as long as that clock
// is within 30 s of the blocks: each answer of the chain has the time of its
// block. A clock behind the blocks is wrong. One ahead of them is wrong if blocks
// go on; if none comes, the chain stands still and the watchdog runs. The plan is
// not kept on disk: after a restart without a chain there is no schedule.
//
// # What is asked
//
// A command stands in place of the schedule. A power that is scheduled or
// commanded turns the switch on, 0 W turns it off. A switched off device does 0 W;
// a command to switch on leaves the power to the schedule. A device that is only
// switched is on if that is nearer to the power asked than off is, and its limits
// on chain allow its full power; of a device of kind SWITCH only commands count.
// The charge source is set by command; else it is the grid while a power is to be
// drawn, for what was bought comes over it, and the usual one otherwise. A source
// NONE never lets the battery be charged.
//
// # Outcomes
//
//	DONE        what was asked is set
//	LIMITED     less of it, because of limits, a ramp on its way, or a device that
//	            is only switched
//	OVERRIDDEN  somebody on site has the device
//	SAFE        the watchdog, the clock or the end of the gateway
//	REFUSED     the device has no register for it, or answered with an exception
//	FAILED      no answer, or another value was read back
//
// Each is told once a period, with what was set then, 0 W where that is not known.
// If the outcome changes within a period the latest stands.
package dispatch
