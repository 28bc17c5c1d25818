// Package dispatch turns matches into what devices are to do (SPEC 11): it shares
// the energy that an account matched in a period over the devices which the account
// lets be steered, keeps operators' commands that override it, and keeps what
// gateways say was done. It exists so that gateways, owners and auditors read one
// schedule, and so that nobody steers a device without its owner's consent. Nothing
// here moves money or energy: what was delivered the meters say. It lies above
// settlement, of which it reads what meters counted.
//
// State (module byte protocol.ModuleDispatch):
//
//	1 devices  account, device          Device, until it is removed
//	2 owners   device                   Owner: leads to the row in devices
//	3 carried  gateway, device          Owner: the devices of a gateway
//	4 fleets   market, account          Owner: the accounts with devices by their market
//	5 plans    account, period          Plan, as long as statements are kept
//	6 acks     account, period, device  Acknowledgement, as long as plans
//	7 ages     period, account          there are plans or acknowledgements of it
//	8 commands account, device, number  Command, as long as plans after its end
//	9 ends     until, account, device, number  leads to the row in commands
//	10 counter of commands
//
// Devices. MsgSetDevice is the owner's consent: a device has limits within the
// rating of the owner's connection and a gateway that reads a meter of the owner,
// which the authority bound there: nobody makes work for, or gives a device to, a
// gateway that has nothing to do with the account. There are at most 8 an account.
// MsgRemoveDevice ends the consent, of whatever roles its owner is by then: commands
// end with it, and the periods that have not ended are planned anew.
//
// # Plans
//
// A plan is made when the account's book of the period becomes final (package
// matching): all rounds are over, so matches change no more. In the worst case,
// where a side lets its window pass, that is the first block at or after the start.
// A seller feeds out sum v, a buyer draws sum n, n what arrives of v; as power over
// the whole period, truncated. Devices that can go in that direction share it pro
// rata to their limits, by largest remainder, ties by name, none beyond its limit;
// the rest is unplanned_w. Devices that can only go the other way get no set-point,
// as a seller's heating is not to stop; switches never do. Each change of the
// owner's devices while the period has not ended, be it running, makes the next
// version. A period that ended before its book became final is not planned.
//
// The hook goes through the accounts with devices of the markets whose books became
// final in the block, so a period costs no more than its accounts with devices, and
// nothing where there are none. Removing what is old is bounded by 1000 rows of
// plans and 1000 commands a block. Setting or removing a device looks at the books
// from the present period to the last whose gate may have passed.
//
// # Commands
//
// MsgCommandDevice sets a power, a switch, or what may charge a battery, for periods
// from (the present one at the earliest) to until (excluded, at most 31 days ahead).
// While it is in force it stands in place of the set-point, whose power then does
// not count; of several commands the latest given one holds. A power beyond the
// device's limits is refused, and a command that later limits do not allow ends. Any
// device may be switched: off, it neither feeds nor draws; on, it runs as it would
// unsteered. Whoever may command a device may cancel any command of it. One that has
// begun ends in the present period, and stays for acknowledgements; until then it
// counts among the 16 of its device.
//
// Frozen accounts may remove and command their own devices and cancel commands,
// since that is how they make them safe, but not set any; their confirmed matches
// are dispatched as they are settled. A frozen aggregator commands its own devices
// only. A frozen gateway acknowledges, as it sends readings. Devices of a revoked
// account are removed in the block that revokes it; without orders from the chain
// gateways go to their safe state.
//
// # Acknowledgements
//
// A gateway says of its devices by period what it did with a version of the plan or
// with a command. Of one device and period the latest at_ms stands; an older or
// equal one, such as a repetition, changes nothing. Of earlier versions the
// set-points are not kept: they may be acknowledged by version. They are taken from
// the period's start on, max_future_ms before it at the earliest, and as long as plans
// are kept (statement_retention_periods), since gateways come back after weeks; events
// have them all.
//
// Hook, each block, after settlement: devices of accounts revoked in the block go,
// books that became final are planned, what is old is removed. An account that
// cannot be planned is reported (PlanningFailed) and holds up nobody.
//
// Invariant dispatch: set-points and unplanned_w of a plan add up to its power; a
// plan of a period that has not ended is exactly what matches and devices make of
// it, and of a final book none is missing; devices are within ratings, at most 8 and in the indexes; commands are within
// their devices' limits, at most 16 a device, and found by their ends; what was
// cancelled ends with the period in which it was.
package dispatch
