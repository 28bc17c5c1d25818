package simulate

import (
	"fmt"
	"math"

	"github.com/energyd/energyd/meter/modbus"
)

// State is what a meter shows at one moment: its registers in Wh and its
// power in W, import positive.
type State struct{ ImportWh, ExportWh, PowerW int64 }

// Models are the meters that can be simulated.
var Models = []string{"eastron-sdm630", "sunspec", "schneider-iem3000"}

// NewMeter returns a unit of a model that shows what now says. The state is
// taken anew for each question, so that all registers in one answer are of one
// moment. serial is of a SunSpec meter; the others show none.
func NewMeter(model, serial string, now func() State) (Registers, error) {
	switch model {
	case "eastron-sdm630":
		return block(modbus.Input, 0, func() []uint16 { return sdm630(now()) }), nil
	case "sunspec":
		return block(modbus.Holding, 40000, func() []uint16 { return sunspec203(serial, now()) }), nil
	case "schneider-iem3000":
		return block(modbus.Holding, iem3000Base, func() []uint16 { return iem3000(now()) }), nil
	}
	return nil, fmt.Errorf("expected one of %v, got %q", Models, model)
}

// block is a unit with one run of registers.
func block(table modbus.Table, base uint16, values func() []uint16) Registers {
	return func(asked modbus.Table, address, count uint16) ([]uint16, bool) {
		all := values()
		from := int(address) - int(base)
		if asked != table || from < 0 || from+int(count) > len(all) {
			return nil, false
		}
		return all[from : from+int(count)], true
	}
}

// putFloat puts a float32 in two registers, high first.
func putFloat(to []uint16, v float64) {
	bits := math.Float32bits(float32(v))
	to[0], to[1] = uint16(bits>>16), uint16(bits)
}

// sdm630 is the table of an SDM630 whose load is spread over three phases.
func sdm630(s State) []uint16 {
	out := make([]uint16, 0x180)
	for phase := range 3 {
		putFloat(out[2*phase:], 230)
		putFloat(out[6+2*phase:], math.Abs(float64(s.PowerW))/3/230)
		putFloat(out[12+2*phase:], float64(s.PowerW)/3)
	}
	putFloat(out[0x34:], float64(s.PowerW))
	putFloat(out[0x46:], 50)
	putFloat(out[0x48:], float64(s.ImportWh)/1000)
	putFloat(out[0x4A:], float64(s.ExportWh)/1000)
	putFloat(out[0x156:], float64(s.ImportWh+s.ExportWh)/1000)
	return out
}

// iem3000Base is the first register that is simulated of an iEM3000.
const iem3000Base = 0x0BD3

// iem3000 is a part of the table of an iEM3155, which counts in whole Wh.
func iem3000(s State) []uint16 {
	out := make([]uint16, 0x0C8B-iem3000Base)
	putFloat(out[0x0BD3-iem3000Base:], 230)
	putFloat(out[0x0BF3-iem3000Base:], float64(s.PowerW)/1000)
	putFloat(out[0x0C25-iem3000Base:], 50)
	for address, wh := range map[int]int64{0x0C83: s.ImportWh, 0x0C87: s.ExportWh} {
		for i := range 4 {
			out[address-iem3000Base+i] = uint16(wh >> (48 - 16*i))
		}
	}
	return out
}

// sunspec203 is a three-phase meter that counts in Wh up to 32 bits.
func sunspec203(serial string, s State) []uint16 {
	const (
		commonLength, meterLength = 66, 105
		absent                    = 0x8000
	)
	out := []uint16{0x5375, 0x6E53, 1, commonLength}
	for _, field := range []struct {
		text      string
		registers int
	}{{"energyd", 16}, {"simulated meter", 16}, {"", 8}, {"1", 8}, {serial, 16}} {
		letters := make([]byte, 2*field.registers)
		copy(letters, field.text)
		for i := range field.registers {
			out = append(out, uint16(letters[2*i])<<8|uint16(letters[2*i+1]))
		}
	}
	out = append(out, 1, absent) // device address, padding
	meter := make([]uint16, 2+meterLength)
	meter[0], meter[1] = 203, meterLength
	for at := 2; at <= 37; at++ {
		meter[at] = absent
	}
	// Power in W, or in tens, hundreds of W where it does not fit.
	power, scale := s.PowerW, uint16(0)
	for power != int64(int16(power)) || power == math.MinInt16 {
		power, scale = power/10, scale+1
	}
	meter[16], meter[17] = 5000, 0xFFFE // 50.00 Hz
	meter[18], meter[22] = uint16(power), scale
	meter[38], meter[39] = uint16(s.ExportWh>>16), uint16(s.ExportWh)
	meter[46], meter[47] = uint16(s.ImportWh>>16), uint16(s.ImportWh)
	meter[71], meter[104] = absent, absent // no scale: no apparent, no reactive energy
	out = append(out, meter...)
	return append(out, 0xFFFF, 0)
}
