package settlement_test

import (
	"crypto/sha256"
	"testing"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// replay has the gateway send a reading of sun or home anew: a sequence, what its
// registers show in all, in Wh, and when.
func replay(m *market.Market, name string, sequence uint64, timeMs int64, f flow) error {
	m.T.Helper()
	key := sha256.Sum256([]byte("gateway"))
	_, err := m.Send("gateway", &meteringv1.MsgSubmitReadings{GatewayKey: key[:], Readings: []*meteringv1.Reading{{
		Meter: market.Meter(name), Sequence: sequence, TimeMs: timeMs, ImportWh: f.in, ExportWh: f.out,
		Quality: meteringv1.Quality_QUALITY_MEASURED, Signature: make([]byte, protocol.SignatureSize),
	}}})
	return err
}

// TestSettledOnce: once an account is settled, whether on time, past the deadline
// or late, neither its readings sent again, in whatever order, nor others, nor
// even its registers a second time move a coin or change a statement.
func TestSettledOnce(t *testing.T) {
	ready := state.NewMap[meteringv1.Energy](protocol.ModuleMetering, 5) // as x/metering keeps them
	sun, home := flow{0, 1500}, flow{1200, 0}
	for _, settled := range []struct {
		name string
		make func(t *testing.T) *market.Market
	}{
		{"on time", func(t *testing.T) *market.Market {
			m := market.New(t, noLoss, "sun", "home")
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			deliver(m, map[string]flow{"sun": sun, "home": home}, "sun", "home")
			return m
		}},
		{"late", func(t *testing.T) *market.Market {
			m := pair(t, map[string]flow{"home": home})
			m.Begin(overdue + 500)
			m.Read("sun", p+length, sun.in, sun.out)
			m.End()
			return m
		}},
	} {
		for _, attempt := range []struct {
			name string
			code string
			try  func(m *market.Market) error
		}{
			{"the same again", "", func(m *market.Market) error { return replay(m, "sun", 4, p+length, sun) }},
			{"all of them, the last first", "", func(m *market.Market) error {
				for _, again := range []struct {
					sequence uint64
					timeMs   int64
					flow
				}{{4, p + length, sun}, {3, p, flow{}}, {1, start, flow{}}, {2, start + length, flow{}}} {
					if err := replay(m, "sun", again.sequence, again.timeMs, again.flow); err != nil {
						return err
					}
				}
				return nil
			}},
			{"another one of its number", "metering/conflicting_reading", func(m *market.Market) error {
				return replay(m, "sun", 4, p+length, flow{0, 3000})
			}},
			{"another one of its time", "metering/too_late", func(m *market.Market) error {
				return replay(m, "sun", 5, p+length, flow{0, 3000})
			}},
			{"one of the period, after its end", "metering/too_late", func(m *market.Market) error {
				return replay(m, "sun", 5, p+length-1, flow{0, 3000})
			}},
			{"its registers a second time", "", func(m *market.Market) error {
				for name, f := range map[string]flow{"sun": sun, "home": home} {
					address := market.Address(name)
					ready.Set(m.Store, ready.Key().Int64(p).Bytes(address[:]), &meteringv1.Energy{
						Account: address[:], Period: p, ImportWh: f.in, ExportWh: f.out, StepWh: 1,
					})
				}
				return nil
			}},
		} {
			t.Run(settled.name+", "+attempt.name, func(t *testing.T) {
				m := settled.make(t)
				if sold := statement(m, "sun"); sold.SoldWh != 1000 || sold.GridExportWh != 500 {
					t.Fatalf("not settled: %v", sold)
				}
				books := func() string {
					parts := m.Export()
					return string(parts["bank"]) + string(parts["settlement"]) + string(parts["reputation"])
				}
				before := books()
				m.Begin(m.TimeMs + 1)
				if err := attempt.try(m); attempt.code == "" && err != nil || attempt.code != "" && module.Code(err).Error() != attempt.code {
					t.Errorf("got %v, want %q", err, attempt.code)
				}
				m.End()
				if books() != before {
					t.Error("coins, statements or credit values changed")
				}
				if events := market.Happened[*settlementv1.Settled](m); len(events) != 0 {
					t.Errorf("settled again: %v", events)
				}
			})
		}
	}
}
