// Package types stands for the engine's package of that path.
package types

// Code stands for a constant of the engine.
const Code = 0
