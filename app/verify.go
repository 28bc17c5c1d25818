package app

import (
	"fmt"
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// checkedTx is a transaction that passed every check that needs no state. Its
// messages are shared by all phases and never changed.
type checkedTx struct {
	hash     [32]byte
	envelope *txv1.Envelope
	key      protocol.Address
	msgs     []routed
	lane     module.Lane
	size     int
}

type routed struct {
	route module.Route
	msg   proto.Message
}

// check decodes tx and checks its signature before its messages, whose own
// checks may cost a thousand signatures of readings. knownKey, where given,
// turns strangers away before any signature arithmetic.
func (a *App) check(chainID string, tx []byte, knownKey func(key []byte) bool) (*checkedTx, error) {
	hash := protocol.TxHash(tx)
	if found := a.checked.get(hash); found != nil {
		return found, nil
	}
	envelope, signBytes, err := protocol.DecodeEnvelope(tx)
	if err != nil {
		return nil, ErrMalformed.With("%v", err)
	}
	if envelope.ChainId != chainID {
		return nil, ErrWrongChain.With("chain_id: expected %q, got %q", chainID, envelope.ChainId)
	}
	if knownKey != nil && !knownKey(envelope.Signer) {
		return nil, unknownKey(envelope.Signer)
	}
	checked := &checkedTx{hash: hash, envelope: envelope, key: protocol.KeyAddress(envelope.Signer), size: len(tx)}
	if len(envelope.Msgs) == 0 {
		return nil, ErrMalformed.With("msgs: expected at least one message")
	}
	if !protocol.VerifySignature(envelope.Signer, signBytes, envelope.Signature) {
		return nil, ErrBadSignature.With("signature: does not fit the bytes and the key %x", envelope.Signer)
	}
	for i, msg := range envelope.Msgs {
		route, decoded, err := a.decode(chainID, msg)
		if err != nil {
			return nil, fmt.Errorf("msgs[%d]: %w", i, err)
		}
		checked.msgs = append(checked.msgs, routed{route, decoded})
		checked.lane = max(checked.lane, route.Lane)
	}
	a.checked.put(checked)
	return checked, nil
}

// decode finds a message's route and checks the message by itself.
func (a *App) decode(chainID string, msg *txv1.Msg) (module.Route, proto.Message, error) {
	route, ok := a.routes[msg.Type]
	if !ok {
		return module.Route{}, nil, ErrUnknownMessage.With("type: no message %q", msg.Type)
	}
	decoded := route.New()
	if err := protocol.Unmarshal(msg.Value, decoded); err != nil {
		return module.Route{}, nil, ErrMalformed.With("%v", err)
	}
	if err := route.Check(chainID, decoded); err != nil {
		return module.Route{}, nil, err
	}
	return route, decoded, nil
}

// checkAll checks transactions in parallel; the result is in their order.
func (a *App) checkAll(chainID string, txs [][]byte, knownKey func([]byte) bool) ([]*checkedTx, []error) {
	checked, errs := make([]*checkedTx, len(txs)), make([]error, len(txs))
	workers := min(runtime.GOMAXPROCS(0), len(txs))
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w; i < len(txs); i += workers {
				checked[i], errs[i] = a.checkSafely(chainID, txs[i], knownKey)
			}
		})
	}
	wait.Wait()
	return checked, errs
}

// checkSafely turns a panic of a message's check into a refusal.
func (a *App) checkSafely(chainID string, tx []byte, knownKey func([]byte) bool) (checked *checkedTx, err error) {
	defer func() {
		if r := recover(); r != nil {
			checked, err = nil, module.ErrPanic.With("%v", r)
		}
	}()
	return a.check(chainID, tx, knownKey)
}

// Bounds of the cache: several blocks of orders, and no more memory than a few
// times the bytes, however large the transactions.
const (
	checkedCacheSize  = 8192
	checkedCacheBytes = 8 << 20
)

// checkedCache remembers passed checks by the hash of the whole transaction until
// a block has executed it, the oldest going first where there are too many. It
// only saves work: what it answers, check would answer again.
type checkedCache struct {
	mu    sync.Mutex
	txs   map[[32]byte]*checkedTx
	order [][32]byte // oldest first, the executed ones among them
	bytes int
}

func newCheckedCache() *checkedCache {
	return &checkedCache{txs: make(map[[32]byte]*checkedTx)}
}

func (c *checkedCache) get(hash [32]byte) *checkedTx {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.txs[hash]
}

func (c *checkedCache) put(tx *checkedTx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.txs[tx.hash]; ok {
		return
	}
	c.txs[tx.hash] = tx
	c.order = append(c.order, tx.hash)
	c.bytes += tx.size
	for len(c.order) > checkedCacheSize || c.bytes > checkedCacheBytes {
		c.remove(c.order[0])
		c.order = c.order[1:]
	}
}

// forget lets go of transactions that a block has executed.
func (c *checkedCache) forget(txs []judgedTx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tx := range txs {
		if tx.checkedTx != nil {
			c.remove(tx.hash)
		}
	}
}

func (c *checkedCache) remove(hash [32]byte) {
	if tx, ok := c.txs[hash]; ok {
		c.bytes -= tx.size
		delete(c.txs, hash)
	}
}
