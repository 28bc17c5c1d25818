package metering

import (
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

func checkSwapMeter(_ string, msg *meteringv1.MsgSwapMeter) error {
	if err := protocol.CheckName(msg.Meter); err != nil {
		return ErrField.With("meter: %v", err)
	}
	if err := checkRange("time_ms", msg.TimeMs, 1, maxTimeMs, units.FormatTime); err != nil {
		return ErrField.With("%v", err)
	}
	for _, register := range []struct {
		field string
		value int64
	}{
		{"final_import_wh", msg.FinalImportWh},
		{"final_export_wh", msg.FinalExportWh},
		{"initial_import_wh", msg.InitialImportWh},
		{"initial_export_wh", msg.InitialExportWh},
	} {
		if err := checkRange(register.field, register.value, 0, MaxRegisterWh, units.FormatKWh); err != nil {
			return ErrField.With("%v", err)
		}
	}
	return nil
}

// swapMeter lets the running registers go on where the old device ended.
func swapMeter(ctx *module.Ctx, msg *meteringv1.MsgSwapMeter) error {
	if _, ok := registry.MeterOf(ctx.Store, msg.Meter); !ok {
		return ErrUnknownMeter.With("meter: no meter %q is bound", msg.Meter)
	}
	if msg.TimeMs > ctx.TimeMs {
		return ErrSwapTime.With("time_ms: expected at most %s, the block's time, got %s", units.FormatTime(ctx.TimeMs), units.FormatTime(msg.TimeMs))
	}
	l := openLedger(ctx.Store, msg.Meter)
	newest := l.newest()
	if newest != nil && (msg.TimeMs < newest.Reading.TimeMs || msg.TimeMs == l.state.SwappedMs) {
		return ErrSwapTime.With("time_ms: expected a time after the swap of %s and no earlier than the newest reading, %s, got %s",
			units.FormatTime(l.state.SwappedMs), units.FormatTime(l.state.LastTimeMs), units.FormatTime(msg.TimeMs))
	}
	final, err := runningOf(msg.FinalImportWh, msg.FinalExportWh, offsetOf(newest))
	if err != nil {
		return err
	}
	if newest != nil {
		if last := running(newest); final.importWh < last.importWh || final.exportWh < last.exportWh {
			return ErrRegisterBack.With("final_import_wh, final_export_wh: expected no less than the newest reading's")
		}
	}
	l.add(&meteringv1.Point{
		Reading: &meteringv1.Reading{
			Meter:    msg.Meter,
			TimeMs:   msg.TimeMs,
			ImportWh: msg.InitialImportWh,
			ExportWh: msg.InitialExportWh,
			Quality:  meteringv1.Quality_QUALITY_MEASURED,
		},
		ImportOffsetWh: final.importWh - msg.InitialImportWh,
		ExportOffsetWh: final.exportWh - msg.InitialExportWh,
	})
	l.save(registry.ChainOf(ctx.Store).PeriodLengthMs)
	ctx.Emit(&meteringv1.MeterSwapped{Meter: msg.Meter, TimeMs: msg.TimeMs})
	return nil
}
