package dispatch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

// TestShare: set-points and what is left over add up, none goes beyond its limit or
// the other way, something is left over only if all are at their limits, and each is
// within a watt of its proportion.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.OneOf(rapid.Int64Range(0, 9), rapid.Int64Range(0, maxPowerW))
		var steered []*dispatchv1.Device
		for i := range rapid.IntRange(0, maxDevices).Draw(t, "devices") {
			steered = append(steered, &dispatchv1.Device{
				Device: string(rune('a' + i)), MaxOutW: limit.Draw(t, "out"), MaxInW: limit.Draw(t, "in"),
			})
		}
		power := rapid.OneOf(rapid.Int64Range(-50, 50), rapid.Int64Range(-9*maxPowerW, 9*maxPowerW)).Draw(t, "power")
		points, left, err := share(power, steered)
		if err != nil {
			t.Fatal(err)
		}
		sum, total := left, int64(0)
		for _, d := range steered {
			total += limitOf(d, power)
		}
		for _, point := range points {
			d := steered[slices.IndexFunc(steered, func(d *dispatchv1.Device) bool { return d.Device == point.Device })]
			if point.PowerW > d.MaxOutW || point.PowerW < -d.MaxInW || point.PowerW*power < 0 && power < 1000 && power > -1000 {
				t.Fatalf("set-point %v of %v for %d W", point, d, power)
			}
			if left != 0 && point.PowerW != limitOf(d, power) && point.PowerW != -limitOf(d, power) {
				t.Fatalf("%d W are left over, and %v is not at its limit", left, point)
			}
			if total < 1000 && left == 0 && (point.PowerW-1)*total >= power*limitOf(d, power) && point.PowerW > 0 {
				t.Fatalf("set-point %v of %d W, beyond its part of %d", point, power, total)
			}
			sum += point.PowerW
		}
		if sum != power {
			t.Fatalf("set-points and %d W add up to %d, not %d", left, sum, power)
		}
	})
}

// TestTies: of equal remainders the first by name comes first.
func TestTies(t *testing.T) {
	var steered []*dispatchv1.Device
	for _, name := range []string{"a", "b", "c"} {
		steered = append(steered, &dispatchv1.Device{Device: name, MaxInW: 10})
	}
	points, left, err := share(-8, steered)
	if err != nil || left != 0 || len(points) != 3 || points[0].PowerW != -3 || points[1].PowerW != -3 || points[2].PowerW != -2 {
		t.Errorf("got %v, %d, %v", points, left, err)
	}
}
