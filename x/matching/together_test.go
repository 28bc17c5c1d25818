package matching_test

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// togetherEnv tells a process that it is one of those of BenchmarkClearTogether.
const togetherEnv = "ENERGYD_CLEAR_TOGETHER"

// The pipes of such a process: it closes the first when its book is there, and
// begins when the parent has closed the second.
const (
	readyPipe = 3
	beginPipe = 4
)

// BenchmarkClearTogether clears as four validators on one machine do at a gate:
// four processes with a state of their own begin at the same moment, when each has
// its book. It reports the mean and the slowest of the four, worst of all turns.
func BenchmarkClearTogether(b *testing.B) {
	const validators = 4
	for _, g := range greatestBooks {
		b.Run(g.name, func(b *testing.B) {
			var sum, slowest, turns float64
			for b.Loop() {
				for _, ms := range clearTogether(b, g, validators) {
					sum, slowest = sum+ms/validators, max(slowest, ms)
				}
				turns++
			}
			b.ReportMetric(sum/turns, "ms/mean")
			b.ReportMetric(slowest, "ms/slowest")
			b.ReportMetric(0, "ns/op") // says how long it takes to get the books
		})
	}
}

// clearTogether returns how long each of n processes took to clear, in ms.
func clearTogether(b *testing.B, g greatest, n int) []float64 {
	beginRead, begin := pipe(b)
	commands, outputs, readies := make([]*exec.Cmd, n), make([]io.Reader, n), make([]*os.File, n)
	for i := range commands {
		name := "^" + regexp.QuoteMeta(regexp.MustCompile(` `).ReplaceAllString(g.name, "_")) + "$"
		commands[i] = exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkClear$/"+name, "-test.benchtime=1x")
		ready, readyWrite := pipe(b)
		commands[i].Env = append(os.Environ(), togetherEnv+"=1")
		commands[i].ExtraFiles = []*os.File{readyWrite, beginRead}
		out, err := commands[i].StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := commands[i].Start(); err != nil {
			b.Fatal(err)
		}
		_ = readyWrite.Close()
		outputs[i], readies[i] = out, ready
	}
	_ = beginRead.Close()
	for _, ready := range readies {
		_, _ = io.ReadAll(ready) // until it is closed
	}
	_ = begin.Close()
	took := make([]float64, n)
	for i, command := range commands {
		out, _ := io.ReadAll(outputs[i])
		if err := command.Wait(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		found := regexp.MustCompile(`\s1\s+(\d+) ns/op`).FindSubmatch(out)
		if found == nil {
			b.Fatalf("no result in %s", out)
		}
		ns, _ := strconv.ParseFloat(string(found[1]), 64)
		took[i] = ns / 1e6
	}
	return took
}

// awaitOthers says that this process has its book, and waits for the others.
func awaitOthers(b *testing.B) {
	if os.Getenv(togetherEnv) == "" {
		return
	}
	if err := os.NewFile(readyPipe, "ready").Close(); err != nil {
		b.Fatal(err)
	}
	_, _ = io.ReadAll(os.NewFile(beginPipe, "begin"))
}

func pipe(b *testing.B) (read, write *os.File) {
	read, write, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	return read, write
}
