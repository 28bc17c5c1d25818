package registry

import (
	"fmt"
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// maxEndpoints is how many an aggregator may have.
const maxEndpoints = 8

func endpointsKey(aggregator []byte) state.Key { return endpoints.Key().Bytes(aggregator) }

func checkURLs(field string, urls []string) error {
	if len(urls) > maxEndpoints {
		return ErrBadEndpoint.With("%s: expected at most %d, got %d", field, maxEndpoints, len(urls))
	}
	for i, url := range urls {
		if err := protocol.CheckEndpoint(url); err != nil {
			return ErrBadEndpoint.With("%s[%d]: %v", field, i, err)
		}
		if slices.Contains(urls[:i], url) {
			return ErrBadEndpoint.With("%s[%d]: expected each once, got %s again", field, i, url)
		}
	}
	return nil
}

func checkSetEndpoints(_ string, msg *registryv1.MsgSetEndpoints) error {
	return checkURLs("urls", msg.Urls)
}

// setEndpoints replaces those of its sender, whom the application knows as an
// active aggregator.
func setEndpoints(ctx *module.Ctx, msg *registryv1.MsgSetEndpoints) error {
	own := ctx.Signer.Address()
	saveEndpoints(ctx.Store, &registryv1.Endpoints{Aggregator: own[:], Urls: msg.Urls})
	ctx.Emit(&registryv1.EndpointsSet{Aggregator: own[:], Urls: msg.Urls})
	return nil
}

// saveEndpoints keeps none for an aggregator without any.
func saveEndpoints(s state.Store, e *registryv1.Endpoints) {
	if len(e.Urls) == 0 {
		endpoints.Delete(s, endpointsKey(e.Aggregator))
		return
	}
	endpoints.Set(s, endpointsKey(e.Aggregator), e)
}

func initEndpoints(ctx *module.Ctx, genesis *registryv1.GenesisState) error {
	for i, e := range genesis.Endpoints {
		field := fmt.Sprintf("endpoints[%d]", i)
		if err := checkAddress(field+".aggregator", e.Aggregator); err != nil {
			return err
		}
		if _, err := approvedAggregator(ctx.Store, e.Aggregator); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if len(e.Urls) == 0 || endpoints.Has(ctx.Store, endpointsKey(e.Aggregator)) {
			return ErrBadEndpoint.With("%s: expected each aggregator once, with at least one URL", field)
		}
		if err := checkURLs(field+".urls", e.Urls); err != nil {
			return err
		}
		saveEndpoints(ctx.Store, e)
	}
	return nil
}

// queryEndpoints gives those of active aggregators before those of frozen ones,
// each by address. There are no more than aggregators that the authority
// approved; the answer ends at a thousand.
func queryEndpoints(ctx module.QueryCtx, _ *registryv1.QueryEndpointsRequest) (*registryv1.QueryEndpointsResponse, error) {
	var active, frozen []*registryv1.Endpoints
	for _, e := range endpoints.All(ctx.Store, endpoints.Key()) {
		switch account, _ := accounts.Get(ctx.Store, accountKey(e.Aggregator)); account.GetStatus() {
		case registryv1.Status_STATUS_ACTIVE:
			active = append(active, e)
		case registryv1.Status_STATUS_FROZEN:
			frozen = append(frozen, e)
		}
	}
	all := append(active, frozen...)
	return &registryv1.QueryEndpointsResponse{Endpoints: all[:min(len(all), maxPage)]}, nil
}
