package protocol

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxEndpointBytes is how long the URL of an endpoint may be.
const MaxEndpointBytes = 256

// CheckEndpoint says whether text names a node's RPC endpoint: http or https,
// a host and a port, nothing else. The host is a name of letters, digits and
// hyphens in lower case, an IPv4 address in its usual form, or an IPv6 address
// in brackets; not the unspecified address, which is nobody's.
//
// Chain and gateways use the same check: what stands on chain, or in an answer
// of a node, cannot hold credentials, a path, or a second way to read a host.
func CheckEndpoint(text string) error {
	if len(text) > MaxEndpointBytes {
		return fmt.Errorf("expected at most %d bytes, got %d", MaxEndpointBytes, len(text))
	}
	rest, ok := strings.CutPrefix(text, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(text, "https://")
	}
	colon := strings.LastIndexByte(rest, ':')
	if !ok || colon < 0 || !isHost(rest[:colon]) || !isPort(rest[colon+1:]) {
		return fmt.Errorf("expected http://HOST:PORT or https://HOST:PORT, got %q", text)
	}
	return nil
}

// isPort accepts 1 to 65535 without leading zeros.
func isPort(text string) bool {
	return isDecimal(text, 65_535) && text != "0"
}

// isDecimal accepts a number from 0 to most, without sign and leading zeros.
func isDecimal(text string, most int) bool {
	number, err := strconv.Atoi(text)
	return err == nil && number >= 0 && number <= most && strconv.Itoa(number) == text
}

func isHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && isIPv6(inner)
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	// What ends like a number is an address: 10.1 and 0x7f.1 are read as such by
	// some.
	if last == "" || last[0] >= '0' && last[0] <= '9' {
		return isIPv4(labels)
	}
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func isIPv4(labels []string) bool {
	zero := true
	for _, label := range labels {
		if !isDecimal(label, 255) {
			return false
		}
		zero = zero && label == "0"
	}
	return len(labels) == 4 && !zero
}

// isIPv6 accepts groups of hexadecimal digits in lower case, with one "::" at
// most.
func isIPv6(text string) bool {
	head, tail, short := strings.Cut(text, "::")
	groups := 0
	zero := true
	for _, part := range []string{head, tail} {
		if part == "" {
			continue
		}
		for group := range strings.SplitSeq(part, ":") {
			if !isGroup(group) {
				return false
			}
			groups++
			zero = zero && strings.Trim(group, "0") == ""
		}
	}
	return !zero && (groups == 8 && !short || groups < 8 && short)
}

func isGroup(group string) bool {
	if group == "" || len(group) > 4 {
		return false
	}
	for _, c := range []byte(group) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
