//go:build !linux

package modbus

import "errors"

// openSerial refuses: gateways run Linux.
func openSerial(Address) (line, error) {
	return nil, errors.New("serial lines are read on Linux only")
}
