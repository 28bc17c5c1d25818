package protocol

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rfc8032Key is the public key of test 1 in RFC 8032 7.1.
const rfc8032Key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAddressVectors holds values computed with another implementation of
// SHA-256, RIPEMD-160 and bech32 (BIP 173).
func TestAddressVectors(t *testing.T) {
	for _, tc := range []struct {
		name string
		got  Address
		want string
	}{
		{"key", KeyAddress(unhex(t, rfc8032Key)), "energy1jantc6jskdmt6majtmx9h5eg3fnrh0kfd5m8yn"},
		{"authority", AuthorityAddress, "energy1954q9rcs0x6w9230kjg657f2zs0yvuhh4htzdj"},
		{"grid", GridAddress, "energy18dswqmcf6duc7zf30epkhwvz60warzptejzzqf"},
		{"fees", FeeAddress, "energy1rf6lx9z493t2egs2luqv0qvxwj9s8ckkfcnny9"},
		{"zero", Address{}, "energy1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqakwdyl"},
	} {
		if got := tc.got.String(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestAddressRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := Address(rapid.SliceOfN(rapid.Byte(), AddressSize, AddressSize).Draw(t, "address"))
		text := address.String()
		for _, spelling := range []string{text, strings.ToUpper(text)} {
			if got, err := ParseAddress(spelling); got != address || err != nil {
				t.Fatalf("%s read back: %v, %v", spelling, got, err)
			}
		}
		// Bech32 finds any one changed character.
		place := rapid.IntRange(len(AddressPrefix)+1, len(text)-1).Draw(t, "place")
		other := rapid.SampledFrom([]byte("qpzry9x8gf2tvdw0s3jn54khce6mua7l")).Filter(func(c byte) bool { return c != text[place] }).Draw(t, "character")
		changed := []byte(text)
		changed[place] = other
		if got, err := ParseAddress(string(changed)); err == nil {
			t.Fatalf("%s was read as %v", changed, got)
		}
	})
}

func TestParseAddressRefuses(t *testing.T) {
	for _, text := range []string{
		"", "energy1", "energy",
		"cosmos1jantc6jskdmt6majtmx9h5eg3fnrh0kfrp4483",  // sound, of another prefix
		"energy1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqjmj8kr",   // sound, of 19 bytes
		"energy1Jantc6jskdmt6majtmx9h5eg3fnrh0kfd5m8yn",  // mixed case
		"energy1jantc6jskdmt6majtmx9h5eg3fnrh0kfd5m8yn ", // a space
		rfc8032Key,
	} {
		if got, err := ParseAddress(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestSizesAreChecked(t *testing.T) {
	if _, err := AddressFrom(make([]byte, 19)); err == nil {
		t.Error("19 bytes passed as an address")
	}
	if _, err := IDFrom(make([]byte, 20)); err == nil {
		t.Error("20 bytes passed as an id")
	}
	if id, err := IDFrom(bytes.Repeat([]byte{0xab}, IDSize)); err != nil || id.String() != strings.Repeat("ab", IDSize) || !bytes.Equal(id.Bytes(), id[:]) {
		t.Errorf("id %v, %v", id, err)
	}
	if got := AuthorityAddress.Bytes(); !bytes.Equal(got, AuthorityAddress[:]) {
		t.Errorf("bytes %x", got)
	}
}

func TestMessageID(t *testing.T) {
	key := unhex(t, rfc8032Key)
	if got, want := MessageID(key, 7, 2).String(), "e75ad07e9f778d49fe36d8460bd51a0c"; got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	if MessageID(key, 7, 2) == MessageID(key, 7, 3) || MessageID(key, 7, 2) == MessageID(key, 8, 2) {
		t.Error("two messages have one id")
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "node-1.bus_2": true, strings.Repeat("x", NameSize): true,
		"": false, strings.Repeat("x", NameSize+1): false, "A": false, "a b": false, "ä": false, "../a": false, "a/b": false, "a\n": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q): %v, want ok %t", name, err, ok)
		}
	}
}
