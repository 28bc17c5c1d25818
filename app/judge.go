package app

import (
	"bytes"
	"time"

	"github.com/energyd/energyd/state"
)

// judged is a block whose transactions were checked and admitted, in order.
type judged struct {
	*admission
	hash []byte // the block's, as the engine calls it
	txs  []judgedTx
}

// judgedTx is a transaction and what was said of it.
type judgedTx struct {
	*checkedTx // nil if it did not pass its checks
	from       sender
	err        error // nil: admitted
}

// judge checks and admits the transactions of a block.
func (a *App) judge(base state.Reader, height int64, at time.Time, hash []byte, txs [][]byte) *judged {
	block := &judged{
		admission: newAdmission(base, height, rulesOf(base, at.UnixMilli())),
		hash:      hash, txs: make([]judgedTx, len(txs)),
	}
	checked, errs := a.checkAll(block.chainID, txs, block.knows)
	for i := range txs {
		tx := judgedTx{checkedTx: checked[i], err: errs[i]}
		if tx.err == nil {
			tx.from, tx.err = block.admit(tx.checkedTx)
		}
		block.txs[i] = tx
	}
	return block
}

// is says whether the engine means this block by a hash: it covers the
// transactions, the height, the time and the state before it.
func (b *judged) is(hash []byte) bool {
	return b != nil && len(hash) > 0 && bytes.Equal(b.hash, hash)
}
