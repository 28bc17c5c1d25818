// Package modbus reads and writes over Modbus TCP, RTU on a serial line, and
// RTU frames over TCP: registers, coils and discrete inputs of meters and of
// devices that are steered (metering.md 3, 7).
//
// A Bus is one connection with all the units behind it; one question at a
// time is on it. The frames and the client are goburrow/modbus's, the
// transport is ours, because the stock one takes a late answer for the answer
// to the next question. What keeps a wrong value out:
//
//   - every question has a deadline, and after any fault the connection is
//     closed and made anew, with a pause that grows while that fails;
//   - what lies on the line unasked is read away before a question is written;
//   - an answer must be of the unit, the function and the number of values that
//     were asked, or echo what was written, and over TCP be of the transaction;
//   - questions that were not answered are remembered. A unit answers in
//     order, so after a fault, and before a write too, it is first asked for a
//     number of registers or coils that none of them had: when that answer is
//     there, no older one can follow. It is thrown away. After ten time-outs a
//     question is forgotten.
//
// What is left is a bus that repeats answers by itself without any fault: RTU
// frames do not say what they answer. The device maps therefore ask one unit
// for a different number of registers in each of their blocks.
package modbus
