// Package spool keeps signed readings on disk from the moment they are signed
// until a block holds them, so that neither a power cut nor weeks without a
// network lose one. Appended readings are synced before Append returns; the
// sender takes them in that order and marks them committed.
//
// # Files
//
//	lock             held by the process that writes
//	FIRST.seg        segments: frames, named by the index of their first reading
//	mark             index up to which all readings are done, in two slots
//	refused.jsonl    readings that the chain refuses, with its reason
//
// A frame is length (4 bytes, big-endian), CRC-32C of what follows (4), kind (1),
// index (8), and a reading in its protobuf encoding. A segment begins with a
// frame of the latest reading of every meter (kind L), so that sequences go on
// when all segments before it are gone; readings to send are of kind R.
//
// # Faults
//
// A frame cut short at the end of the last segment was never acknowledged: it is
// cut off. Damage within a segment is skipped up to the next frame that is
// whole, and counted. A mark that is lost makes readings be sent again, which
// changes nothing on chain. When the disk is full, or MaxBytes is reached, Append
// fails with ErrFull and what is on disk stays: all of it is billing readings,
// none of which may go. Registers are cumulative, so the energy is not lost: the
// next reading that finds room includes it. Marking what is committed takes no
// new room, so a full spool empties.
package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/protocol"
)

// Errors of the spool.
var (
	// ErrFull: there is no room. Nothing was appended.
	ErrFull = errors.New("spool full: readings wait for the chain and none of them may be dropped; free room on the disk or raise spool_mib")
	// ErrInUse: another process writes.
	ErrInUse = errors.New("another process uses this spool")
)

const (
	// DefaultMaxBytes is room for about two million readings.
	DefaultMaxBytes = 256 << 20
	// segmentBytes is when a segment ends; one is read into memory at once.
	segmentBytes = 1 << 20
)

// Options of a spool.
type Options struct {
	// MaxBytes is how much all segments may take; 0 is DefaultMaxBytes.
	MaxBytes int64
	// SegmentBytes is when a new segment begins; 0 is 1 MiB.
	SegmentBytes int64
}

// Entry is a reading that waits, with its place in the queue.
type Entry struct {
	Index   uint64
	Reading *meteringv1.Reading
}

// Spool is an open spool. Its methods may be called from several goroutines.
type Spool struct {
	dir     string
	options Options
	lock    *os.File
	// create makes a segment's file; tests make it fail.
	create func(path string) (file, error)

	mu       sync.Mutex
	segments []segment // oldest first; the last one is written to
	active   file
	broken   bool // a sync failed: what the active segment holds past its end is unknown
	next     uint64
	mark     *mark
	last     map[string]*meteringv1.Reading
	damaged  int64
	refused  *refusedFile
}

// segment is a file of frames.
type segment struct {
	path  string
	first uint64
	end   int64 // bytes that are known to be whole
}

// Open opens the spool in a folder, which it makes if need be, and repairs what
// a crash left behind.
func Open(dir string, o Options) (*Spool, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = segmentBytes
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	held, err := acquire(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("spool %s: %w", dir, err)
	}
	s := &Spool{dir: dir, options: o, lock: held, create: createFile, last: make(map[string]*meteringv1.Reading)}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func acquire(path string) (*os.File, error) {
	held, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(ErrInUse, held.Close())
	}
	return held, nil
}

// Close closes the files. What was appended is on disk already.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.active != nil {
		errs = append(errs, s.active.Close())
	}
	if s.mark != nil {
		errs = append(errs, s.mark.file.Close())
	}
	if s.refused != nil {
		errs = append(errs, s.refused.file.Close())
	}
	s.active, s.mark, s.refused = nil, nil, nil
	return errors.Join(append(errs, s.lock.Close())...)
}

// Append stores readings durably, all or none, after those that wait.
func (s *Spool) Append(readings ...*meteringv1.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(readings)
}

func (s *Spool) append(readings []*meteringv1.Reading) error {
	frames, next := []byte(nil), s.next
	for _, reading := range readings {
		payload, err := protocol.Marshal(reading)
		if err != nil {
			return fmt.Errorf("spool: meter %s: %w", reading.GetMeter(), err)
		}
		if len(payload) > maxPayload {
			return fmt.Errorf("spool: meter %s: expected a reading of at most %d bytes, got %d", reading.GetMeter(), maxPayload, len(payload))
		}
		frames = appendFrame(frames, kindReading, next, payload)
		next++
	}
	if err := s.write(frames); err != nil {
		return err
	}
	s.next = next
	for _, reading := range readings {
		s.remember(reading)
	}
	return nil
}

// write appends frames to the active segment and syncs them.
func (s *Spool) write(frames []byte) error {
	at := &s.segments[len(s.segments)-1]
	if s.broken || at.end > s.options.SegmentBytes {
		if err := s.roll(); err != nil {
			return err
		}
		at = &s.segments[len(s.segments)-1]
	}
	if s.bytes()+int64(len(frames)) > s.options.MaxBytes {
		return ErrFull
	}
	if _, err := s.active.WriteAt(frames, at.end); err != nil {
		s.broken = s.active.Truncate(at.end) != nil
		return full(err)
	}
	if err := s.active.Sync(); err != nil {
		// After a failed sync the system may believe that lost pages are on disk.
		// Only a new file is to be trusted.
		s.broken = true
		return full(err)
	}
	at.end += int64(len(frames))
	return nil
}

func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("spool: %w", err)
}

// roll begins a new segment.
func (s *Spool) roll() error {
	created, seg, err := s.newSegment(s.next)
	if err != nil {
		return full(err)
	}
	if s.active != nil {
		// What it acknowledged was synced: an error here changes nothing.
		_ = s.active.Close()
	}
	if n := len(s.segments); n > 0 && s.segments[n-1].first == seg.first {
		s.segments = s.segments[:n-1] // replaced: it held nothing to send
	}
	s.active, s.broken = created, false
	s.segments = append(s.segments, seg)
	s.removeDone()
	return nil
}

// remember notes the latest reading of a meter.
func (s *Spool) remember(reading *meteringv1.Reading) {
	if known := s.last[reading.Meter]; known == nil || reading.Sequence > known.Sequence {
		s.last[reading.Meter] = reading
	}
}

// Last returns the reading of a meter with the highest sequence that was ever
// appended, nil without one.
func (s *Spool) Last(meter string) *meteringv1.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[meter]
}

// Peek returns the oldest readings that wait, at most n.
func (s *Spool) Peek(n int) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []Entry
	for i, seg := range s.segments {
		if len(entries) == n {
			break
		}
		if i+1 < len(s.segments) && s.segments[i+1].first <= s.mark.index {
			continue
		}
		data, err := os.ReadFile(seg.path)
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		scan(data[:min(int64(len(data)), seg.end)], func(f frame) {
			if f.kind != kindReading || f.index < s.mark.index || f.index >= s.limit(i) || len(entries) == n {
				return
			}
			entries = append(entries, Entry{Index: f.index, Reading: f.reading})
		})
	}
	return entries, nil
}

// limit is the index that readings of segment i lie below.
func (s *Spool) limit(i int) uint64 {
	if i+1 < len(s.segments) {
		return s.segments[i+1].first
	}
	return s.next
}

// Commit marks all readings up to an index as done and removes segments that
// hold none that waits.
func (s *Spool) Commit(through uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(through)
}

func (s *Spool) commit(through uint64) error {
	if through >= s.next {
		return fmt.Errorf("spool: commit: expected an index below %d, got %d", s.next, through)
	}
	if through+1 <= s.mark.index {
		return nil
	}
	if err := s.mark.set(through + 1); err != nil {
		return fmt.Errorf("spool: mark: %w", err)
	}
	s.removeDone()
	return nil
}

// removeDone removes segments whose readings are all done. One that cannot be
// removed now is removed when the spool is opened again.
func (s *Spool) removeDone() {
	for len(s.segments) > 1 && s.segments[1].first <= s.mark.index {
		if os.Remove(s.segments[0].path) != nil {
			return
		}
		s.segments = s.segments[1:]
	}
}

// Refuse sets the oldest reading that waits aside, with the chain's reason.
func (s *Spool) Refuse(entry Entry, code, reason string, atMs int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refused.add(Refused{AtMs: atMs, Code: code, Reason: reason, Reading: entry.Reading}); err != nil {
		return full(err)
	}
	return s.commit(entry.Index)
}

// Refused returns the readings that were set aside.
func (s *Spool) Refused() []Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Refused(nil), s.refused.entries...)
}

// LastRefused returns the code with which the latest reading of a meter was set
// aside, empty if it was not.
func (s *Spool) LastRefused(meter string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range slices.Backward(s.refused.entries) {
		if last := s.last[meter]; r.Reading.Meter == meter && r.Reading.Sequence == last.Sequence {
			return r.Code
		}
	}
	return ""
}

// Retry puts readings that were set aside, and that choose picks, behind those
// that wait. It returns how many.
func (s *Spool) Retry(choose func(Refused) bool) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var again []*meteringv1.Reading
	var rest []Refused
	for _, r := range s.refused.entries {
		if choose(r) {
			again = append(again, r.Reading)
		} else {
			rest = append(rest, r)
		}
	}
	if len(again) == 0 {
		return 0, nil
	}
	// A crash between the two leaves them in both places: sent twice, they are
	// on chain once.
	if err := s.append(again); err != nil {
		return 0, err
	}
	return len(again), s.refused.replace(rest)
}

// Pending returns how many readings wait.
func (s *Spool) Pending() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next - s.mark.index
}

func (s *Spool) bytes() int64 {
	var sum int64
	for _, seg := range s.segments {
		sum += seg.end
	}
	return sum
}
