package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/energyd/energyd/protocol"
)

const (
	segmentSuffix = ".seg"
	newSuffix     = ".new"
)

// file is what a segment is written through.
type file interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// listSegments returns the segments in a folder, oldest first.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, entry := range entries {
		number, ok := strings.CutSuffix(entry.Name(), segmentSuffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: expected a segment to be named by a number", entry.Name())
		}
		segments = append(segments, segment{path: filepath.Join(dir, entry.Name()), first: first})
	}
	slices.SortFunc(segments, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return segments, nil
}

// recover reads what is on disk and makes it ready for writing.
func (s *Spool) recover() error {
	var err error
	if s.mark, err = openMark(filepath.Join(s.dir, "mark")); err != nil {
		return err
	}
	if s.refused, err = openRefused(filepath.Join(s.dir, "refused.jsonl")); err != nil {
		return err
	}
	if s.segments, err = listSegments(s.dir); err != nil {
		return err
	}
	s.next = s.mark.index
	for i := range s.segments {
		if err := s.readSegment(i); err != nil {
			return err
		}
	}
	for _, refused := range s.refused.entries {
		s.remember(refused.Reading)
	}
	if len(s.segments) == 0 {
		return s.roll()
	}
	return s.reopen()
}

// readSegment counts in what a segment holds.
func (s *Spool) readSegment(i int) error {
	seg := &s.segments[i]
	data, err := os.ReadFile(seg.path)
	if err != nil {
		return err
	}
	limit := ^uint64(0)
	if i+1 < len(s.segments) {
		limit = s.segments[i+1].first
	}
	s.next = max(s.next, seg.first)
	end, damaged := scan(data, func(f frame) {
		if f.kind == kindReading && f.index >= limit {
			return // written when a sync failed, never acknowledged
		}
		s.remember(f.reading)
		if f.kind == kindReading {
			s.next = max(s.next, f.index+1)
		}
	})
	if i+1 < len(s.segments) {
		damaged += int64(len(data)) - end
	}
	s.damaged += damaged
	seg.end = end
	return nil
}

// reopen goes on with the last segment and cuts off what a crash left behind
// its last frame.
func (s *Spool) reopen() error {
	seg := s.segments[len(s.segments)-1]
	active, err := os.OpenFile(seg.path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.active = active
	if err := errors.Join(active.Truncate(seg.end), active.Sync()); err != nil {
		return err
	}
	s.removeDone()
	return nil
}

// newSegment makes a segment that begins with the latest readings. It has its
// name once it is whole.
func (s *Spool) newSegment(first uint64) (file, segment, error) {
	path := filepath.Join(s.dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
	var frames []byte
	for _, meter := range slices.Sorted(maps.Keys(s.last)) {
		payload, err := protocol.Marshal(s.last[meter])
		if err != nil {
			return nil, segment{}, err
		}
		frames = appendFrame(frames, kindLast, first, payload)
	}
	created, err := s.create(path + newSuffix)
	if err != nil {
		return nil, segment{}, err
	}
	_, err = created.WriteAt(frames, 0)
	if err == nil {
		err = created.Sync()
	}
	if err == nil {
		err = os.Rename(path+newSuffix, path)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return nil, segment{}, errors.Join(err, created.Close())
	}
	return created, segment{path: path, first: first, end: int64(len(frames))}, nil
}

func syncDir(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
