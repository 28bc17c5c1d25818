package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine names where a result was measured.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Go    string `json:"go"`
	// Load is the system's load average of the minute before the run; "" where
	// it is unknown. Above 1 others were at work.
	Load string `json:"load_before"`
}

func thisMachine() Machine {
	m := Machine{CPU: "unknown", Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name := field(string(text), "model name"); name != "" {
			m.CPU = name
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	return m
}

// field returns the value of the first line "name : value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Usage is what a process has used so far.
type Usage struct {
	Name string `json:"name"`
	// RSS and PeakRSS are memory in MB (10^6 bytes), CPU time of all cores.
	RSS     int64         `json:"rss_mb"`
	PeakRSS int64         `json:"peak_rss_mb"`
	CPU     time.Duration `json:"cpu_ns"`
}

// usage measures the nodes, this process, and what all others on the machine
// together have computed, which says how far a result can be trusted. Where the system does not
// tell (anything but Linux) the numbers are 0.
func (l *load) usage() ([]Usage, error) {
	var all []Usage
	for _, node := range l.network.Nodes() {
		if node.PID == 0 {
			return nil, fmt.Errorf("%s died; its log: %s", node.Name, node.Log)
		}
		u, err := usageOf(node.PID)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node.Name, err)
		}
		u.Name = node.Name
		all = append(all, u)
	}
	u, err := usageOf(os.Getpid())
	if err != nil {
		return nil, err
	}
	u.Name = "load"
	all = append(all, u)
	u = Usage{Name: "others"}
	if u.CPU, err = busyTime(); err != nil {
		return nil, err
	}
	for _, own := range all {
		u.CPU -= own.CPU
	}
	return append(all, u), nil
}

// busyTime is what all processes of the machine have computed so far.
func busyTime() (time.Duration, error) {
	if runtime.GOOS != "linux" {
		return 0, nil
	}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	// cpu user nice system idle iowait irq softirq steal ...
	fields := strings.Fields(string(stat))
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

func usageOf(pid int) (u Usage, err error) {
	if runtime.GOOS != "linux" {
		return u, nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	if u.RSS, err = megabytes(field(string(status), "VmRSS")); err != nil {
		return u, err
	}
	if u.PeakRSS, err = megabytes(field(string(status), "VmHWM")); err != nil {
		return u, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	u.CPU, err = cpuTime(string(stat))
	return u, err
}

// megabytes reads a size such as "123 kB", where kB means 1024 bytes.
func megabytes(text string) (int64, error) {
	kb, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("memory: expected a number of kB, got %q", text)
	}
	return (kb*1024 + 500_000) / 1_000_000, nil
}

// tick is the unit of times in /proc/PID/stat: always 1/100 s on Linux.
const tick = 10 * time.Millisecond

// cpuTime reads user and system time from /proc/PID/stat: its 14th and 15th
// fields, counted after the program's name, which may hold anything.
func cpuTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat: expected at least 15 fields, got %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stat: user time: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stat: system time: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}
