package main

import (
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// mayBeLeftOut are the plain fields of messages and queries whose zero is
// something to ask for, or that are filled in.
var mayBeLeftOut = map[protoreflect.FullName]bool{
	"energy.matching.v1.MsgPlaceBuy.wanted_loss_ppm":    true, // none is what everybody wants
	"energy.matching.v1.MsgPlaceBuy.wanted_energy_type": true, // any
	"energy.matching.v1.MsgPlaceSell.rest":              true, // to the grid
	"energy.matching.v1.MsgSetMarket.number":            true, // market 0, which is there always
	"energy.matching.v1.MsgSetStandingOrder.keep_wh":    true, // nothing
	"energy.matching.v1.MsgSetStandingOrder.until_ms":   true, // no end
	"energy.metering.v1.MsgSubmitReadings.gateway_key":  true, // that of --from
	"energy.metering.v1.MsgCorrectReadings.gateway_key": true,
	"energy.metering.v1.Reading.version":                true, // the boundary's next one
	"energy.metering.v1.Reading.sequence":               true, // the next one
	"energy.metering.v1.Reading.time_ms":                true, // now
	"energy.metering.v1.Reading.quality":                true, // measured
	"energy.registry.v1.MsgFreeze.reason":               true, // none given
	"energy.registry.v1.MsgRevoke.reason":               true,
	"energy.settlement.v1.MsgProposeContract.priority":  true, // first
	"energy.settlement.v1.MsgProposeContract.rank":      true,
	"energy.settlement.v1.MsgProposeContract.year_wh":   true, // nothing is agreed for a year

	"energy.settlement.v1.MsgProposeContract.excess_price_ucoin_per_kwh":  true, // with year_wh the chain asks for it
	"energy.settlement.v1.MsgProposeContract.penalty_price_ucoin_per_kwh": true, // leaving costs nothing

	"energy.dispatch.v1.MsgSetDevice.max_out_w":         true, // it does not feed out
	"energy.dispatch.v1.MsgSetDevice.max_in_w":          true, // it does not draw
	"energy.dispatch.v1.MsgCommandDevice.from_period":   true, // from now on
	"energy.dispatch.v1.MsgCommandDevice.switch":        true, // one of the three is given
	"energy.dispatch.v1.MsgCommandDevice.charge_source": true,
	"energy.dispatch.v1.MsgCommandDevice.reason":        true, // none given

	"energy.dispatch.v1.QueryDispatchRequest.account":            true, // or a device
	"energy.dispatch.v1.QueryDispatchRequest.device":             true,
	"energy.dispatch.v1.QueryDispatchRequest.from_period":        true, // some before the present one
	"energy.dispatch.v1.QueryDispatchRequest.periods":            true,
	"energy.dispatch.v1.QueryGatewayDispatchRequest.from_period": true, // the present one
	"energy.dispatch.v1.QueryGatewayDispatchRequest.periods":     true,

	"energy.grid.v1.QueryTariffRequest.period":                  true, // the present one
	"energy.grid.v1.QueryZoneFeeRequest.period":                 true,
	"energy.matching.v1.QueryOrdersRequest.account":             true, // all
	"energy.matching.v1.QueryMatchesRequest.account":            true,
	"energy.matching.v1.QueryMarketsRequest.period":             true, // the present one
	"energy.matching.v1.QueryMarketRequest.market":              true, // market 0
	"energy.matching.v1.QueryBookRequest.market":                true,
	"energy.matching.v1.QueryOrdersRequest.market":              true,
	"energy.matching.v1.QueryCertificateRequest.market":         true,
	"energy.matching.v1.QueryCertificateRequest.round":          true, // the latest
	"energy.metering.v1.QueryBoundariesRequest.from_ms":         true, // from the first
	"energy.registry.v1.QueryAccountsRequest.status":            true, // any
	"energy.registry.v1.QueryParamsRequest.period":              true, // the present one
	"energy.settlement.v1.QueryRootsRequest.from_period":        true, // from the first
	"energy.matching.v1.QueryStandingOrdersRequest.account":     true,
	"energy.settlement.v1.QueryZoneFeesRequest.from_month":      true, // from the first
	"energy.origin.v1.QueryCertificatesRequest.from_month":      true,
	"energy.origin.v1.QueryCertificateTotalsRequest.from_month": true,
}

// required says whether the field must be stated: without presence of its own,
// a price that was forgotten looks like a price of 0. Fields of messages in the
// message are judged by the chain; lists without a start begin at the first.
func (l leaf) required() bool {
	return len(l.path) == 1 && !l.field.IsList() && !l.field.HasPresence() && l.field.Name() != "after" &&
		l.field.Kind() != protoreflect.BoolKind && !mayBeLeftOut[l.field.FullName()]
}

// stated returns an error of usage if neither a flag nor what is given by other
// means states a required field.
func stated(all []leaf, given func(leaf) bool) error {
	for _, l := range all {
		if l.required() && !given(l) {
			return usage("--%s: expected a value, got none", l.flag)
		}
	}
	return nil
}

// fieldsOf returns the names of the fields in a message's JSON, which was
// decoded before.
func fieldsOf(data []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(data, &fields)
	return fields, err
}
