package registry

import (
	"bytes"
	"fmt"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Bounds of how often a gateway signs: metering keeps some thousands of readings
// of a meter, and several periods may wait.
const (
	minReadingMs         = 1000
	maxReadingsPerPeriod = 1000
)

func gatewayKey(gateway []byte) state.Key { return gatewaySettings.Key().Bytes(gateway) }

func checkSetGateway(_ string, msg *registryv1.MsgSetGateway) error {
	return checkAddress("gateway", msg.Gateway)
}

// setGateway replaces a gateway's settings, for the gateway itself, its
// operator, which is its home aggregator, or the authority.
func setGateway(ctx *module.Ctx, msg *registryv1.MsgSetGateway) error {
	if err := checkGateway(ctx.Store, "gateway", msg.Gateway, registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN); err != nil {
		return err
	}
	gateway, _ := accounts.Get(ctx.Store, accountKey(msg.Gateway))
	own := ctx.Signer.Address()
	if !ctx.Signer.Authority && !bytes.Equal(own[:], gateway.Account) && !bytes.Equal(own[:], gateway.HomeAggregator) {
		return ErrNotOperator.With("signer: expected the gateway %v or its home aggregator %v, got %v",
			protocol.Address(gateway.Account), protocol.Address(gateway.HomeAggregator), own)
	}
	settings := &registryv1.GatewaySettings{Gateway: msg.Gateway, UploadIntervalMs: msg.UploadIntervalMs, ReadingIntervalMs: msg.ReadingIntervalMs}
	if err := checkSettings("", settings, ChainOf(ctx.Store).PeriodLengthMs); err != nil {
		return err
	}
	saveSettings(ctx.Store, settings)
	ctx.Emit(&registryv1.GatewaySet{Gateway: msg.Gateway, UploadIntervalMs: msg.UploadIntervalMs, ReadingIntervalMs: msg.ReadingIntervalMs})
	return nil
}

// checkSettings checks intervals against the period length. Gateways sign at
// multiples of the reading interval since 1970, and periods begin at multiples of
// their length: with a divisor of it, one at each boundary. What waits half a
// period at most is there before the earliest deadline, a period after the end.
func checkSettings(field string, s *registryv1.GatewaySettings, periodMs int64) error {
	if s.UploadIntervalMs < 0 || s.UploadIntervalMs > periodMs/2 {
		return ErrBadInterval.With("%supload_interval_ms: expected 0 to %d, half a period, got %d", field, periodMs/2, s.UploadIntervalMs)
	}
	least := max(minReadingMs, (periodMs+maxReadingsPerPeriod-1)/maxReadingsPerPeriod)
	if interval := s.ReadingIntervalMs; interval != 0 && (interval < least || periodMs%interval != 0) {
		return ErrBadInterval.With("%sreading_interval_ms: expected 0, or at least %d and a divisor of the period length %d, got %d",
			field, least, periodMs, interval)
	}
	return nil
}

// saveSettings keeps none for a gateway of which nothing is asked.
func saveSettings(s state.Store, settings *registryv1.GatewaySettings) {
	key := gatewayKey(settings.Gateway)
	if settings.UploadIntervalMs == 0 && settings.ReadingIntervalMs == 0 {
		gatewaySettings.Delete(s, key)
		return
	}
	gatewaySettings.Set(s, key, settings)
}

func initGateways(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	for i, settings := range genesis.Gateways {
		field := fmt.Sprintf("gateways[%d].", i)
		if err := checkAddress(field+"gateway", settings.Gateway); err != nil {
			return err
		}
		if err := checkGateway(ctx.Store, field+"gateway", settings.Gateway, registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN); err != nil {
			return err
		}
		nothing := settings.UploadIntervalMs == 0 && settings.ReadingIntervalMs == 0
		if nothing || gatewaySettings.Has(ctx.Store, gatewayKey(settings.Gateway)) {
			return ErrBadInterval.With("%sgateway: expected each gateway once, with an interval that is not 0", field)
		}
		if err := checkSettings(field, settings, genesis.Chain.PeriodLengthMs); err != nil {
			return err
		}
		saveSettings(ctx.Store, settings)
	}
	return nil
}

// queryGateway gives zero settings for a gateway of which nothing is asked; one
// whose application waits may ask as well.
func queryGateway(ctx module.QueryCtx, q *registryv1.QueryGatewayRequest) (*registryv1.QueryGatewayResponse, error) {
	if err := checkAddress("gateway", q.Gateway); err != nil {
		return nil, err
	}
	if err := checkGateway(ctx.Store, "gateway", q.Gateway,
		registryv1.Status_STATUS_PENDING, registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN); err != nil {
		return nil, err
	}
	settings, ok := gatewaySettings.Get(ctx.Store, gatewayKey(q.Gateway))
	if !ok {
		settings = &registryv1.GatewaySettings{Gateway: q.Gateway}
	}
	return &registryv1.QueryGatewayResponse{Settings: settings, PeriodLengthMs: ChainOf(ctx.Store).PeriodLengthMs}, nil
}
