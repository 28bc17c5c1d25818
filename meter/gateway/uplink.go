package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/meter/spool"
)

const (
	// followEvery is how often the chain's head is looked at while a batch is on
	// its way.
	followEvery = 100 * time.Millisecond
	// batchTime is how long a batch may take before the next node is tried.
	batchTime = 60 * time.Second
	// Pauses after failures.
	firstPause, longestPause = time.Second, 30 * time.Second
	// homesick is how long after a failure sessions begin with the first node again.
	homesick = 5 * time.Minute
	// Pauses before refused readings are tried again.
	firstRetry, longestRetry = time.Minute, time.Hour
)

// backoff is how long to wait after each failure in a row.
type backoff struct{ first, longest, next time.Duration }

// after returns the pause: half of it is drawn, so that gateways that failed
// together do not come back together.
func (b *backoff) after() time.Duration {
	b.next = min(max(2*b.next, b.first), b.longest)
	return b.next/2 + rand.N(b.next/2+1)
}

func (b *backoff) reset() { b.next = 0 }

// uplink brings what waits in the spool into blocks.
type uplink struct {
	*Gateway
	nodes    []string  // that could be used when the last session began
	at       int       // which of them it began with
	failedAt time.Time // when a session failed last
	sentAt   time.Time // when the last session began that ended well
	pauses   backoff
	retry    backoff
	// retryAt is when refused readings are tried again.
	retryAt time.Time
	// ackAt is when acknowledgements may be sent.
	ackAt time.Time
}

// run sends until ctx ends.
func (u *uplink) run(ctx context.Context) {
	u.retryAt = time.Now().Add(u.retry.after())
	for ctx.Err() == nil {
		u.retryRefused()
		if wait := u.idle(); wait > 0 {
			select {
			case <-ctx.Done():
			case <-u.awake:
			case <-time.After(wait):
			}
			continue
		}
		began := time.Now()
		err := u.session(ctx)
		if ctx.Err() != nil {
			return
		}
		u.state.sent(err)
		if err == nil {
			u.pauses.reset()
			if u.sentAt = began; time.Since(u.failedAt) > homesick {
				u.at = 0
			}
			continue
		}
		u.at++
		u.failedAt = time.Now()
		u.good.Store(nil)
		wait := u.pauses.after()
		u.log.Warn("readings wait", "pending", u.spool.Pending(), "next attempt in", wait.Round(time.Millisecond), "error", err)
		pause(ctx, wait)
	}
}

// idle is how long there is nothing to send, a second at most: nothing waits, or
// what waits may wait on.
func (u *uplink) idle() time.Duration {
	if u.acksDue() {
		return 0
	}
	if u.spool.Pending() == 0 {
		return time.Second
	}
	return min(inMs(u.learnt.Load().UploadMs)-time.Since(u.sentAt), time.Second)
}

// retryRefused puts readings that may be accepted by now back in the queue.
func (u *uplink) retryRefused() {
	if time.Now().Before(u.retryAt) {
		return
	}
	u.retryAt = time.Now().Add(u.retry.after())
	n, err := u.spool.Retry(func(r spool.Refused) bool { return passing[r.Code] })
	if err != nil {
		u.log.Error("refused readings stay set aside", "error", err)
	}
	if n == 0 {
		u.retry.reset()
		return
	}
	u.log.Info("refused readings are tried again", "readings", n)
}

// passing are refusals that may pass with time.
var passing = map[string]bool{"metering/future_time": true, "metering/unknown_meter": true, "metering/wrong_gateway": true}

// session sends batches through one node, or those after it, until nothing
// waits: one of readings, one of acknowledgements, one at a time.
func (u *uplink) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sender, err := u.open(ctx)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = sender.Run(ctx) // it ends with ctx
	}()
	defer func() {
		cancel()
		<-done
		sender.Close()
	}()
	for {
		entries, err := u.spool.Peek(u.batchSize())
		if err != nil || len(entries) == 0 && !u.acksDue() {
			return err
		}
		if len(entries) > 0 {
			if err := u.deliver(ctx, sender, entries); err != nil {
				return err
			}
		}
		if u.acksDue() {
			if err := u.deliverAcks(ctx, sender, u.outbox.Peek(maxBatch)); err != nil {
				return err
			}
		}
	}
}

// open returns a sender over the nodes that can be used; they stand in for each
// other.
func (u *uplink) open(ctx context.Context) (*client.Sender, error) {
	nodes, err := u.usable(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(nodes, u.nodes) {
		u.nodes, u.at = nodes, 0
	}
	first := u.at % len(nodes)
	c, err := client.New(slices.Concat(nodes[first:], nodes[:first])...)
	if err != nil {
		return nil, err
	}
	if err := checkNode(ctx, c, u.config().ChainID); err != nil {
		c.Close()
		return nil, err
	}
	sender := client.NewSender(c, u.config().ChainID)
	sender.PollEvery = followEvery
	return sender, nil
}

// deliver sends readings and marks them as soon as a block holds them. A batch
// that the chain refuses is divided, down to the reading to blame.
func (u *uplink) deliver(ctx context.Context, sender *client.Sender, entries []spool.Entry) error {
	err := u.submit(ctx, sender, entries)
	rejected, _ := errors.AsType[*client.Rejected](err)
	switch {
	case err == nil:
		u.state.committed(len(entries))
		return u.spool.Commit(entries[len(entries)-1].Index)
	case rejected == nil:
		return err
	case rejected.Codespace == "app" && rejected.Code == codeTooLarge && len(entries) > 1:
		u.limit.Store(int64(len(entries) / 2))
	case !blamesReading(rejected):
		return fmt.Errorf("the chain refuses this gateway: %w", err)
	case len(entries) == 1:
		return u.setAside(entries[0], rejected)
	}
	for _, part := range divide(entries, rejected.Log) {
		if err := u.deliver(ctx, sender, part); err != nil {
			return err
		}
	}
	return nil
}

func (u *uplink) submit(ctx context.Context, sender *client.Sender, entries []spool.Entry) error {
	msg := &meteringv1.MsgSubmitReadings{GatewayKey: u.key.Public()}
	for _, e := range entries {
		msg.Readings = append(msg.Readings, e.Reading)
	}
	return u.send(ctx, sender, msg)
}

// send sends one envelope and waits for its block.
func (u *uplink) send(ctx context.Context, sender *client.Sender, msg proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	_, err := sender.Do(ctx, u.key, msg)
	return err
}

// blamesReading says whether a refusal is of a reading, not of the gateway.
func blamesReading(r *client.Rejected) bool {
	return r.Codespace == "metering" && codeOf(r) != "metering/gateway_key" || r.Codespace == "app" && r.Code == codePanic
}

// Codes of the application: consensus data, never changed.
const (
	codePanic    = 2
	codeTooLarge = 13
)

// meteringCodes are the chain's refusals of readings in words.
var meteringCodes = map[uint32]string{
	2: "invalid_field", 3: "bad_signature", 4: "gateway_key", 5: "unknown_meter", 6: "wrong_gateway", 8: "future_time", 9: "conflicting_reading",
	10: "too_late", 11: "sequence_order", 12: "register_back", 13: "implausible", 14: "too_many_readings",
}

// codeOf returns a refusal's code in words where they are known.
func codeOf(r *client.Rejected) string {
	if name := meteringCodes[r.Code]; r.Codespace == "metering" && name != "" {
		return "metering/" + name
	}
	return fmt.Sprintf("%s/%d", r.Codespace, r.Code)
}

// blamed finds the number of a reading or acknowledgement in a refusal.
var blamed = regexp.MustCompile(`(?:readings|acknowledgements)\[(\d+)\]`)

// divide splits a batch that was refused: before, at and behind the one that the
// log names, or in halves. That the words may be wrong costs only
// further envelopes.
func divide[E any](entries []E, log string) [][]E {
	if found := blamed.FindStringSubmatch(log); found != nil {
		if at, err := strconv.Atoi(found[1]); err == nil && at < len(entries) {
			var parts [][]E
			for _, part := range [][]E{entries[:at], entries[at : at+1], entries[at+1:]} {
				if len(part) > 0 {
					parts = append(parts, part)
				}
			}
			return parts
		}
	}
	half := len(entries) / 2
	return [][]E{entries[:half], entries[half:]}
}

func (u *uplink) setAside(entry spool.Entry, r *client.Rejected) error {
	code := codeOf(r)
	u.state.refused(code)
	u.log.Error("the chain refuses a reading; it is set aside, the others go on", "meter", entry.Reading.Meter,
		"sequence", entry.Reading.Sequence, "code", code, "reason", r.Log)
	return u.spool.Refuse(entry, code, r.Log, u.now().UnixMilli())
}

// batchSize is how many readings the next envelope holds at most.
func (u *uplink) batchSize() int {
	size := u.config().Batch
	if limit := u.limit.Load(); limit > 0 {
		size = min(size, int(limit))
	}
	return size
}
