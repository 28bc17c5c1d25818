package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/energyd/energyd/client"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

// acksDue says whether acknowledgements wait that may be sent.
func (u *uplink) acksDue() bool { return u.outbox.Waiting() > 0 && !time.Now().Before(u.ackAt) }

// deliverAcks sends acknowledgements until a block holds them. One that the
// chain refuses is dropped: it is about the past and decides nothing. When the
// chain takes none from this gateway they wait a while; readings go on.
func (u *uplink) deliverAcks(ctx context.Context, sender *client.Sender, acks []*dispatchv1.Acknowledgement) error {
	err := u.send(ctx, sender, &dispatchv1.MsgAcknowledgeDispatch{Acknowledgements: acks})
	rejected, _ := errors.AsType[*client.Rejected](err)
	divisible := rejected != nil && rejected.Codespace == "app" && rejected.Code == codeTooLarge && len(acks) > 1
	switch {
	case err == nil:
		return u.outbox.Done(acks)
	case rejected == nil:
		return err
	case rejected.Codespace != "dispatch" && !divisible:
		u.ackAt = time.Now().Add(firstRetry)
		u.log.Warn("the chain takes no acknowledgements; they wait", "waiting", u.outbox.Waiting(), "error", err)
		return nil
	case len(acks) == 1:
		u.state.refused(codeOf(rejected))
		u.log.Warn("the chain refuses an acknowledgement; it is dropped", "device", acks[0].Device, "period", acks[0].Period, "reason", rejected.Log)
		return u.outbox.Done(acks)
	}
	for _, part := range divide(acks, rejected.Log) {
		if err := u.deliverAcks(ctx, sender, part); err != nil {
			return err
		}
	}
	return nil
}
