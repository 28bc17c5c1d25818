package proof

import (
	"strings"
	"testing"
)

// TestTrustedHeaderFile: a mistake in a header's file is named with its place.
func TestTrustedHeaderFile(t *testing.T) {
	for _, tc := range []struct{ file, says string }{
		{"{\n \"signed_header\": {,", "line 2 column "},
		{"{\n \"signed_header\": {},\n \"validatores\": []}", "line 3 column "},
		{"{\n \"signed_header\": {},\n \"validators\": []}", "line 2 column 19: field signed_header: expected a header with its commit"},
		{"{\n \"signed_header\": 7,\n \"validators\": []}", "line 2 column 19: field signed_header: expected a header with its commit"},
	} {
		if _, err := ParseTrusted(tc.file); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.file, err, tc.says)
		}
	}
}
