package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

func reading(meter string, sequence uint64) *meteringv1.Reading {
	return &meteringv1.Reading{
		Meter: meter, Sequence: sequence, TimeMs: int64(sequence) * 1000, ImportWh: int64(sequence) * 7,
		Quality: meteringv1.Quality_QUALITY_MEASURED, Signature: make([]byte, 64),
	}
}

func open(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waiting returns the sequences that wait.
func waiting(t interface{ Fatal(...any) }, s *Spool) (sequences []uint64) {
	entries, err := s.Peek(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		sequences = append(sequences, e.Reading.Sequence)
	}
	return sequences
}

// TestModel does what a gateway may do, in any order and with restarts, beside
// a plain list.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spool-")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		options := Options{SegmentBytes: rapid.Int64Range(200, 3000).Draw(t, "segment")}
		s, err := Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		var queue, refused []uint64
		var sequence uint64
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var batch []*meteringv1.Reading
				for range rapid.IntRange(1, 5).Draw(t, "n") {
					sequence++
					batch, queue = append(batch, reading("m", sequence)), append(queue, sequence)
				}
				check(s.Append(batch...))
			},
			"commit": func(t *rapid.T) {
				entries, err := s.Peek(rapid.IntRange(1, 10).Draw(t, "n"))
				check(err)
				if len(entries) == 0 {
					t.Skip("nothing waits")
				}
				check(s.Commit(entries[len(entries)-1].Index))
				queue = queue[len(entries):]
			},
			"refuse": func(t *rapid.T) {
				entries, err := s.Peek(1)
				check(err)
				if len(entries) == 0 {
					t.Skip("nothing waits")
				}
				check(s.Refuse(entries[0], "metering/too_late", "why", 1))
				refused, queue = append(refused, queue[0]), queue[1:]
			},
			"retry": func(t *rapid.T) {
				n, err := s.Retry(func(Refused) bool { return true })
				check(err)
				if n != len(refused) {
					t.Fatalf("%d again, want %d", n, len(refused))
				}
				queue, refused = append(queue, refused...), nil
			},
			"restart": func(t *rapid.T) {
				check(s.Close())
				s, err = Open(dir, options)
				check(err)
			},
			"": func(t *rapid.T) {
				if got := waiting(t, s); fmt.Sprint(got) != fmt.Sprint(queue) {
					t.Fatalf("%v wait, want %v", got, queue)
				}
				if last := s.Last("m"); last.GetSequence() != sequence {
					t.Fatalf("last sequence %d, want %d", last.GetSequence(), sequence)
				}
				status, err := s.Status()
				check(err)
				seen, _, err := Inspect(dir)
				check(err)
				if status.Pending != int64(len(queue)) || status.Refused != len(refused) || status.DamagedBytes != 0 {
					t.Fatalf("status %+v, want %d and %d", status, len(queue), len(refused))
				}
				if fmt.Sprint(seen) != fmt.Sprint(status) {
					t.Fatalf("seen from outside %+v, want %+v", seen, status)
				}
			},
		})
	})
}

// TestTornTail cuts the last append short at every byte.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	must(t, s.Append(reading("a", 1), reading("a", 2)))
	whole := s.segments[0].end
	must(t, s.Append(reading("a", 3)))
	must(t, s.Close())
	path := s.segments[0].path
	data, err := os.ReadFile(path)
	must(t, err)
	for cut := int(whole); cut < len(data); cut++ {
		must(t, os.WriteFile(path, data[:cut], 0o600))
		s := open(t, dir, Options{})
		if got := fmt.Sprint(waiting(t, s)); got != "[1 2]" {
			t.Fatalf("cut at %d of %d: %s wait, want [1 2]", cut, len(data), got)
		}
		must(t, s.Append(reading("a", 9)))
		if got := fmt.Sprint(waiting(t, s)); got != "[1 2 9]" || s.damaged != 0 {
			t.Fatalf("cut at %d: %s wait after an append, want [1 2 9]; %d damaged", cut, got, s.damaged)
		}
		must(t, s.Close())
	}
}

// TestDamage changes each byte of a frame in the middle: what follows it is
// read.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	must(t, s.Append(reading("a", 1)))
	from := s.segments[0].end
	must(t, s.Append(reading("b", 2)))
	to := s.segments[0].end
	must(t, s.Append(reading("c", 3)))
	must(t, s.Close())
	path := s.segments[0].path
	data, err := os.ReadFile(path)
	must(t, err)
	for at := from; at < to; at++ {
		changed := append([]byte(nil), data...)
		changed[at] ^= 0x55
		must(t, os.WriteFile(path, changed, 0o600))
		s := open(t, dir, Options{})
		status, err := s.Status()
		must(t, err)
		if got := fmt.Sprint(waiting(t, s)); got != "[1 3]" || status.DamagedBytes != to-from {
			t.Fatalf("byte %d: %s wait, %d bytes damaged, want [1 3] and %d", at, got, status.DamagedBytes, to-from)
		}
		must(t, s.Close())
	}
}

// TestLostMark sends again and loses nothing.
func TestLostMark(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	must(t, s.Append(reading("a", 1), reading("a", 2)))
	must(t, s.Commit(0))
	must(t, s.Close())
	must(t, os.Truncate(filepath.Join(dir, "mark"), 5))
	s = open(t, dir, Options{})
	if got := fmt.Sprint(waiting(t, s)); got != "[1 2]" {
		t.Errorf("%s wait, want both", got)
	}
	if err := s.Commit(2); err == nil {
		t.Error("what was never appended is committed")
	}
}

// TestTornMark: of a mark that a power cut tore, the one before it holds.
func TestTornMark(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	must(t, s.Append(reading("a", 1), reading("a", 2), reading("a", 3)))
	must(t, s.Commit(0))
	must(t, s.Commit(1))
	newest := int64(s.mark.generation%2) * slotDistance
	must(t, s.Close())
	f, err := os.OpenFile(filepath.Join(dir, "mark"), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{0xff, 0xff}, newest+10)
	must(t, errors.Join(err, f.Close()))
	s = open(t, dir, Options{})
	if got := fmt.Sprint(waiting(t, s)); got != "[2 3]" {
		t.Errorf("%s wait, want [2 3]", got)
	}
}

// TestSequencesOutliveSegments: with everything committed and removed, the last
// sequence of each meter is known.
func TestSequencesOutliveSegments(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{SegmentBytes: 300})
	for i := range uint64(50) {
		must(t, s.Append(reading("a", i+1), reading("b", i+101)))
		must(t, s.Commit(2*i+1))
	}
	if len(s.segments) > 2 {
		t.Errorf("%d segments are kept, want at most 2", len(s.segments))
	}
	must(t, s.Close())
	s = open(t, dir, Options{})
	if a, b := s.Last("a").GetSequence(), s.Last("b").GetSequence(); a != 50 || b != 150 || s.Pending() != 0 {
		t.Errorf("last sequences %d and %d, %d pending, want 50, 150 and 0", a, b, s.Pending())
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("%v, want %v", err, ErrInUse)
	}
}

// TestFull: a spool at its limit refuses, keeps what it has, and goes on once
// the chain has taken some.
func TestFull(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 2000, SegmentBytes: 500})
	var kept uint64
	for {
		err := s.Append(reading("a", kept+1))
		if errors.Is(err, ErrFull) {
			break
		}
		must(t, err)
		kept++
	}
	if got := len(waiting(t, s)); kept < 5 || got != int(kept) {
		t.Fatalf("%d wait, want %d", got, kept)
	}
	must(t, s.Commit(kept-1))
	must(t, s.Append(reading("a", kept+2)))
	if got := fmt.Sprint(waiting(t, s)); got != fmt.Sprint([]uint64{kept + 2}) {
		t.Errorf("%s wait, want %d", got, kept+2)
	}
}

// sick is a segment on a disk that fails.
type sick struct {
	*os.File
	room                int64 // bytes that it can hold
	syncErr, truncateNo error
}

func (f *sick) WriteAt(data []byte, at int64) (int, error) {
	if left := f.room - at; left < int64(len(data)) {
		n, _ := f.File.WriteAt(data[:max(left, 0)], at)
		return n, syscall.ENOSPC
	}
	return f.File.WriteAt(data, at)
}

func (f *sick) Sync() error { return errors.Join(f.syncErr, f.File.Sync()) }

func (f *sick) Truncate(size int64) error {
	if f.truncateNo != nil {
		return f.truncateNo
	}
	return f.File.Truncate(size)
}

// sicken makes the active segment's disk fail.
func sicken(s *Spool, change func(*sick)) {
	opened := s.active.(*os.File)
	f := &sick{File: opened, room: 1 << 30}
	change(f)
	s.active = f
}

func TestDiskFails(t *testing.T) {
	for _, tc := range []struct {
		name string
		sick func(*sick)
		says error
	}{
		{"no room at all", func(f *sick) { f.room = 0 }, ErrFull},
		{"room for a part of it", func(f *sick) { f.room = 200 }, ErrFull},
		{"a part that cannot be cut off", func(f *sick) { f.room, f.truncateNo = 340, syscall.EIO }, ErrFull},
		{"sync fails", func(f *sick) { f.syncErr = syscall.EIO }, syscall.EIO},
		{"sync finds no room", func(f *sick) { f.syncErr = syscall.ENOSPC }, ErrFull},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, Options{})
			must(t, s.Append(reading("a", 1)))
			sicken(s, tc.sick)
			if err := s.Append(reading("a", 2), reading("a", 3), reading("a", 3)); !errors.Is(err, tc.says) {
				t.Fatalf("%v, want %v", err, tc.says)
			}
			if got := fmt.Sprint(waiting(t, s)); got != "[1]" {
				t.Fatalf("%s wait, want what was there", got)
			}
			if f, ok := s.active.(*sick); ok {
				f.room = 1 << 30 // room is made; a failed sync stays failed
			}
			must(t, s.Append(reading("a", 4)))
			for range 2 {
				if got := fmt.Sprint(waiting(t, s)); got != "[1 4]" {
					t.Fatalf("%s wait, want [1 4]", got)
				}
				must(t, s.Close())
				s = open(t, dir, Options{})
			}
		})
	}
}

// TestNoRoomForASegment: without room for a new one the old one stays.
func TestNoRoomForASegment(t *testing.T) {
	s := open(t, t.TempDir(), Options{SegmentBytes: 50})
	must(t, s.Append(reading("a", 1)))
	s.create = func(string) (file, error) { return nil, syscall.ENOSPC }
	if err := s.Append(reading("a", 2)); !errors.Is(err, ErrFull) {
		t.Fatalf("%v, want %v", err, ErrFull)
	}
	must(t, s.Commit(0))
	s.create = createFile
	must(t, s.Append(reading("a", 3)))
	if got := fmt.Sprint(waiting(t, s)); got != "[3]" {
		t.Errorf("%s wait, want [3]", got)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	must(t, s.Append(reading("a", 1), reading("a", 2)))
	entries, err := s.Peek(2)
	must(t, err)
	must(t, s.Refuse(entries[0], "metering/register_back", "import_wh: falls", 5))
	// A crash after it was set aside and before the mark: it is refused again.
	must(t, s.refused.add(Refused{AtMs: 6, Code: "metering/register_back", Reason: "again", Reading: entries[0].Reading}))
	must(t, s.Close())
	path := filepath.Join(dir, "refused.jsonl")
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(data, `{"at_ms":7,"co`...), 0o600))
	s = open(t, dir, Options{})
	refused := s.Refused()
	if len(refused) != 1 || refused[0].Reason != "import_wh: falls" || !proto.Equal(refused[0].Reading, entries[0].Reading) {
		t.Fatalf("refused %v, want the first reading once", refused)
	}
	if got := fmt.Sprint(waiting(t, s)); got != "[2]" {
		t.Errorf("%s wait, want [2]", got)
	}
	must(t, s.Close())
	must(t, os.WriteFile(path, append(data, "junk\n"...), 0o600))
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "refused.jsonl: line 2") {
		t.Errorf("%v, want the file and its line", err)
	}
}

// TestRefusedBounded: a meter that is refused for ever does not fill the disk; the
// latest stay.
func TestRefusedBounded(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range uint64(keepRefused + 10) {
		must(t, s.refused.add(Refused{Code: "metering/unbound", Reading: reading("a", i+1)}))
	}
	left := s.Refused()
	if len(left) > keepRefused || len(left) < keepRefused/2 || left[len(left)-1].Reading.Sequence != keepRefused+10 {
		t.Errorf("%d are left, the latest %d", len(left), left[len(left)-1].Reading.Sequence)
	}
}

// FuzzScan: any bytes are read without a panic, and what was appended whole is
// found behind them.
func FuzzScan(f *testing.F) {
	payload, err := proto.Marshal(reading("a", 7))
	if err != nil {
		f.Fatal(err)
	}
	good := appendFrame(nil, kindReading, 3, payload)
	f.Add([]byte{})
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append([]byte{0, 0, 0, 1}, good...))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		end, damaged := scan(data, func(f frame) {
			if f.reading == nil {
				t.Error("a frame without a reading")
			}
		})
		if end+damaged > int64(2*len(data)) || end > int64(len(data)) {
			t.Errorf("end %d, damaged %d of %d bytes", end, damaged, len(data))
		}
		found := false
		scan(append(data[:end:end], good...), func(f frame) { found = f.index == 3 && f.reading.Sequence == 7 })
		if !found {
			t.Error("the frame behind is not found")
		}
	})
}
