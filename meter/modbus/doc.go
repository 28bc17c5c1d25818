// Package modbus reads registers of meters over Modbus TCP, RTU on a serial
// line, and RTU frames over TCP (metering.md 3).
//
// A Bus is one connection with all the meters behind it; one question at a
// time is on it. The frames and the client are goburrow/modbus's, the
// transport is ours, because the stock one takes a late answer for the answer
// to the next question. What keeps a wrong value out:
//
//   - every question has a deadline, and after any fault the connection is
//     closed and made anew, with a pause that grows while that fails;
//   - what lies on the line unasked is read away before a question is written;
//   - an answer must be of the unit, the function and the number of registers
//     that were asked, and over TCP of the transaction;
//   - after a fault a unit is first asked for a single register, which nothing
//     else here asks for. Units answer in order, so when that answer is there,
//     no older one can follow. It is thrown away.
//
// What is left is a bus that repeats answers by itself without any fault: RTU
// frames do not say what they answer. The device maps therefore ask one unit
// for a different number of registers in each of their blocks.
package modbus
