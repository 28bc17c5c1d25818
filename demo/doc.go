// Package demo lets a neighbourhood trade for some periods on a real network
// and reports what came of it. It exists so that one command shows the whole
// trading cycle on measured data and proves that every balance adds up.
//
// The pure parts are here: the scenario (who lives where, load and sun per
// interval, read from a folder or generated from a seed), the market behaviour
// drawn from the seed (who sells what, at which price, with which wishes), and
// the report with the laws it must obey. Nothing of it talks to a network.
//
// Energy is Wh, money ucoin, prices ucoin per kWh, ratios ppm, lengths mm.
// Everything is integer arithmetic, so a seed gives the same market on every
// machine.
package demo
