package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/meter/dispatch"
)

// DispatchStatus is what a gateway that runs says of its devices, in a file of
// its home.
type DispatchStatus struct {
	// PlanOf is when the schedule was asked for, to the minute; zero without one.
	PlanOf time.Time `json:"plan_of,omitzero"`
	// Problem is why it could not be renewed.
	Problem string `json:"problem,omitempty"`
	// PeriodMs is the length of a period.
	PeriodMs int64 `json:"period_ms,omitempty"`
	// Waiting acknowledgements.
	Waiting int                     `json:"acknowledgements_waiting"`
	Devices map[string]DeviceStatus `json:"devices"`
}

// DeviceStatus is a device of it.
type DeviceStatus struct {
	dispatch.State
	// Duties are what the chain asks in the present period and the next, as
	// messages of energy.dispatch.v1.
	Duties []json.RawMessage `json:"duties,omitempty"`
}

func statusPath(home string) string { return filepath.Join(home, "dispatch.json") }

// ReadDispatchStatus reads the file of a gateway; without one nothing was ever
// steered.
func ReadDispatchStatus(home string) (*DispatchStatus, error) {
	status := new(DispatchStatus)
	data, err := os.ReadFile(statusPath(home))
	if errors.Is(err, fs.ErrNotExist) {
		return status, nil
	}
	if err == nil {
		err = json.Unmarshal(data, status)
	}
	if err != nil {
		return nil, fmt.Errorf("dispatch status: %w", err)
	}
	return status, nil
}

// statusFile is written when what it says changes.
type statusFile struct {
	path string
	last []byte
}

// write is called by one goroutine. Without devices there is no file.
func (f *statusFile) write(g *Gateway) error {
	if len(g.config().Devices) == 0 {
		if f.last != nil && len(f.last) == 0 {
			return nil
		}
		f.last = []byte{}
		if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	status, err := g.dispatchStatus()
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(status, "", "  ")
	if err != nil || bytes.Equal(data, f.last) {
		return err
	}
	if err := os.WriteFile(f.path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	f.last = data
	return os.Rename(f.path+".new", f.path)
}

func (g *Gateway) dispatchStatus() (*DispatchStatus, error) {
	states, problem := g.state.devicesNow()
	status := &DispatchStatus{Waiting: g.outbox.Waiting(), Devices: make(map[string]DeviceStatus)}
	if problem != nil {
		status.Problem = problem.Error()
	}
	plan := g.plan.Load()
	if plan != nil {
		status.PlanOf, status.PeriodMs = plan.At.UTC().Truncate(time.Minute), plan.PeriodMs
	}
	for _, o := range g.config().Devices {
		device := DeviceStatus{State: states[o.Name]}
		// To the minute: refreshing alone is no news.
		device.WrittenAt = device.WrittenAt.UTC().Truncate(time.Minute)
		if plan != nil && plan.Devices[o.Name] != nil {
			for _, duty := range plan.Devices[o.Name].Duties {
				data, err := client.EncodeJSON(duty)
				if err != nil {
					return nil, err
				}
				device.Duties = append(device.Duties, data)
			}
		}
		status.Devices[o.Name] = device
	}
	return status, nil
}
