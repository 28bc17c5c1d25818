package metering

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/types/known/emptypb"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// InitGenesis implements module.Module. The index of sequences and the marks of
// meters with boundaries to fix follow from the rest.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(meteringv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return err
	}
	for i, meter := range genesis.Meters {
		if err := protocol.CheckName(meter.Meter); err != nil {
			return ErrField.With("meters[%d].meter: %v", i, err)
		}
		meters.Set(ctx.Store, meterKey(meter.Meter), meter)
		due.Set(ctx.Store, dueKey(meter.Meter), &emptypb.Empty{})
	}
	for i, point := range genesis.Points {
		if err := initPoint(ctx.Store, point); err != nil {
			return ErrField.With("points[%d].%v", i, err)
		}
	}
	if err := initEnergies(ctx.Store, "partial", partial, genesis.Partial); err != nil {
		return err
	}
	if err := initEnergies(ctx.Store, "ready", ready, genesis.Ready); err != nil {
		return err
	}
	if err := initCorrections(ctx.Store, genesis); err != nil {
		return err
	}
	if err := checkReadings(ctx.Store); err != nil {
		return ErrField.With("points: %v", err)
	}
	if err := checkHistories(ctx.Store); err != nil {
		return ErrField.With("histories: %v", err)
	}
	return nil
}

// initCorrections takes what is kept for corrections and those that wait.
func initCorrections(s state.Store, genesis *meteringv1.GenesisState) error {
	length := registry.ChainOf(s).PeriodLengthMs
	for i, h := range genesis.Histories {
		if err := protocol.CheckName(h.Meter); err != nil {
			return ErrField.With("histories[%d].meter: %v", i, err)
		}
		if err := checkHistory(h, length); err != nil {
			return ErrField.With("histories[%d].boundaries: %v", i, err)
		}
		histories.Set(s, historyKey(h.Meter, h.FirstMs, length), h)
	}
	for i, correction := range genesis.Corrections {
		if _, err := protocol.AddressFrom(correction.Account); err != nil {
			return ErrField.With("corrections[%d].account: %v", i, err)
		}
		if correction.Period < 0 || max(correction.ImportWh, -correction.ImportWh, correction.ExportWh, -correction.ExportWh) > MaxRegisterWh {
			return ErrField.With("corrections[%d]: expected a period of 0 or more and energies of at most %s", i, units.FormatKWh(MaxRegisterWh))
		}
		corrections.Set(s, correctionKey(correction.Account, correction.Period), correction)
	}
	return nil
}

func initPoint(store state.Store, point *meteringv1.Point) error {
	reading := point.GetReading()
	if reading.GetSequence() == 0 { // a swap
		reading = &meteringv1.Reading{
			Meter: reading.GetMeter(), Sequence: 1, TimeMs: reading.GetTimeMs(),
			ImportWh: reading.GetImportWh(), ExportWh: reading.GetExportWh(), Quality: reading.GetQuality(),
		}
	}
	if err := checkReading(reading); err != nil {
		return fmt.Errorf("reading.%w", err)
	}
	counted, err := runningOf(reading.ImportWh, reading.ExportWh, offsetOf(point))
	if err != nil {
		return fmt.Errorf("import_offset_wh: %w", err)
	}
	if counted.importWh < 0 || counted.exportWh < 0 {
		return fmt.Errorf("import_offset_wh: expected running registers of 0 or more, got %d and %d", counted.importWh, counted.exportWh)
	}
	points.Set(store, keyOf(point), point)
	if !isSwap(point) {
		sequences.Set(store, sequenceKey(reading.Meter, reading.Sequence), &meteringv1.SequenceTime{
			Sequence: reading.Sequence, TimeMs: reading.TimeMs,
		})
	}
	return nil
}

func initEnergies(store state.Store, field string, table state.Map[*meteringv1.Energy], energies []*meteringv1.Energy) error {
	for i, energy := range energies {
		account, err := protocol.AddressFrom(energy.Account)
		if err != nil {
			return ErrField.With("%s[%d].account: %v", field, i, err)
		}
		for _, quantity := range []struct {
			field string
			value int64
		}{
			{"period", energy.Period},
			{"import_wh", energy.ImportWh},
			{"export_wh", energy.ExportWh},
			{"step_wh", energy.StepWh},
		} {
			if quantity.value < 0 {
				return ErrField.With("%s[%d].%s: expected 0 or more, got %d", field, i, quantity.field, quantity.value)
			}
		}
		table.Set(store, energyKey(table, account[:], energy.Period), energy)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(meteringv1.GenesisState)
	for _, meter := range meters.All(ctx.Store, meters.Key()) {
		genesis.Meters = append(genesis.Meters, meter)
	}
	for _, point := range points.All(ctx.Store, points.Key()) {
		genesis.Points = append(genesis.Points, point)
	}
	for _, energy := range partial.All(ctx.Store, partial.Key()) {
		genesis.Partial = append(genesis.Partial, energy)
	}
	for _, energy := range ready.All(ctx.Store, ready.Key()) {
		genesis.Ready = append(genesis.Ready, energy)
	}
	for _, h := range histories.All(ctx.Store, histories.Key()) {
		genesis.Histories = append(genesis.Histories, h)
	}
	for correction := range Corrections(ctx.Store) {
		genesis.Corrections = append(genesis.Corrections, correction)
	}
	return module.MarshalGenesis(genesis)
}
