package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/energyd/energyd/client"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/spool"
	"github.com/energyd/energyd/protocol"
)

// Check is a line of the doctor.
type Check struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	// Found says what was found, or what is wrong and what to do.
	Found string `json:"found"`
}

// clockSlack is how far the clock may be from the chain's blocks: what the
// chain allows a reading to be ahead.
const clockSlack = 30 * time.Second

// Diagnose looks at what a gateway needs: the spool, each meter and device, the
// nodes, the gateway's account, its meters and devices on chain, the clock. It signs and sends nothing,
// and may run beside the gateway, though meters on a serial bus are then asked
// by two.
func Diagnose(ctx context.Context, o Options, address protocol.Address) ([]Check, error) {
	config, err := ReadConfig(o.ConfigFile)
	if err != nil {
		return nil, err
	}
	d := &doctor{config: config, options: o, address: address}
	d.spool()
	d.learnt()
	for _, m := range config.Meters {
		d.meter(ctx, m)
	}
	for _, o := range config.Devices {
		d.device(ctx, o)
	}
	d.nodes(ctx)
	return d.checks, nil
}

type doctor struct {
	config  *Config
	options Options
	address protocol.Address
	checks  []Check
}

func (d *doctor) add(what string, err error, found string, args ...any) {
	check := Check{What: what, OK: err == nil, Found: fmt.Sprintf(found, args...)}
	if err != nil {
		check.Found = err.Error()
	}
	d.checks = append(d.checks, check)
}

func (d *doctor) spool() {
	status, _, err := spool.Inspect(SpoolDir(d.options.Home))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // the first run makes it
	}
	if err == nil && status.Bytes > d.config.SpoolBytes*9/10 {
		err = fmt.Errorf("%d of %d bytes are used: raise spool_mib, or see why readings wait", status.Bytes, d.config.SpoolBytes)
	}
	if err == nil && status.DamagedBytes > 0 {
		err = fmt.Errorf("%d bytes are damaged: look at the disk", status.DamagedBytes)
	}
	if err == nil && status.Refused > 0 {
		err = fmt.Errorf("%d readings were refused (%v): see energymeter spool status --refused", status.Refused, status.Codes)
	}
	d.add("spool", err, "%d readings wait in %d bytes", status.Pending, status.Bytes)
}

// learnt shows what the gateway kept of what the chain said.
func (d *doctor) learnt() {
	l, err := readLearnt(learntFile(d.options.Home), d.config.ChainID)
	if err != nil {
		err = fmt.Errorf("%w; it is not used, and made again when a running gateway reaches the chain", err)
	}
	found := "nothing yet"
	if l.PeriodMs > 0 {
		found = fmt.Sprintf("periods of %v, a reading every %v, sent after %v at most, %d endpoints of aggregators",
			inMs(l.PeriodMs), inMs(cmp.Or(l.ReadingMs, l.PeriodMs)), inMs(l.UploadMs), len(l.Nodes))
	}
	d.add("what the chain said", err, "%s", found)
}

func (d *doctor) meter(ctx context.Context, m Meter) {
	what := "meter " + m.Name
	open, ok := d.options.Open[m.Source]
	if !ok {
		d.add(what, fmt.Errorf("source: this program has none of kind %q", m.Source), "")
		return
	}
	source, err := open(m)
	if err != nil {
		d.add(what, err, "")
		return
	}
	if closer, ok := source.(interface{ Close() error }); ok {
		defer func() { _ = closer.Close() }()
	}
	ctx, cancel := context.WithTimeout(ctx, d.config.timeout(m))
	defer cancel()
	snapshot, err := device.ReadNew(ctx, source)
	// A topic's first message may take a while.
	for err != nil && m.Source == "mqtt" && pause(ctx, 100*time.Millisecond) {
		snapshot, err = source.Read(ctx)
	}
	d.add(what, err, "import %d Wh, export %d Wh, step %d Wh", snapshot.ImportWh, snapshot.ExportWh, snapshot.StepWh)
}

// device reads what a device is set to, and writes nothing.
func (d *doctor) device(ctx context.Context, o dispatch.Output) {
	what := "device " + o.Name
	if d.options.OpenBus == nil {
		d.add(what, errors.New("this program steers none"), "")
		return
	}
	bus, err := d.options.OpenBus(o.URL)
	if err != nil {
		d.add(what, err, "")
		return
	}
	if closer, ok := bus.(interface{ Close() error }); ok {
		defer func() { _ = closer.Close() }()
	}
	found, err := dispatch.Inspect(ctx, o, bus, o.Timeout*time.Duration(d.config.sharing(o.URL)))
	d.add(what, err, "%s", found)
}

// steered compares the devices with those that the chain has this gateway steer.
func (d *doctor) steered(ctx context.Context, c *client.Client) {
	if len(d.config.Devices) == 0 {
		return
	}
	answer := new(dispatchv1.QueryGatewayDispatchResponse)
	if _, err := c.Query(ctx, &dispatchv1.QueryGatewayDispatchRequest{Gateway: d.address[:], Periods: 1, Limit: 1000}, answer, 0); err != nil {
		d.add("dispatch", err, "")
		return
	}
	known := make(map[string]*dispatchv1.Device)
	for _, found := range answer.Devices {
		known[found.Device.GetDevice()] = found.Device
	}
	for _, o := range d.config.Devices {
		on, err := known[o.Name], error(nil)
		if on == nil {
			err = errors.New("the chain has none of this name for this gateway: its owner sets it with MsgSetDevice")
		}
		d.add("device "+o.Name+" on chain", err, "up to %d W out and %d W in, here %d and %d", on.GetMaxOutW(), on.GetMaxInW(), o.MaxOutW, o.MaxInW)
		delete(known, o.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		d.add("device "+name+" on chain", errors.New("it is to be steered by this gateway, and not in its configuration"), "")
	}
}

// nodes asks each node for itself, and one that answers for the gateway.
func (d *doctor) nodes(ctx context.Context) {
	var good *client.Client
	for _, node := range d.config.Nodes {
		c, err := client.New(node)
		if err == nil {
			err = checkNode(ctx, c, d.config.ChainID)
		}
		if err == nil && good == nil {
			good = c
		}
		d.add("node "+node, err, "of chain %s", d.config.ChainID)
	}
	if good == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d.clock(ctx, good)
	d.account(ctx, good)
	for _, m := range d.config.Meters {
		d.bound(ctx, good, m)
	}
	d.steered(ctx, good)
}

// clock compares with the latest block, unless the chain stands still.
func (d *doctor) clock(ctx context.Context, c *client.Client) {
	status, err := c.Status(ctx)
	if err != nil {
		d.add("clock", err, "")
		return
	}
	ahead := d.options.Now().Sub(status.Time)
	if ahead < -clockSlack || ahead > clockSlack {
		err = fmt.Errorf("%v from the latest block's time: if the chain goes on, set the clock (NTP)", ahead.Round(time.Second))
	}
	d.add("clock", err, "%v from the latest block's time", ahead.Round(time.Millisecond))
}

func (d *doctor) account(ctx context.Context, c *client.Client) {
	answer := new(registryv1.QueryAccountResponse)
	_, err := c.Query(ctx, &registryv1.QueryAccountRequest{Account: d.address[:]}, answer, 0)
	switch {
	case err != nil:
		err = fmt.Errorf("%w; the aggregator applies for it, the authority approves", err)
	case answer.Account.GetStatus() != registryv1.Status_STATUS_ACTIVE:
		err = fmt.Errorf("its status is %v, expected active", answer.Account.GetStatus())
	case !slices.Contains(answer.Account.Roles, registryv1.Role_ROLE_GATEWAY):
		err = errors.New("it lacks the role gateway")
	}
	d.add("account "+d.address.String(), err, "an active gateway")
}

func (d *doctor) bound(ctx context.Context, c *client.Client, m Meter) {
	answer := new(registryv1.QueryMeterResponse)
	_, err := c.Query(ctx, &registryv1.QueryMeterRequest{Meter: m.Name}, answer, 0)
	if err == nil && string(answer.Meter.GetGateway()) != string(d.address[:]) {
		err = fmt.Errorf("bound to gateway %s, expected %s", client.FormatBytes(answer.Meter.GetGateway()), d.address)
	}
	d.add("meter "+m.Name+" on chain", err, "bound to this gateway, step %d Wh", answer.Meter.GetStepWh())
}
