package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

// envelopeBody and readingBody were encoded by hand in another language.
const (
	envelopeBody = "0a07636861696e2d31" + "1220" + rfc8032Key + "18ac02" + "2005" +
		"2a37" + "0a1a656e657267792e62616e6b2e76312e4d73675472616e73666572" +
		"1219" + "0a14000102030405060708090a0b0c0d0e0f10111213" + "10dc0b"
	readingBody = "0a036d2d31" + "1009" + "1880d095ffbc31" + "20d209" + "3001"
)

func testKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

// testEnvelope is the envelope of envelopeBody.
func testEnvelope(t testing.TB) *txv1.Envelope {
	t.Helper()
	to := make([]byte, AddressSize)
	for i := range to {
		to[i] = byte(i)
	}
	value, err := Marshal(&bankv1.MsgTransfer{To: to, AmountUcoin: 1500})
	if err != nil {
		t.Fatal(err)
	}
	return &txv1.Envelope{
		ChainId: "chain-1", Signer: unhex(t, rfc8032Key), Sequence: 300, ExpiryHeight: 5,
		Msgs: []*txv1.Msg{{Type: "energy.bank.v1.MsgTransfer", Value: value}},
	}
}

func TestEnvelopeSignBytes(t *testing.T) {
	envelope := testEnvelope(t)
	want := append([]byte("energyd/tx\n"), unhex(t, envelopeBody)...)
	got, err := EnvelopeSignBytes(envelope)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("sign bytes\n%x, %v, want\n%x", got, err, want)
	}
	// A signature changes nothing of what is signed, and stays where it was.
	envelope.Signature = bytes.Repeat([]byte{1}, SignatureSize)
	if got, err = EnvelopeSignBytes(envelope); err != nil || !bytes.Equal(got, want) || len(envelope.Signature) != SignatureSize {
		t.Errorf("with a signature: %x, %v", got, err)
	}
}

func TestDecodeEnvelope(t *testing.T) {
	envelope := testEnvelope(t)
	envelope.Signer = testKey().Public().(ed25519.PublicKey)
	covered, err := EnvelopeSignBytes(envelope)
	if err != nil {
		t.Fatal(err)
	}
	envelope.Signature = ed25519.Sign(testKey(), covered)
	tx, err := Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	decoded, received, err := DecodeEnvelope(tx)
	if err != nil || !proto.Equal(decoded, envelope) || !bytes.Equal(received, covered) {
		t.Fatalf("decoded %v, covered %x, %v", decoded, received, err)
	}
	if !VerifySignature(decoded.Signer, received, decoded.Signature) {
		t.Error("the signature does not verify over the received bytes")
	}
	for i := range tx {
		changed := bytes.Clone(tx)
		changed[i] ^= 1
		if decoded, received, err := DecodeEnvelope(changed); err == nil && VerifySignature(decoded.Signer, received, decoded.Signature) {
			t.Errorf("byte %d changed, the signature still verifies", i)
		}
	}
}

func TestReadingSignBytes(t *testing.T) {
	reading := &meteringv1.Reading{
		Meter: "m-1", Sequence: 9, TimeMs: 1_700_000_000_000, ImportWh: 1234, Quality: meteringv1.Quality_QUALITY_MEASURED,
		Signature: bytes.Repeat([]byte{1}, SignatureSize),
	}
	want := append([]byte("energyd/reading\nchain-1\n"), unhex(t, readingBody)...)
	if got, err := ReadingSignBytes("chain-1", reading); err != nil || !bytes.Equal(got, want) {
		t.Errorf("sign bytes\n%x, %v, want\n%x", got, err, want)
	}
}

// TestUnmarshalRefuses lists encodings that a lenient decoder takes for the
// same message: each would give one transaction two hashes.
func TestUnmarshalRefuses(t *testing.T) {
	tag := func(number protowire.Number, kind protowire.Type) []byte {
		return protowire.AppendTag(nil, number, kind)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	bytesField := func(number protowire.Number, data []byte) []byte {
		return protowire.AppendBytes(tag(number, protowire.BytesType), data)
	}
	chain, sequence := bytesField(1, []byte("c")), join(tag(3, protowire.VarintType), []byte{5})
	unknown := join(tag(99, protowire.VarintType), []byte{1})

	for _, tc := range []struct {
		name string
		m    proto.Message
		data []byte
		ok   bool
	}{
		{"canonical", &txv1.Envelope{}, join(chain, sequence), true},
		{"empty", &txv1.Envelope{}, nil, true},
		{"unknown field", &txv1.Envelope{}, join(chain, sequence, unknown), false},
		{"wrong order", &txv1.Envelope{}, join(sequence, chain), false},
		{"field twice", &txv1.Envelope{}, join(chain, chain), false},
		{"default value written", &txv1.Envelope{}, join(chain, tag(3, protowire.VarintType), []byte{0}), false},
		{"empty string written", &txv1.Envelope{}, join(bytesField(1, nil), sequence), false},
		{"varint longer than needed", &txv1.Envelope{}, join(chain, tag(3, protowire.VarintType), []byte{0x85, 0}), false},
		{"length longer than needed", &txv1.Envelope{}, join(tag(1, protowire.BytesType), []byte{0x81, 0, 'c'}), false},
		{"tag longer than needed", &txv1.Envelope{}, []byte{0x8a, 0, 1, 'c'}, false},
		{"truncated", &txv1.Envelope{}, chain[:2], false},
		{"wrong type", &txv1.Envelope{}, join(tag(3, protowire.Fixed64Type), make([]byte, 8)), false},
		{"not UTF-8", &txv1.Envelope{}, bytesField(1, []byte{0xff}), false},
		{"group", &txv1.Envelope{}, join(chain, tag(99, protowire.StartGroupType), tag(99, protowire.EndGroupType)), false},
		{"nested canonical", &matchingv1.MsgPlaceSell{}, bytesField(5, join(tag(1, protowire.VarintType), []byte{1})), true},
		{"nested unknown", &matchingv1.MsgPlaceSell{}, bytesField(5, unknown), false},
		{"nested wrong order", &matchingv1.MsgPlaceSell{}, bytesField(5, join(tag(2, protowire.VarintType), []byte{1}, tag(1, protowire.VarintType), []byte{1})), false},
		{"nested bool of 2", &matchingv1.MsgPlaceSell{}, bytesField(5, join(tag(1, protowire.VarintType), []byte{2})), false},
		{"unknown in a list", &txv1.Envelope{}, bytesField(5, unknown), false},
		{"unknown in a list's later element", &txv1.Envelope{}, join(bytesField(5, bytesField(1, []byte("t"))), bytesField(5, unknown)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Unmarshal(tc.data, tc.m)
			if (err == nil) != tc.ok {
				t.Errorf("%x: %v, want ok %t", tc.data, err, tc.ok)
			}
		})
	}
}

func TestDecodeEnvelopeRefusesSizes(t *testing.T) {
	for _, tc := range []struct{ key, signature int }{{31, 64}, {33, 64}, {0, 64}, {32, 63}, {32, 65}, {32, 0}} {
		tx, err := Marshal(&txv1.Envelope{ChainId: "c", Signer: make([]byte, tc.key), Signature: make([]byte, tc.signature)})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := DecodeEnvelope(tx); err == nil {
			t.Errorf("a key of %d and a signature of %d bytes passed", tc.key, tc.signature)
		}
	}
	if _, _, err := DecodeEnvelope([]byte{0xff}); err == nil || errors.Is(err, errNotCanonical) {
		t.Errorf("garbage: %v, want a decoding error", err)
	}
}

// TestVerifySignature holds the rule: RFC 8032 vectors pass, and so does a
// signature with small-order key and R that only the cofactored equation of
// ZIP-215 accepts.
func TestVerifySignature(t *testing.T) {
	key := unhex(t, rfc8032Key)
	signature := unhex(t, "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
	if !VerifySignature(key, nil, signature) {
		t.Error("RFC 8032 test 1 does not verify")
	}
	if VerifySignature(key, []byte{0}, signature) || VerifySignature(key[:31], nil, signature) || VerifySignature(key, nil, signature[:63]) {
		t.Error("another message, a short key or a short signature verifies")
	}
	smallOrder := unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	if odd := append(bytes.Clone(smallOrder), make([]byte, 32)...); !VerifySignature(smallOrder, []byte("any"), odd) {
		t.Error("a small-order signature is refused: not the rule of ZIP-215")
	}
}

func TestTxHash(t *testing.T) {
	hash := TxHash([]byte("abc"))
	if got, want := hex.EncodeToString(hash[:]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	envelope := testEnvelope(f)
	envelope.Signature = make([]byte, SignatureSize)
	tx, err := Marshal(envelope)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tx)
	f.Add(tx[:len(tx)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, tx []byte) {
		envelope, covered, err := DecodeEnvelope(tx)
		if err != nil {
			return
		}
		again, err := Marshal(envelope)
		if err != nil || !bytes.Equal(again, tx) {
			t.Errorf("%x was accepted, written again it is %x, %v", tx, again, err)
		}
		signed, err := EnvelopeSignBytes(envelope)
		if err != nil || !bytes.Equal(signed, covered) {
			t.Errorf("receiver covers %x, signer %x, %v", covered, signed, err)
		}
	})
}
