package main

import (
	"strings"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
)

// sealable refuses an order that the chain would refuse whoever reveals it: the
// chain sees it only then, when its bond is lost. What depends on the account and
// the period is left to the chain.
func sealable(order proto.Message) error {
	switch order := order.(type) {
	case *matchingv1.MsgPlaceSell:
		if err := protocol.CheckName(order.Meter); err != nil {
			return usage("--meter: %v", err)
		}
		if err := clearing.CheckRatedSell(&matchingv1.SellOrder{PriceUcoinPerKwh: 1, AvailableWh: 1, Preferences: order.Preferences}); err != nil {
			return usage("--%v", err)
		}
		return sealableTerms(order.PriceUcoinPerKwh, order.EnergyWh, order.Consent)
	case *matchingv1.MsgPlaceBuy:
		if err := clearing.CheckRatedBuy(&matchingv1.BuyOrder{PriceUcoinPerKwh: 1, OpenWh: 1, Preferences: order.Preferences}); err != nil {
			return usage("--%v", err)
		}
		if _, known := registryv1.EnergyType_name[int32(order.WantedEnergyType)]; !known {
			return usage("--wanted-energy-type: expected a known energy type, got %d", order.WantedEnergyType)
		}
		for _, r := range clearing.Ranges(order) {
			flag := strings.ReplaceAll(strings.TrimSuffix(r.Field, "_ppm"), "_", "-")
			if err := (wish{flag, r.Value, r.Most}).check(); err != nil {
				return err
			}
		}
		return sealableTerms(order.PriceUcoinPerKwh, order.EnergyWh, order.Consent)
	}
	return nil
}

// wish is a number of an order that must be between 0 and most.
type wish struct {
	flag        string
	value, most int64
}

func (w wish) check() error {
	if w.value < 0 || w.value > w.most {
		return usage("--%s: expected 0 to %d (ppm where it is a share), got %d", w.flag, w.most, w.value)
	}
	return nil
}

// sealableTerms checks what both sides state.
func sealableTerms(price, energyWh int64, consent *matchingv1.Consent) error {
	if energyWh <= 0 {
		return usage("--energy: expected more than 0 kWh, got %s", units.FormatKWh(energyWh))
	}
	if price < 0 {
		return usage("--price: expected 0 coin/kWh or more, got %s", units.FormatPrice(price))
	}
	least, reject := consent.GetMinSatisfactionPpm(), consent.GetRejectBelowPpm()
	for _, w := range []wish{{"consent.min-satisfaction", least, units.PPM}, {"consent.reject-below", reject, units.PPM}} {
		if err := w.check(); err != nil {
			return err
		}
	}
	if consent.GetStanding() && reject > least {
		return usage("--consent.reject-below: expected at most --consent.min-satisfaction, %d ppm, got %d", least, reject)
	}
	return nil
}
