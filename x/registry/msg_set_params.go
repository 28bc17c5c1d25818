package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkSetParams(_ string, msg *registryv1.MsgSetParams) error {
	return checkParams(msg.Params)
}

// setParams sets the parameters from the first period whose orders are open
// neither by the present parameters nor by the new ones. Sets that were to
// begin there or later give way.
func setParams(ctx *module.Ctx, msg *registryv1.MsgSetParams) error {
	from := max(FirstUnopened(ctx.Store, ctx.TimeMs),
		firstUnopenedBy(msg.Params, ctx.TimeMs, ChainOf(ctx.Store).PeriodLengthMs))
	for key, entry := range params.All(ctx.Store, params.Key()) {
		if entry.FromPeriod <= from {
			break
		}
		params.Delete(ctx.Store, key)
	}
	params.Set(ctx.Store, paramsKey(from), &registryv1.ParamsEntry{FromPeriod: from, Params: msg.Params})
	ctx.Emit(&registryv1.ParamsSet{FromPeriod: from})
	return nil
}
