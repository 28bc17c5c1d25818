package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Notify tells systemd a state, such as READY=1; without systemd it does
// nothing (sd_notify(3)).
func Notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}

// WatchdogEvery returns how often systemd expects WATCHDOG=1, halved; 0 for
// never.
func WatchdogEvery() time.Duration {
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(us) * time.Microsecond / 2
}

// Alive says whether the gateway does its work: its recorder takes readings.
// Meters and nodes that fail are not its own illness and no reason to be started
// again.
func (g *Gateway) Alive(within time.Duration) bool {
	k := kept{nil, make(chan error, 1)}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case g.taken <- k:
	case <-timer.C:
		return false
	}
	select {
	case err := <-k.done:
		_ = err // to be started again mends no disk
		return true
	case <-timer.C:
		return false
	}
}
