package spool

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childDir names the spool of the child process.
const childDir = "ENERGYD_TEST_SPOOL"

// TestMain is the child where the variable says so: it appends, commits and
// says on standard output what it did, until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func child(dir string) error {
	s, err := Open(dir, Options{SegmentBytes: 2000})
	if err != nil {
		return err
	}
	for sequence := s.Last("m").GetSequence() + 1; ; sequence++ {
		if err := s.Append(reading("m", sequence)); err != nil {
			return err
		}
		fmt.Println("appended", sequence)
		if sequence%3 != 0 {
			continue
		}
		entries, err := s.Peek(2)
		if err != nil {
			return err
		}
		last := entries[len(entries)-1]
		if sequence%9 == 0 {
			if err := s.Refuse(entries[0], "metering/implausible", "", 1); err != nil {
				return err
			}
			fmt.Println("refused", entries[0].Reading.Sequence)
			continue
		}
		fmt.Println("committing", last.Reading.Sequence)
		if err := s.Commit(last.Index); err != nil {
			return err
		}
		fmt.Println("committed", last.Reading.Sequence)
	}
}

// TestKill kills a process that uses a spool at random moments: everything it
// acknowledged is there, in order and once.
func TestKill(t *testing.T) {
	rounds := 20
	if os.Getenv("ENERGYD_SLOW") != "" {
		rounds = 200
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	var appended, committing, committed uint64
	refused := make(map[uint64]bool)
	for round := range rounds {
		for _, line := range killed(t, dir, time.Duration(random.IntN(60))*time.Millisecond) {
			var verb string
			var sequence uint64
			if n, _ := fmt.Sscan(line, &verb, &sequence); n != 2 {
				continue
			}
			switch verb {
			case "appended":
				appended = max(appended, sequence)
			case "committing":
				committing = sequence
			case "committed":
				committed = sequence
			case "refused":
				refused[sequence] = true
				committing, committed = max(committing, sequence), max(committed, sequence)
			}
		}
		s := open(t, dir, Options{SegmentBytes: 2000})
		set := make(map[uint64]bool)
		for _, r := range s.Refused() {
			if set[r.Reading.Sequence] {
				t.Fatalf("round %d: %d was set aside twice", round, r.Reading.Sequence)
			}
			set[r.Reading.Sequence] = true
		}
		for sequence := range refused {
			if !set[sequence] {
				t.Fatalf("round %d: %d was set aside and is gone", round, sequence)
			}
		}
		all := waiting(t, s)
		next := s.Last("m").GetSequence() + 1
		if next <= appended {
			t.Fatalf("round %d: %d was appended, the last known is %d", round, appended, next-1)
		}
		if len(all) > 0 && (all[0] <= committed || all[0] > max(committing, committed)+2) {
			t.Fatalf("round %d: %d waits first, committed is %d, at most %d", round, all[0], committed, committing)
		}
		for i, sequence := range all {
			if sequence != next-uint64(len(all))+uint64(i) {
				t.Fatalf("round %d: %v wait, want one after the other up to %d", round, all, next-1)
			}
		}
		if s.damaged != 0 {
			t.Fatalf("round %d: %d bytes damaged", round, s.damaged)
		}
		must(t, s.Close())
	}
	if appended < uint64(rounds) {
		t.Errorf("only %d readings in %d rounds", appended, rounds)
	}
}

// killed runs a child on the spool and kills it that long after its first line.
func killed(t *testing.T, dir string, after time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	reader := bufio.NewScanner(out)
	for reader.Scan() {
		if len(lines) == 0 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		lines = append(lines, reader.Text())
	}
	_ = cmd.Wait()
	if len(lines) == 0 || words.Len() > 0 {
		t.Fatalf("the child said %q, %d lines", words.String(), len(lines))
	}
	return lines
}
