package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/energyd/energyd/protocol"
)

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// check does what a user does with a bill's file.
func check(data []byte, trusted *Trusted) error {
	bill, err := ParseBill(data)
	if err != nil {
		return err
	}
	return bill.Verify(trusted)
}

func TestBillVerifies(t *testing.T) {
	w := newWorld(t)
	for name, data := range map[string][]byte{"indented": marshal(t, w.bill), "compact": []byte(strings.Join(strings.Fields(string(marshal(t, w.bill))), ""))} {
		if err := check(data, w.trusted()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.bill.Totals.SavedUcoin != 2*(885_000-801_000) {
		t.Errorf("saved %d", w.bill.Totals.SavedUcoin)
	}
}

// TestEveryDigitCounts changes each digit and letter of a bill's file in turn:
// none may pass.
func TestEveryDigitCounts(t *testing.T) {
	w := newWorld(t)
	// One period is enough: all are read and checked alike.
	w.bill.Sections = w.bill.Sections[:1]
	retotal(w.bill)
	data, err := json.Marshal(w.bill)
	if err != nil {
		t.Fatal(err)
	}
	trusted := w.trusted()
	if err := check(data, trusted); err != nil {
		t.Fatal(err)
	}
	var changed atomic.Int64
	var work errgroup.Group
	const parts = 8
	for part := range parts {
		work.Go(func() error {
			data := bytes.Clone(data)
			for i := part; i < len(data); i += parts {
				c := data[i]
				for _, other := range []byte(others(c)) {
					data[i] = other
					if check(data, trusted) == nil {
						t.Errorf("byte %d changed from %c to %c, the bill verifies:\n%s", i, c, other, data[max(0, i-60):min(len(data), i+20)])
					}
					changed.Add(1)
				}
				data[i] = c
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := changed.Load(); n < 5_000 {
		t.Errorf("only %d changes were tried", n)
	}
}

// others returns what to put in a digit's or letter's place: the next one, and
// a letter in its other case.
func others(c byte) string {
	switch {
	case c >= '0' && c <= '9':
		return string('0' + (c-'0'+1)%10)
	case c >= 'a' && c <= 'z':
		return string('a'+(c-'a'+1)%26) + strings.ToUpper(string(c))
	case c >= 'A' && c <= 'Z':
		return string('A'+(c-'A'+1)%26) + strings.ToLower(string(c))
	}
	return ""
}

// TestForgedBills changes a bill as a whole, consistently where that is easy.
func TestForgedBills(t *testing.T) {
	other := newWorld(t)
	for _, tc := range []struct {
		name  string
		forge func(*Bill)
		is    error
		says  string
	}{
		{"section left out of the sums", func(b *Bill) { b.Sections = b.Sections[:1] }, ErrBillChanged, "totals"},
		{"statement twice", func(b *Bill) { b.Sections = append(b.Sections, b.Sections[1]); retotal(b) }, ErrBillChanged, "later period"},
		{"statement changed", func(b *Bill) { b.Sections[0].Statement.PaidUcoin--; retotal(b) }, ErrBillChanged, "path"},
		{"another account's", func(b *Bill) { b.Account = protocol.GridAddress }, ErrBillChanged, "another account"},
		{"another period's root", func(b *Bill) { b.Sections[0].Root = b.Sections[1].Root }, ErrBillChanged, "another period"},
		{"another state", func(b *Bill) { b.Header = other.bill.Header }, nil, "header"},
		{"totals of the root", func(b *Bill) { b.Sections[0].Root.Totals.SoldWh++ }, ErrBillChanged, "not in the state"},
		{"proof of another period", func(b *Bill) { b.Sections[0].Proof = b.Sections[1].Proof }, ErrBillChanged, "not in the state"},
		{"no header", func(b *Bill) { b.Header = nil }, ErrBillUnproved, ""},
		{"no proof", func(b *Bill) { b.Sections[0].Proof = nil }, ErrBillUnproved, ""},
		{"another chain", func(b *Bill) { b.ChainID = "world-2" }, nil, "another chain"},
		{"a commit of a third", func(b *Bill) { b.Header.Signed.Commit.Signatures[0].Signature[0] ^= 1 }, nil, "commit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			trusted := w.trusted()
			tc.forge(w.bill)
			err := w.bill.Verify(trusted)
			if err == nil || (tc.is != nil && !errors.Is(err, tc.is)) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %v with %q", err, tc.is, tc.says)
			}
		})
	}
}

func retotal(b *Bill) { b.Totals, _ = b.sum() }

func TestParseBillNamesThePlace(t *testing.T) {
	good := string(marshal(t, newWorld(t).bill))
	for _, tc := range []struct{ name, old, new, says string }{
		{"syntax", `"totals": {`, `"totals": [`, "line 5 column"},
		{"unknown field", `"account"`, `"acount"`, "line 3 column 3"},
		{"not a number", `"bought_wh": 1980`, `"bought_wh": "1980"`, "line 5 column 18: field totals.bought_wh: expected a whole number"},
		{"address", `"account": "energy1`, `"account": "energy2`, "line 3 column 14: field account"},
		{"statement", `"version": 1,`, `"version": true,`, "field periods[0]"},
		{"header", `"signed_header"`, `"signet_header"`, "field header"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := strings.Replace(good, tc.old, tc.new, 1)
			if data == good {
				t.Fatalf("%q is not in the bill", tc.old)
			}
			if _, err := ParseBill([]byte(data)); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}

func TestBillRoundTrip(t *testing.T) {
	w := newWorld(t)
	data := marshal(t, w.bill)
	bill, err := ParseBill(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(marshal(t, bill))); diff != "" {
		t.Error(diff)
	}
}

func TestTrust(t *testing.T) {
	old, young := newSigners(4), newSigners(4)
	at5 := old.header(t, 5, make([]byte, 32), nil, old.set)
	at6 := old.header(t, 6, make([]byte, 32), at5.Signed.Hash(), young.set)
	at7 := young.header(t, 7, make([]byte, 32), at6.Signed.Hash(), young.set)
	forged := young.header(t, 6, make([]byte, 32), at5.Signed.Hash(), young.set)
	whole := func(h *Header) *Trusted {
		trusted, err := ParseTrusted(string(marshal(t, h)))
		if err != nil {
			t.Fatal(err)
		}
		return trusted
	}
	hash := func(h *Header) *Trusted { return &Trusted{Height: h.Signed.Height, Hash: h.Signed.Hash()} }

	for _, tc := range []struct {
		name    string
		trusted *Trusted
		header  *Header
		ok      bool
	}{
		{"itself by hash", hash(at5), at5, true},
		{"itself by file", whole(at5), at5, true},
		{"another of that height", hash(at6), forged, false},
		{"the next, same validators", whole(at5), at6, true},
		{"the next, named validators", whole(at6), at7, true},
		{"the next by hash only", hash(at5), at6, false},
		{"the next, forged on the trusted one", whole(at5), forged, false},
		{"the next, forged, by hash only", hash(at5), forged, false},
		{"the one before", whole(at6), at5, true},
		{"one before that it does not name", whole(at7), forged, false},
		{"later by the same validators", whole(at5), old.header(t, 50, make([]byte, 32), nil, old.set), true},
		{"later by others", whole(at5), at7, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.header.Verify(worldChain); err != nil {
				t.Fatal(err)
			}
			if err := tc.trusted.Trust(worldChain, tc.header); (err == nil) != tc.ok {
				t.Errorf("%v, want ok %t", err, tc.ok)
			}
		})
	}
}

func TestParseTrusted(t *testing.T) {
	hash := strings.Repeat("aB", 32)
	trusted, err := ParseTrusted("12:" + hash + "\n")
	if err != nil || trusted.Height != 12 || hex.EncodeToString(trusted.Hash) != strings.ToLower(hash) {
		t.Errorf("%+v, %v", trusted, err)
	}
	for _, text := range []string{"", "12", "0:" + hash, "-1:" + hash, "x:" + hash, "12:" + hash[:62], "12:zz", "{}", `{"signed_header":null,"validators":[]}`, "[", `{"signed_header":{},"validators":[]}`} {
		if got, err := ParseTrusted(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

// TestHeaderVerifyNeverPanics feeds what makes the engine's own types panic.
func TestHeaderVerifyNeverPanics(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Header)
		says   string
	}{
		{"empty", func(h *Header) { h.Signed = nil }, "signed_header"},
		{"no commit", func(h *Header) { h.Signed.Commit = nil }, "signed_header"},
		{"powers too large together", func(h *Header) { h.Validators[0].Power, h.Validators[1].Power = 1<<59, 1<<59 }, "validators"},
		{"a power of zero", func(h *Header) { h.Validators[0].Power = 0 }, "validators[0].power"},
		{"no validators", func(h *Header) { h.Validators = nil }, "validator set is empty"},
		{"a year that cannot be encoded", func(h *Header) {
			s := &h.Signed.Commit.Signatures[0]
			s.Timestamp = s.Timestamp.AddDate(-2023, 0, 0)
		}, "timestamp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSigners(4)
			h := s.header(t, 5, make([]byte, 32), nil, s.set)
			tc.change(h)
			if err := h.Verify(worldChain); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}

func FuzzParseBill(f *testing.F) {
	w := newWorld(f)
	data := marshal(f, w.bill)
	f.Add(data)
	f.Add(bytes.Replace(data, []byte(`"height": 1`), []byte(`"height": 2`), 1))
	f.Add([]byte(`{"chain_id":"c","account":"","totals":{},"height":0,"periods":[]}`))
	f.Add([]byte(`{`))
	trusted := w.trusted()
	f.Fuzz(func(t *testing.T, data []byte) {
		bill, err := ParseBill(data)
		if err != nil {
			return
		}
		if err := bill.Verify(trusted); err != nil {
			return
		}
		for _, section := range bill.Sections {
			if !bytes.Equal(section.Statement.Account, bill.Account[:]) {
				t.Errorf("a statement of %x verifies as one of %v", section.Statement.Account, bill.Account)
			}
		}
	})
}
