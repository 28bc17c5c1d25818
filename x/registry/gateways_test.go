package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
)

// settings asks for those of the gateway gw0.
func (w *world) settings() string {
	w.t.Helper()
	answer, err := w.query(&registryv1.QueryGatewayRequest{Gateway: address("gw0")})
	w.must(err)
	found := answer.(*registryv1.QueryGatewayResponse)
	if found.PeriodLengthMs != testPeriod || string(found.Settings.Gateway) != string(address("gw0")) {
		w.t.Errorf("answer %v", found)
	}
	return fmt.Sprint(found.Settings.UploadIntervalMs, found.Settings.ReadingIntervalMs)
}

// endpoints asks for all, each line an aggregator by name with its URLs.
func (w *world) endpoints() (found []string) {
	w.t.Helper()
	answer, err := w.query(&registryv1.QueryEndpointsRequest{})
	w.must(err)
	for _, e := range answer.(*registryv1.QueryEndpointsResponse).Endpoints {
		for _, name := range []string{"agg0", "agg1", "agg2"} {
			if string(e.Aggregator) == string(address(name)) {
				found = append(found, name+" "+strings.Join(e.Urls, " "))
			}
		}
	}
	return found
}

func TestSetEndpoints(t *testing.T) {
	w := newWorld(t)
	w.must(w.authority(&registryv1.MsgApply{Application: aggregator("agg2")}))
	w.must(w.authority(&registryv1.MsgApprove{Account: address("agg2")}))
	many := make([]string, maxEndpoints)
	for i := range many {
		many[i] = fmt.Sprintf("https://node%d.example:443", i)
	}
	w.must(w.by("agg0", &registryv1.MsgSetEndpoints{Urls: many}))
	for _, name := range []string{"agg0", "agg1", "agg2"} {
		w.must(w.by(name, &registryv1.MsgSetEndpoints{Urls: []string{"http://" + name + ":1"}}))
	}
	for _, event := range emitted[*registryv1.EndpointsSet](w)[1:2] {
		if string(event.Aggregator) != string(address("agg0")) || event.Urls[0] != "http://agg0:1" {
			t.Errorf("event %v", event)
		}
	}
	all := w.endpoints()
	if len(all) != 3 {
		t.Fatalf("endpoints %v", all)
	}
	// Whoever is first by address goes last once it is frozen.
	first := strings.Fields(all[0])[0]
	w.must(w.authority(&registryv1.MsgFreeze{Account: address(first)}))
	if got := w.endpoints(); !slices.Equal(got, append(all[1:], all[0])) {
		t.Errorf("frozen %s: %v", first, got)
	}
	w.must(w.authority(&registryv1.MsgThaw{Account: address(first)}))
	if got := w.endpoints(); !slices.Equal(got, all) {
		t.Errorf("thawed: %v, want %v", got, all)
	}
	w.must(w.by("agg0", &registryv1.MsgSetEndpoints{}))
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("agg1")}))
	if got := w.endpoints(); !slices.Equal(got, []string{"agg2 http://agg2:1"}) {
		t.Errorf("one taken away, one revoked: %v", got)
	}
	if endpoints.Has(w.ctx.Store, endpointsKey(address("agg0"))) || endpoints.Has(w.ctx.Store, endpointsKey(address("agg1"))) {
		t.Error("none, and yet a record")
	}
}

func TestBadEndpoints(t *testing.T) {
	w := newWorld(t)
	good := "http://h:1"
	for _, tc := range []struct {
		urls []string
		says string
	}{
		{[]string{good, "h:1"}, "urls[1]: expected http://HOST:PORT or https://HOST:PORT"},
		{[]string{"http://user:word@h:1"}, "urls[0]"},
		{[]string{"http://h:1/../x"}, "urls[0]"},
		{[]string{""}, "urls[0]"},
		{[]string{good, good}, "urls[1]: expected each once"},
		{slices.Repeat([]string{good}, 9), "urls: expected at most 8, got 9"},
		{[]string{"http://" + strings.Repeat("a", 300) + ":1"}, "urls[0]: expected at most 256 bytes"},
	} {
		err := w.by("agg0", &registryv1.MsgSetEndpoints{Urls: tc.urls})
		w.refused(err, ErrBadEndpoint)
		if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%v: %v, want %q", tc.urls, err, tc.says)
		}
	}
	for _, route := range New().Routes() {
		if strings.HasSuffix(route.Type, "MsgSetEndpoints") && (!slices.Equal(route.Roles, []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR}) || route.WhileFrozen) {
			t.Errorf("endpoints are set by %v", route.Roles)
		}
	}
}

func TestSetGateway(t *testing.T) {
	w := newWorld(t)
	settings := func(upload, reading int64) *registryv1.MsgSetGateway {
		return &registryv1.MsgSetGateway{Gateway: address("gw0"), UploadIntervalMs: upload, ReadingIntervalMs: reading}
	}
	if got := w.settings(); got != "0 0" {
		t.Errorf("at first %s", got)
	}
	w.must(w.by("gw0", settings(60_000, 300_000)))
	if got := w.settings(); got != "60000 300000" {
		t.Errorf("by itself %s", got)
	}
	w.must(w.by("agg0", settings(testPeriod/2, testPeriod)))
	if got := w.settings(); got != "450000 900000" {
		t.Errorf("by its home aggregator %s", got)
	}
	w.must(w.authority(&registryv1.MsgFreeze{Account: address("gw0")}))
	w.must(w.authority(settings(0, 1000)))
	if got := w.settings(); got != "0 1000" {
		t.Errorf("frozen, by the authority %s", got)
	}
	if events := emitted[*registryv1.GatewaySet](w); len(events) != 3 || events[1].UploadIntervalMs != testPeriod/2 || events[2].ReadingIntervalMs != 1000 {
		t.Errorf("events %v", events)
	}
	w.refused(w.by("agg1", settings(0, 0)), ErrNotOperator)
	w.refused(w.by("alice", settings(0, 0)), ErrNotOperator)
	if got := w.settings(); got != "0 1000" {
		t.Errorf("after refusals %s", got)
	}
	w.must(w.by("agg0", settings(0, 0)))
	if gatewaySettings.Has(w.ctx.Store, gatewayKey(address("gw0"))) {
		t.Error("settings of 0 are kept")
	}
	w.must(w.by("agg0", settings(1, 0)))
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("gw0")}))
	if gatewaySettings.Has(w.ctx.Store, gatewayKey(address("gw0"))) {
		t.Error("settings of a revoked gateway are kept")
	}
	w.refused(w.authority(settings(0, 1000)), ErrUnknownGateway)
}

func TestBadSettings(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		upload, reading int64
		says            string
	}{
		{-1, 0, "upload_interval_ms: expected 0 to 450000"},
		{testPeriod/2 + 1, 0, "upload_interval_ms"},
		{1 << 62, 0, "upload_interval_ms"},
		{0, -1000, "reading_interval_ms"},
		{0, 999, "reading_interval_ms: expected 0, or at least 1000"},
		{0, 7000, "a divisor of the period length 900000, got 7000"},
		{0, 2 * testPeriod, "reading_interval_ms"},
		{0, -1 << 63, "reading_interval_ms"},
	} {
		err := w.by("gw0", &registryv1.MsgSetGateway{Gateway: address("gw0"), UploadIntervalMs: tc.upload, ReadingIntervalMs: tc.reading})
		w.refused(err, ErrBadInterval)
		if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%d, %d: %v, want %q", tc.upload, tc.reading, err, tc.says)
		}
	}
	w.refused(w.authority(&registryv1.MsgSetGateway{Gateway: address("alice")}), ErrUnknownGateway)
	w.refused(w.authority(&registryv1.MsgSetGateway{Gateway: address("nobody")}), ErrUnknownGateway)
	w.refused(w.authority(&registryv1.MsgSetGateway{Gateway: []byte("short")}), ErrInvalidField)
	// A day's periods: 1 s would be more than metering keeps of a meter.
	day := &registryv1.GatewaySettings{ReadingIntervalMs: 60_000}
	w.refused(checkSettings("", day, maxPeriodMs), ErrBadInterval)
	day.ReadingIntervalMs = 90_000
	w.must(checkSettings("", day, maxPeriodMs))
}

// TestDivisors: by whatever interval is accepted, a reading is signed at each
// boundary of periods, which begin at multiples of their length.
func TestDivisors(t *testing.T) {
	for _, period := range []int64{1000, 10_000, 60_000, testPeriod, 3_600_000, maxPeriodMs} {
		accepted := 0
		for interval := int64(500); interval <= period; interval += 500 {
			if checkSettings("", &registryv1.GatewaySettings{ReadingIntervalMs: interval}, period) != nil {
				continue
			}
			accepted++
			for boundary := testNow - testNow%period; boundary < testNow+3*period; boundary += period {
				if boundary%interval != 0 {
					t.Fatalf("period %d, interval %d: none at %d", period, interval, boundary)
				}
			}
		}
		if accepted == 0 {
			t.Errorf("period %d: no interval is accepted", period)
		}
	}
}
