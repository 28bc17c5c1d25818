package protocol

import (
	"net/url"
	"strings"
	"testing"
)

func TestCheckEndpoint(t *testing.T) {
	long := "http://" + strings.Repeat(strings.Repeat("a", 60)+".", 4)
	for _, good := range []string{
		"http://10.0.0.1:26657", "https://node-1.region.example:443", "http://localhost:1", "http://h:65535", "http://0.0.0.1:1",
		"https://[2001:db8::1]:26657", "http://[::1]:80", "http://[1:2:3:4:5:6:7:8]:80", "http://[fe80::]:80",
		long + strings.Repeat("b", MaxEndpointBytes-len(long)-2) + ":1", "http://" + strings.Repeat("a", 63) + ":1",
	} {
		if err := CheckEndpoint(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
		if u, err := url.Parse(good); err != nil || u.Hostname() == "" || u.Port() == "" {
			t.Errorf("%s is no URL: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "http://", "h:1", "tcp://h:1", "ftp://h:1", "HTTP://h:1", "http:/h:1", "http://h", "http://:1", "http://h:", "http://h:0",
		"http://h:65536", "http://h:01", "http://h:+1", "http://h:-1", "http://h: 1", "http://h:1/", "http://h:1/x", "http://h:1?x", "http://h:1#x",
		"http://user@h:1", "http://user:word@h:1", "http://h/..:1", "http://h\\x:1", "http://h%2f:1", "http://H:1", "http://h_1:1", "http://hé:1",
		"http://-h:1", "http://h-:1", "http://h..i:1", "http://.h:1", "http://h.:1", "http://h\n:1", "http://a b:1", "http://" + strings.Repeat("a", 64) + ":1",
		"http://0.0.0.0:1", "http://10.1:1", "http://1.2.3.256:1", "http://1.2.3.04:1", "http://1.2.3.4.5:1", "http://2130706433:1", "http://0x7f.1:1", "http://0x7f000001:1",
		"http://[::]:1", "http://[0:0::0]:1", "http://[1:2:3:4:5:6:7]:1", "http://[1::2::3]:1", "http://[1:2:3:4:5:6:7:8:9]:1", "http://[1:2:3:4::5:6:7:8]:1",
		"http://[12345::]:1", "http://[::G]:1", "http://[::1:1", "http://::1]:1", "http://[fe80::1%25eth0]:1", "http://[:::1]:1", "http://[1::2:]:1", "http://[:1::2]:1", "http://[]:1",
		"http://h:1 ", " http://h:1", "http://h:1,http://i:1", long + strings.Repeat("b", MaxEndpointBytes-len(long)-1) + ":1",
	} {
		if err := CheckEndpoint(bad); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: %v, want a refusal", bad, err)
		}
	}
}

// FuzzCheckEndpoint: what is accepted is a URL of a host and a port and nothing
// else, to the library's reader too.
func FuzzCheckEndpoint(f *testing.F) {
	f.Add("http://10.0.0.1:26657")
	f.Add("https://[2001:db8::1]:1")
	f.Add("http://a@b:1/c")
	f.Fuzz(func(t *testing.T, text string) {
		if CheckEndpoint(text) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme+"://"+u.Host != text || u.User != nil || u.Path != "" || u.Hostname() == "" || u.Port() == "" {
			t.Errorf("%q is read as %+v, %v", text, u, err)
		}
	})
}
