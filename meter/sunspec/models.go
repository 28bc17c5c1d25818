package sunspec

// kind is what a device with a model measures.
type kind uint8

const (
	meter kind = iota + 1
	inverter
	battery
)

// layout says where a model has what is read of it, as offsets from the
// register with its number. An offset of 0 means that there is none.
type layout struct {
	kind
	length uint16 // that the model says of itself, at least
	float  bool   // energies and power are float32 without scale
	// energy of an inverter or export of a meter; its scale
	export, imports, energyScale uint16
	power, powerScale            uint16
	// of a battery
	charge, chargeScale, capacity, capacityScale uint16
}

var layouts = map[uint16]layout{}

func init() {
	of := func(l layout, numbers ...uint16) {
		for _, n := range numbers {
			layouts[n] = l
		}
	}
	of(layout{kind: inverter, length: 50, export: 24, energyScale: 26, power: 14, powerScale: 15}, 101, 102, 103)
	of(layout{kind: inverter, length: 60, float: true, export: 32, power: 22}, 111, 112, 113)
	of(layout{kind: meter, length: 105, export: 38, imports: 46, energyScale: 54, power: 18, powerScale: 22}, 201, 202, 203, 204)
	of(layout{kind: meter, length: 124, float: true, export: 60, imports: 68, power: 28}, 211, 212, 213, 214)
	of(layout{kind: battery, length: 24, charge: 8, chargeScale: 22}, 124)
	of(layout{kind: battery, length: 62, charge: 11, chargeScale: 56, capacity: 3, capacityScale: 53}, 802)
}

// span is how many registers hold all that is read of the model, from its
// number on. No two kinds of layout have the same.
func (l layout) span() uint16 {
	end := max(l.energyScale, l.powerScale, l.chargeScale, l.capacityScale)
	if l.float {
		end = max(l.export, l.imports, l.power) + 1
	}
	return end + 1
}
