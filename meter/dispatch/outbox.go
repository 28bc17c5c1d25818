package dispatch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/protocol"
)

// maxWaiting is how many acknowledgements wait at most; the oldest go first.
// The chain takes as many in one message.
const maxWaiting = 1000

// Outbox keeps acknowledgements on disk until a block holds them. Of one device
// and period only the latest waits: the chain, too, keeps only that.
type Outbox struct {
	path string

	mu      sync.Mutex
	waiting []*dispatchv1.Acknowledgement
}

// OpenOutbox reads what waits in a file; a file that is not there is empty. One
// that is no outbox is put aside, and its error comes with an empty outbox:
// steering matters more than telling of it.
func OpenOutbox(path string) (*Outbox, error) {
	b := &Outbox{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	held := new(dispatchv1.MsgAcknowledgeDispatch)
	if err == nil {
		err = proto.Unmarshal(data, held)
	}
	if err != nil {
		return b, fmt.Errorf("acknowledgements, put aside in %s.broken: %w", path, errors.Join(err, os.Rename(path, path+".broken")))
	}
	b.waiting = held.Acknowledgements
	return b, nil
}

// Add puts an acknowledgement behind the others. It waits in memory even if the
// error says that the disk does not take it.
func (b *Outbox) Add(ack *dispatchv1.Acknowledgement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(a *dispatchv1.Acknowledgement) bool {
		return a.Device == ack.Device && a.Period == ack.Period
	})
	b.waiting = append(b.waiting, ack)
	b.waiting = b.waiting[max(0, len(b.waiting)-maxWaiting):]
	return b.write()
}

// Peek returns the oldest that wait, at most n.
func (b *Outbox) Peek(n int) []*dispatchv1.Acknowledgement {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.waiting[:min(n, len(b.waiting))])
}

// Done takes acknowledgements away that a block holds, or that the chain
// refuses; later ones of the same device and period stay.
func (b *Outbox) Done(acks []*dispatchv1.Acknowledgement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(a *dispatchv1.Acknowledgement) bool { return slices.Contains(acks, a) })
	return b.write()
}

// Waiting is how many wait.
func (b *Outbox) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// write replaces the file; b.mu is held.
func (b *Outbox) write() error {
	data, err := protocol.Marshal(&dispatchv1.MsgAcknowledgeDispatch{Acknowledgements: b.waiting})
	if err != nil {
		return err
	}
	made, err := os.OpenFile(b.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = made.Write(data)
	if err = errors.Join(err, made.Sync(), made.Close()); err != nil {
		return err
	}
	return os.Rename(b.path+".new", b.path)
}
