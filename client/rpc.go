package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// idleConnections is how many connections to a node wait for the next request.
	// Go keeps two, so that whoever sends many at a time would open and close one
	// for nearly every request.
	idleConnections = 64
	// dialTime is how long a node may take to accept a connection: one that is
	// switched off does not hold up the next.
	dialTime = 10 * time.Second
	// answerTime is how long a node may take for an answer: one that hangs does not
	// hold up the next either. The engine gives up writing one long before.
	answerTime = 30 * time.Second
	// idleTime is how long a connection is kept for the next request. A node closes
	// it after 10 s, and a request under way at that moment would be lost.
	idleTime = 5 * time.Second
	// maxAnswer bounds an answer, bytes: several times the largest block with its
	// results.
	maxAnswer = 256 << 20
)

// NodeError is a node's refusal to answer a request: it has not what was asked
// for, does not take it now, or does not understand it.
type NodeError struct {
	// Code of JSON-RPC 2.0, section 5.1.
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data"`
}

func (e *NodeError) Error() string {
	if e.Data != "" {
		return "the node says: " + e.Data
	}
	return "the node says: " + e.Message
}

// node is the RPC of one node: JSON-RPC 2.0 over HTTP, as the engine serves it.
type node struct {
	url string
	// name is the address as messages show it, without a password.
	name string
	http *http.Client
}

// newNode returns the RPC at an address, whose scheme is http for all but https.
func newNode(address *url.URL) *node {
	at := *address
	if at.Scheme != "https" {
		at.Scheme = "http"
	}
	return &node{url: at.String(), name: at.Redacted(), http: &http.Client{
		CheckRedirect: stay,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout: dialTime,
			MaxIdleConnsPerHost: idleConnections,
			IdleConnTimeout:     idleTime,
			DisableCompression:  true,
		},
	}}
}

// stay takes a redirection as the answer, which is none: a node does not send its
// callers to other addresses, such as those of a gateway's own network.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call asks the node and decodes its answer. What the node refuses is a
// *NodeError; every other error leaves open whether it heard.
func (n *node) call(ctx context.Context, method string, params, answer any) error {
	body, err := json.Marshal(struct {
		Version string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}{"2.0", 1, method, params})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := n.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %s: %w", n.name, method, err)
	case len(data) > maxAnswer:
		return fmt.Errorf("%s: %s: expected an answer of at most %d bytes", n.name, method, maxAnswer)
	}
	return n.decode(method, response.Status, data, answer)
}

var errNoAnswer = errors.New("expected an answer of JSON-RPC 2.0 with a result")

func (n *node) decode(method, status string, data []byte, answer any) error {
	var envelope struct {
		Error  *NodeError      `json:"error"`
		Result json.RawMessage `json:"result"`
	}
	err := json.Unmarshal(data, &envelope)
	if err == nil && envelope.Error != nil {
		return envelope.Error
	}
	if err == nil && (len(envelope.Result) == 0 || string(envelope.Result) == "null") {
		err = errNoAnswer
	}
	if err == nil {
		err = json.Unmarshal(envelope.Result, answer)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: answer (%s): %w", n.name, method, status, err)
	}
	return nil
}
