// Package demo lets a neighbourhood trade for some periods on a real network
// and reports what came of it. It exists so that one command shows the whole
// trading cycle on measured data and proves that every balance adds up.
//
// The pure parts: the scenario (who lives where, load and sun per interval,
// read from a folder or generated from a seed), the market behaviour drawn from
// the seed (who sells what, at which price, with which wishes, or who has which
// contracts with whom), and the report with the laws it must obey. The driver
// (run.go, driver.go, register.go, contract.go, trade.go, audit.go) starts a
// network of real processes and plays every member and gateway on it, by block
// time.
//
// Energy is Wh, money ucoin, prices ucoin per kWh, ratios ppm, lengths mm.
// Everything is integer arithmetic, so a seed gives the same market on every
// machine.
package demo
