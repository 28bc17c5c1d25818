package client

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

const readingChain = "world-1"

func signedReading(t testing.TB) *SignedReading {
	t.Helper()
	key, err := ParseSeed(strings.Repeat("07", 32))
	if err != nil {
		t.Fatal(err)
	}
	reading := &SignedReading{ChainID: readingChain, GatewayKey: key.Public(), Reading: &meteringv1.Reading{
		Meter: "m-1", Sequence: 9, TimeMs: 1_700_000_100_000, ImportWh: 1234, ExportWh: 50, Quality: meteringv1.Quality_QUALITY_MEASURED,
	}}
	if err := key.SignReading(readingChain, reading.Reading); err != nil {
		t.Fatal(err)
	}
	return reading
}

func checkReading(data []byte) error {
	reading, err := ParseSignedReading(data)
	if err != nil {
		return err
	}
	return reading.Verify()
}

func TestEveryDigitOfAReadingCounts(t *testing.T) {
	data, err := json.Marshal(signedReading(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkReading(data); err != nil {
		t.Fatal(err)
	}
	for i, c := range data {
		if !unicode.IsLetter(rune(c)) && !unicode.IsDigit(rune(c)) {
			continue // space may be written differently
		}
		for _, other := range []byte{c ^ 1, c ^ 0x20} {
			data[i] = other
			if checkReading(data) == nil {
				t.Errorf("byte %d changed from %c to %c, the reading verifies: %s", i, c, other, data)
			}
		}
		data[i] = c
	}
}

func TestReadingRefuses(t *testing.T) {
	data, err := json.MarshalIndent(signedReading(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for _, tc := range []struct {
		name, old, new, says string
		changed              bool
	}{
		{"syntax", `{`, `[`, "line 2 column", false},
		{"unknown field", `"gateway_key"`, `"gateway"`, "line 3 column 3", false},
		{"another register", `"import_wh": 1234`, `"import_wh": 1235`, "not that of key", true},
		{"another chain", readingChain, "world-2", "not that of key", true},
		{"short key", `"gateway_key": "ea`, `"gateway_key": "`, "line 3 column 18: field gateway_key", true},
		{"not a reading", `"meter"`, `"metre"`, "field reading", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := strings.Replace(good, tc.old, tc.new, 1)
			if data == good {
				t.Fatalf("%q is not in %s", tc.old, good)
			}
			err := checkReading([]byte(data))
			if err == nil || errors.Is(err, ErrReadingChanged) != tc.changed || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q, changed %t", err, tc.says, tc.changed)
			}
		})
	}
}
