package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// Outcome is what became of an envelope in a block.
type Outcome struct {
	Hash   [32]byte
	Height int64
	// Code is 0 for success; it stands in its codespace, and Log says it in words.
	Code      uint32
	Codespace string
	Log       string
	// Latency from the first submission until the commit was seen.
	Latency time.Duration
}

// Unknown is returned when the fate of an envelope could not be learned: it
// may still be committed until its expiry height.
type Unknown struct {
	Hash [32]byte
	Err  error
}

func (u *Unknown) Error() string {
	return fmt.Sprintf("outcome of transaction %X unknown: %v", u.Hash, u.Err)
}

func (u *Unknown) Unwrap() error { return u.Err }

// ErrExpired says that an envelope's last height passed and no block holds it.
var ErrExpired = errors.New("expired: no block up to its expiry height holds it")

var errUsedBefore = errors.New("its sequence was used, perhaps by a block before the sender began to follow")

const (
	// resendEvery is how often an envelope that is not in a block is offered
	// again, to the next node: the one that took it may have died. Its replay
	// window makes that harmless.
	resendEvery = 2 * time.Second
	// ExpiryBlocks is how far ahead envelopes expire by default.
	ExpiryBlocks = 200
)

// Sender sends envelopes and follows blocks until it knows their outcome. It
// serves any number of goroutines. Run must be running.
type Sender struct {
	*Client
	ChainID string
	// OnBlock, if set before Run, sees every block in order. Run fetches them whole
	// for it, which costs the node many times what outcomes cost.
	OnBlock func(*Block)
	// OnOutcomes, if set before Run, sees what became of the transactions of every
	// block in order.
	OnOutcomes func(*txv1.BlockOutcomes)
	// PollEvery is how often Run asks for the next block, if set before it; 0 is
	// 25 ms.
	PollEvery time.Duration

	mu      sync.Mutex
	height  int64
	waiting map[[32]byte]chan Outcome
	next    map[protocol.Address]uint64
	ready   chan struct{}
	// unready is why Run could not begin to follow when it last tried.
	unready error
}

// NewSender returns a sender for a chain; its Run follows from the head on.
func NewSender(c *Client, chainID string) *Sender {
	return &Sender{
		Client: c, ChainID: chainID,
		waiting: make(map[[32]byte]chan Outcome), next: make(map[protocol.Address]uint64),
		ready: make(chan struct{}),
	}
}

// Sequence returns the next unused sequence of a key: asked of the chain once,
// counted from there. A node that has no block yet is asked again until ctx
// ends: another may have shown Run the first block already.
func (s *Sender) Sequence(ctx context.Context, key protocol.Address) (uint64, error) {
	s.mu.Lock()
	next, known := s.next[key]
	if known {
		s.next[key] = next + 1
		s.mu.Unlock()
		return next, nil
	}
	s.mu.Unlock()
	answer := new(txv1.QueryWindowResponse)
	for {
		_, err := s.Query(ctx, &txv1.QueryWindowRequest{KeyAddress: key[:]}, answer, 0)
		if err == nil {
			break
		}
		if !isNotReady(err) || !sleep(ctx, pollEvery) {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next = max(s.next[key], answer.Window.GetHighest()+1)
	s.next[key] = next + 1
	return next, nil
}

// Do signs messages with key, sends them and waits for their outcome. An
// envelope that a block holds with a code, or that no node takes, is a
// *Rejected; one whose fate is not known, an *Unknown.
func (s *Sender) Do(ctx context.Context, key Key, msgs ...proto.Message) (Outcome, error) {
	if err := s.following(ctx); err != nil {
		return Outcome{}, err
	}
	sequence, err := s.Sequence(ctx, key.Address())
	if err != nil {
		return Outcome{}, err
	}
	expiry := s.Head() + ExpiryBlocks
	tx, err := key.Sign(s.ChainID, sequence, expiry, msgs...)
	if err != nil {
		return Outcome{}, err
	}
	return s.Send(ctx, tx, expiry)
}

// following waits until Run sees every new block.
func (s *Sender) following(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.unready != nil {
			return fmt.Errorf("%w: %w: %w", ErrUnreachable, ctx.Err(), s.unready)
		}
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
}

// Send sends a signed envelope and waits for its outcome until its expiry
// height has passed.
func (s *Sender) Send(ctx context.Context, tx []byte, expiry int64) (Outcome, error) {
	if err := s.following(ctx); err != nil {
		return Outcome{}, err
	}
	hash := protocol.TxHash(tx)
	wait := make(chan Outcome, 1)
	s.mu.Lock()
	s.waiting[hash] = wait
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, hash)
		s.mu.Unlock()
	}()
	begin := time.Now()
	untaken, err := s.offer(ctx, tx, 0)
	if err != nil {
		return Outcome{}, err
	}
	taken := untaken == nil
	resend := time.NewTicker(resendEvery)
	defer resend.Stop()
	// usedBy is a height by which the sequence was used; 0 while it is not known
	// to be.
	var usedBy int64
	for attempt := 1; ; attempt++ {
		select {
		case outcome := <-wait:
			return outcome.since(begin)
		case <-ctx.Done():
			return Outcome{}, &Unknown{Hash: hash, Err: ctx.Err()}
		case <-resend.C:
		}
		head := s.Head()
		select {
		case outcome := <-wait:
			return outcome.since(begin)
		default:
		}
		if head > expiry {
			return Outcome{}, s.expired(ctx, tx, hash)
		}
		untaken, err := s.offer(ctx, tx, attempt)
		taken = taken || err == nil && untaken == nil
		// That the sequence is used says little here: an earlier offer may have
		// been taken though its answer was lost.
		if err != nil && (!taken && !isReplayed(err) || usedBy > 0 && head >= usedBy) {
			return Outcome{}, err
		}
		// Either Run is about to see a block with this envelope, or one before
		// that height holds another of the same sequence.
		if isReplayed(err) && usedBy == 0 {
			if height, err := s.Height(ctx); err == nil {
				usedBy = height
			}
		}
	}
}

// expired says what is known of an envelope whose last height passed and that
// no block held since Run began: if its sequence was used, an earlier block may
// hold it, and sending its messages anew would do them twice.
func (s *Sender) expired(ctx context.Context, tx []byte, hash [32]byte) error {
	used, err := s.sequenceUsed(ctx, tx)
	if err == nil && used {
		err = errUsedBefore
	}
	if err != nil {
		return &Unknown{Hash: hash, Err: err}
	}
	return fmt.Errorf("transaction %X: %w", hash, ErrExpired)
}

// sequenceUsed says whether the chain has seen the sequence of an envelope, or
// one so far above it that it has forgotten. It needs an envelope that a node
// takes.
func (s *Sender) sequenceUsed(ctx context.Context, tx []byte) (bool, error) {
	envelope, _, err := protocol.DecodeEnvelope(tx)
	if err != nil {
		return false, err
	}
	key := protocol.KeyAddress(envelope.Signer)
	answer := new(txv1.QueryWindowResponse)
	if _, err := s.Query(ctx, &txv1.QueryWindowRequest{KeyAddress: key[:]}, answer, 0); err != nil {
		return false, err
	}
	highest, bitmap := answer.Window.GetHighest(), answer.Window.GetBitmap()
	if envelope.Sequence > highest {
		return false, nil
	}
	back := highest - envelope.Sequence
	return back/8 >= uint64(len(bitmap)) || bitmap[back/8]&(1<<(back%8)) != 0, nil
}

// since completes an outcome that a block holds; a code makes it an error.
func (o Outcome) since(begin time.Time) (Outcome, error) {
	o.Latency = time.Since(begin)
	if o.Code != 0 {
		return o, &Rejected{Codespace: o.Codespace, Code: o.Code, Log: o.Log, Height: o.Height}
	}
	return o, nil
}

// Broadcast gives a signed envelope to a node and does not wait for a block.
// What no node takes is a *Rejected or an *Unknown.
func (s *Sender) Broadcast(ctx context.Context, tx []byte) error {
	untaken, err := s.offer(ctx, tx, 0)
	if err == nil && untaken != nil {
		err = &Unknown{Hash: protocol.TxHash(tx), Err: fmt.Errorf("no node could take it: %v", untaken)}
	}
	return err
}

// offer gives tx to a node, the attempt-th one after the one in use. untaken says
// why the node could not take it just now, err why it never will. Once a node has
// taken it, refusals of others mean little: it may be in a block.
func (s *Sender) offer(ctx context.Context, tx []byte, attempt int) (untaken, err error) {
	var rejected *Rejected
	s.at.Add(int64(min(attempt, 1)))
	params := struct {
		Tx []byte `json:"tx"`
	}{tx}
	var result struct {
		Code      uint32 `json:"code"`
		Codespace string `json:"codespace"`
		Log       string `json:"log"`
	}
	err = s.Call(ctx, "broadcast_tx_sync", params, &result)
	if err == nil && result.Code != 0 {
		rejected = &Rejected{Codespace: result.Codespace, Code: result.Code, Log: result.Log}
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "tx already exists in cache"):
		return nil, nil
	case err != nil: // the mempool is full, or nobody answers now: who sends keeps trying
		return err, nil
	case rejected == nil:
		return nil, nil
	case transient(rejected):
		return rejected, nil
	}
	return nil, rejected
}

func isReplayed(err error) bool {
	rejected, ok := errors.AsType[*Rejected](err)
	return ok && rejected.Codespace == "app" && strings.Contains(rejected.Log, "app/replayed")
}

func isNotReady(err error) bool {
	rejected, ok := errors.AsType[*Rejected](err)
	return ok && rejected.Codespace == "app" && strings.Contains(rejected.Log, "app/not_ready")
}

// transient refusals pass with the next block.
func transient(r *Rejected) bool {
	return r.Codespace == "app" && (strings.Contains(r.Log, "too_many_pending") || strings.Contains(r.Log, "not_ready"))
}
