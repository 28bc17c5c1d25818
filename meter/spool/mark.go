package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

const (
	// slotDistance keeps the slots in sectors of their own, so that a write that
	// is torn by a power cut leaves the other one.
	slotDistance = 4096
	slotBytes    = 8 + 8 + 4
)

// mark is the index below which all readings are done. It is written in place,
// into the older of two slots, so that a full disk does not hinder it.
type mark struct {
	file       *os.File
	generation uint64
	index      uint64
}

func openMark(path string) (*mark, error) {
	opened, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	m := &mark{file: opened}
	if err := m.read(); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	info, err := opened.Stat()
	if err == nil && info.Size() == 0 {
		// Take the room now.
		_, err = opened.WriteAt(make([]byte, slotDistance+slotBytes), 0)
		if err == nil {
			err = opened.Sync()
		}
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return m, nil
}

// read takes the newest slot that is whole.
func (m *mark) read() error {
	for slot := range int64(2) {
		data := make([]byte, slotBytes)
		if _, err := m.file.ReadAt(data, slot*slotDistance); err != nil {
			if errors.Is(err, io.EOF) {
				continue
			}
			return err
		}
		generation := binary.BigEndian.Uint64(data)
		if binary.BigEndian.Uint32(data[16:]) == crc32.Checksum(data[:16], castagnoli) && generation > m.generation {
			m.generation, m.index = generation, binary.BigEndian.Uint64(data[8:])
		}
	}
	return nil
}

func (m *mark) set(index uint64) error {
	data := binary.BigEndian.AppendUint64(nil, m.generation+1)
	data = binary.BigEndian.AppendUint64(data, index)
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	if _, err := m.file.WriteAt(data, int64((m.generation+1)%2)*slotDistance); err != nil {
		return err
	}
	if err := m.file.Sync(); err != nil {
		return err
	}
	m.generation, m.index = m.generation+1, index
	return nil
}
