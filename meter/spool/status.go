package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Status is what a spool holds.
type Status struct {
	// Pending readings wait for a block; OldestMs is the time of the first of
	// them, 0 without one.
	Pending  int64 `json:"pending"`
	OldestMs int64 `json:"oldest_ms"`
	Segments int   `json:"segments"`
	// Bytes of all segments.
	Bytes int64 `json:"bytes"`
	// Refused readings were set aside.
	Refused int `json:"refused"`
	// DamagedBytes of segments could not be read.
	DamagedBytes int64 `json:"damaged_bytes"`
	// Meters of which a reading was ever appended.
	Meters int `json:"meters"`
	// Codes counts the refused readings by the chain's code.
	Codes map[string]int `json:"refused_by_code,omitempty"`
}

// Status returns what the spool holds.
func (s *Spool) Status() (Status, error) {
	oldest, err := s.Peek(1)
	if err != nil {
		return Status{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{
		Pending: int64(s.next - s.mark.index), Segments: len(s.segments), Bytes: s.bytes(),
		DamagedBytes: s.damaged, Meters: len(s.last),
	}
	if len(oldest) > 0 {
		status.OldestMs = oldest[0].Reading.TimeMs
	}
	status.count(s.refused.entries)
	return status, nil
}

func (s *Status) count(refused []Refused) {
	s.Refused, s.Codes = len(refused), make(map[string]int)
	for _, r := range refused {
		s.Codes[r.Code]++
	}
}

// Inspect returns what the spool in a folder holds and changes nothing, so that
// it works beside the process that writes.
func Inspect(dir string) (Status, []Refused, error) {
	segments, err := listSegments(dir)
	if err != nil {
		return Status{}, nil, err
	}
	var index uint64
	opened, err := os.Open(filepath.Join(dir, "mark"))
	if err == nil {
		m := &mark{file: opened}
		err = errors.Join(m.read(), opened.Close())
		index = m.index
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Status{}, nil, err
	}
	status, meters := Status{Segments: len(segments)}, make(map[string]bool)
	for i, seg := range segments {
		data, err := os.ReadFile(seg.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // all of it was committed meanwhile
		}
		if err != nil {
			return Status{}, nil, err
		}
		_, damaged := scan(data, func(f frame) {
			meters[f.reading.Meter] = true
			if f.kind != kindReading || f.index < index || i+1 < len(segments) && f.index >= segments[i+1].first {
				return
			}
			if status.Pending == 0 {
				status.OldestMs = f.reading.TimeMs
			}
			status.Pending++
		})
		status.Bytes += int64(len(data))
		status.DamagedBytes += damaged
	}
	data, err := os.ReadFile(filepath.Join(dir, "refused.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Status{}, nil, err
	}
	refused, _, err := parseRefused(data)
	if err != nil {
		return Status{}, nil, err
	}
	status.Meters = len(meters)
	status.count(refused)
	return status, refused, nil
}
