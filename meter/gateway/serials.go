package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// serials keeps the serial number of each meter on disk, so that one replaced
// while the gateway was off is noticed.
type serials struct {
	path  string
	mu    sync.Mutex
	known map[string]string
}

func openSerials(path string) (*serials, error) {
	s := &serials{path: path, known: make(map[string]string)}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.known)
	}
	if err != nil {
		return nil, fmt.Errorf("serial numbers %s: %w", path, err)
	}
	return s, nil
}

func (s *serials) get(meter string) (serial string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	serial, known = s.known[meter]
	return serial, known
}

// set stores a serial number that is new.
func (s *serials) set(meter, serial string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.known[meter]; ok && known == serial {
		return nil
	}
	before, had := s.known[meter]
	s.known[meter] = serial
	err := s.write()
	if err != nil {
		if delete(s.known, meter); had {
			s.known[meter] = before
		}
		return fmt.Errorf("serial number of %s: %w", meter, err)
	}
	return nil
}

func (s *serials) write() error {
	data, err := json.MarshalIndent(s.known, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(s.path, append(data, '\n'))
}
