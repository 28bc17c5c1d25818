package paths

import "testing"

// The longest straight line, between the corners of the greatest coordinates
// that the module accepts, fits.
func TestLongestDistance(t *testing.T) {
	const most = 1_000_000_000
	if got := distance(2*most, 2*most); got != 2_828_427_124 {
		t.Errorf("expected 2828427124 mm, got %d", got)
	}
}
