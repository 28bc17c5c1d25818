// Package simulate is a Modbus TCP server with meters behind it, for trying a
// gateway without one: an Eastron SDM630, a SunSpec meter or a Schneider iEM3000
// per unit, driven by a CSV file or by a seeded profile of a house with
// photovoltaics. It is a tool for tests: it listens where it is told and knows no
// access control.
package simulate
