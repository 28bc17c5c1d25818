// Package demo lets a neighbourhood trade for some periods on a real network
// and reports what came of it. It exists so that one command shows the whole
// trading cycle on measured data and proves that every balance adds up.
//
// The pure parts: the scenario (who lives where, load and sun per interval,
// read from a folder or generated from a seed), the market behaviour drawn from
// the seed (who sells what, at which price, with which wishes, or who has which
// contracts with whom), and the report with the laws it must obey. The driver
// (run.go, driver.go, register.go, contract.go, trade.go, meters.go, stage.go, audit.go)
// starts a network of real processes and plays every member and gateway on it, by
// block time.
//
// Readings are signed by the driver, or, with ModbusMeters, by energymeter
// processes that read simulated meters over Modbus TCP (meters.go): the chain gets
// the same energies to the Wh. A gateway reads at moments of its own, so a boundary
// between periods lies between two of its readings and the chain draws a line
// between them. Therefore the simulated meters count a period's energy between a
// third and a half of it, and hold still around boundaries; two readings a period
// have the boundary's register on both sides of it. In between they do count, as
// meters do: a gateway that is late by a third of a period shows as a difference.
//
// A story is a run in which something goes wrong: the chain stands still, meters
// are late, coins lack, meters count less than was traded. It is data (story.go: a
// plan of who does what in which period, laid out where the scenario suits it best
// by scene.go), which the driver follows, and it is told afterwards from the
// blocks' events alone (chronicle.go, teller.go and a file for each story): what
// happened to whom, what it cost, by which rule, and the laws that must hold. So
// that nothing else deviates, everybody orders in it exactly what its meter will
// count; the households that it is about ask feed-in or bid retail, so that an
// auction, the market of a story by default, lets them trade for sure.
//
// Energy is Wh, money ucoin, prices ucoin per kWh, ratios ppm, lengths mm.
// Everything is integer arithmetic, so a seed gives the same market on every
// machine.
package demo
