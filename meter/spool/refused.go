package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

// Refused is a reading that the chain does not take.
type Refused struct {
	// AtMs is when it was refused, Unix ms.
	AtMs int64
	// Code is the chain's, such as metering/register_back.
	Code    string
	Reason  string
	Reading *meteringv1.Reading
}

// keepRefused is how many refused readings are kept; then the older half goes: a
// meter that the chain refuses for ever must not fill the disk.
const keepRefused = 2000

// refusedLine is a line of refused.jsonl.
type refusedLine struct {
	AtMs    int64           `json:"at_ms"`
	Code    string          `json:"code"`
	Reason  string          `json:"reason"`
	Reading json.RawMessage `json:"reading"`
}

// refusedFile holds the readings that were set aside, one a line, for people
// too.
type refusedFile struct {
	path    string
	file    *os.File
	size    int64
	entries []Refused
}

func openRefused(path string) (*refusedFile, error) {
	opened, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	r := &refusedFile{path: path, file: opened}
	if r.entries, r.size, err = parseRefused(data); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), opened.Close())
	}
	if err := opened.Truncate(r.size); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return r, nil
}

// parseRefused reads whole lines; size is where the last one ends. What follows
// it a crash cut short.
func parseRefused(data []byte) (entries []Refused, size int64, err error) {
	for number := 1; ; number++ {
		end := bytes.IndexByte(data[size:], '\n')
		if end < 0 {
			return entries, size, nil
		}
		var line refusedLine
		reading := new(meteringv1.Reading)
		err := json.Unmarshal(data[size:size+int64(end)], &line)
		if err == nil {
			err = client.DecodeJSON(line.Reading, reading)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", number, err)
		}
		entries = append(entries, Refused{AtMs: line.AtMs, Code: line.Code, Reason: line.Reason, Reading: reading})
		size += int64(end) + 1
	}
}

func (r Refused) line() ([]byte, error) {
	reading, err := client.EncodeJSON(r.Reading)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(refusedLine{AtMs: r.AtMs, Code: r.Code, Reason: r.Reason, Reading: reading})
	return append(line, '\n'), err
}

// add stores a reading durably; one that is there already is not stored again.
func (r *refusedFile) add(refused Refused) error {
	for _, known := range r.entries {
		if known.Reading.Meter == refused.Reading.Meter && known.Reading.Sequence == refused.Reading.Sequence {
			return nil
		}
	}
	if len(r.entries) >= keepRefused {
		if err := r.replace(slices.Clone(r.entries[keepRefused/2:])); err != nil {
			return err
		}
	}
	line, err := refused.line()
	if err != nil {
		return err
	}
	if _, err := r.file.WriteAt(line, r.size); err != nil {
		return errors.Join(err, r.file.Truncate(r.size))
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	r.size += int64(len(line))
	r.entries = append(r.entries, refused)
	return nil
}

// replace stores these readings in the place of all.
func (r *refusedFile) replace(entries []Refused) error {
	var data []byte
	for _, entry := range entries {
		line, err := entry.line()
		if err != nil {
			return err
		}
		data = append(data, line...)
	}
	made, err := os.OpenFile(r.path+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = made.WriteAt(data, 0)
	if err == nil {
		err = made.Sync()
	}
	if err == nil {
		err = os.Rename(r.path+newSuffix, r.path)
	}
	if err != nil {
		return errors.Join(err, made.Close())
	}
	old := r.file
	r.file, r.size, r.entries = made, int64(len(data)), entries
	return old.Close()
}
