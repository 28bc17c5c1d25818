package client

import (
	"fmt"
	"net/url"
)

// CheckAddress says whether text can be a node's RPC address: tcp://HOST:PORT,
// or an http or https URL.
func CheckAddress(text string) error {
	address, err := url.Parse(text)
	if err == nil && address.Hostname() != "" {
		switch address.Scheme {
		case "http", "https":
			return nil
		case "tcp":
			if address.Port() != "" {
				return nil
			}
		}
	}
	return fmt.Errorf("expected tcp://HOST:PORT, got %q", text)
}
