package client

import "testing"

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{"tcp://127.0.0.1:26657", "http://localhost:1", "https://node.example.org", "tcp://[::1]:26657"} {
		if err := CheckAddress(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "foo", "127.0.0.1:1", "localhost:26657", "tcp://foo", "tcp://:26657", "tcp://foo:bar", "ftp://foo:1", "nonsense:x:y"} {
		if err := CheckAddress(bad); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
