// Package sunspec reads devices that describe themselves by the SunSpec
// models: meters (201-204, 211-214), inverters (101-103, 111-113) and batteries
// (124, 802), each behind a common model (1) with its serial number.
//
// A device is found by the mark "SunS" at register 0, 40000 or 50000; from
// there each model says its number and length, up to the end mark. A reading
// asks for the serial number, and then at once for all of the model from its
// number to its energies, so that a device that was exchanged or has another
// layout is noticed. Models that are not known are passed over.
//
// SPEC is silent on these: a meter's power counts as it says, positive for
// import; an inverter counts what it fed in, so its energy is export, its
// import register 0 and its power negative. Of a device with a meter and an
// inverter the meter is read; one with two meters is refused.
package sunspec
