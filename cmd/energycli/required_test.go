package main

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// TestMayBeLeftOutExists: a field that was renamed would become required.
func TestMayBeLeftOutExists(t *testing.T) {
	for name := range mayBeLeftOut {
		m := newMessage(name.Parent())
		if m == nil || m.ProtoReflect().Descriptor().Fields().ByName(name.Name()) == nil {
			t.Errorf("no field %s", name)
		}
	}
}

func TestRequired(t *testing.T) {
	for name, want := range map[protoreflect.FullName]bool{
		"energy.matching.v1.MsgPlaceBuy.price_ucoin_per_kwh": true,
		"energy.matching.v1.MsgPlaceBuy.wanted_loss_ppm":     false,
		"energy.matching.v1.MsgPlaceBuy.max_loss_ppm":        false,
		"energy.matching.v1.MsgConfirm.veto":                 false,
		"energy.registry.v1.MsgSetRoles.roles":               false,
		"energy.registry.v1.MsgSetValidator.validator_power": true,
		"energy.bank.v1.QueryBalancesRequest.after":          false,
	} {
		field := newMessage(name.Parent()).ProtoReflect().Descriptor().Fields().ByName(name.Name())
		if got := (leaf{"flag", []protoreflect.FieldDescriptor{field}, field}).required(); got != want {
			t.Errorf("%s: required %v, want %v", name, got, want)
		}
	}
}

// TestPriceOfNothing: an order at 0 must not look like one without a price.
func TestPriceOfNothing(t *testing.T) {
	for _, m := range []proto.Message{&matchingv1.MsgPlaceSell{EnergyWh: 1}, &matchingv1.BuyPlaced{Order: &matchingv1.BuyOrder{EnergyWh: 1}}} {
		contains(t, "a price of 0", describeMessage(m), "price 0 coin/kWh")
	}
	contains(t, "a tariff", describeMessage(&gridv1.MsgSetTariff{TariffClass: "a"}), "retail 0 coin/kWh", "feed in 0 coin/kWh")
}
