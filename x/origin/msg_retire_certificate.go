package origin

import (
	"unicode"
	"unicode/utf8"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
)

// maxPurpose is the greatest length of a retirement's purpose, in bytes.
const maxPurpose = 128

func checkRetireCertificate(_ string, m *originv1.MsgRetireCertificate) error {
	if len(m.Purpose) == 0 || len(m.Purpose) > maxPurpose || !utf8.ValidString(m.Purpose) {
		return ErrBadPurpose.With("purpose: expected 1 to %d bytes of text, got %d", maxPurpose, len(m.Purpose))
	}
	for _, r := range m.Purpose {
		if !unicode.IsPrint(r) {
			return ErrBadPurpose.With("purpose: expected printable text, got %q", m.Purpose)
		}
	}
	return checkCertificate(m.EnergyType, m.Month, m.EnergyWh)
}

// retireCertificate uses certificates up for good.
func retireCertificate(ctx *module.Ctx, m *originv1.MsgRetireCertificate) error {
	account, k := ctx.Signer.Address(), kind{m.EnergyType, m.Month}
	holding, err := take(ctx, account, k, m.EnergyWh)
	if err != nil {
		return err
	}
	total := totalOf(ctx.Store, k)
	if holding.RetiredWh, err = units.Add(holding.RetiredWh, m.EnergyWh); err != nil {
		return err
	}
	if total.RetiredWh, err = units.Add(total.RetiredWh, m.EnergyWh); err != nil {
		return err
	}
	saveHolding(ctx.Store, holding)
	totals.Set(ctx.Store, totalKey(k), total)
	ctx.Emit(&originv1.CertificateRetired{
		Id: ctx.ID().Bytes(), Account: account.Bytes(), EnergyType: m.EnergyType, Month: m.Month, EnergyWh: m.EnergyWh, Purpose: m.Purpose,
	})
	return nil
}
