package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestOnlyNodesAnswer: what is no answer of JSON-RPC does not end the search.
func TestOnlyNodesAnswer(t *testing.T) {
	const good = `{"jsonrpc":"2.0","id":1,"result":{"node_info":{"network":"b"},"sync_info":{"latest_block_height":"7","latest_block_time":"2026-11-23T00:00:00Z","earliest_block_height":"2","catching_up":true}}}`
	for _, tc := range []struct {
		name, answer string
		status       int
		fails        string // "" when the next node is asked
	}{
		{"a web page", "<html>", 200, ""},
		{"nothing", "", 200, ""},
		{"no result", `{"jsonrpc":"2.0","id":1}`, 200, ""},
		{"an empty result", `{"jsonrpc":"2.0","id":1,"result":null}`, 200, ""},
		{"an empty error", `{"jsonrpc":"2.0","id":1,"error":null,"result": null }`, 200, ""},
		{"half an answer", good[:len(good)-9], 200, ""},
		{"not text", "{\"result\":{\"node_info\":{\"network\":\"b\xff\"}}", 200, ""},
		{"another type", `{"result":{"sync_info":{"latest_block_height":7}}}`, 200, ""},
		{"a gateway's error", "bad gateway", 502, ""},
		{"a refusal", `{"error":{"code":-32603,"message":"Internal error","data":"no block"}}`, 500, "the node says: no block"},
		{"a short refusal", `{"error":{"code":-32601,"message":"Method not found"}}`, 200, "the node says: Method not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.answer)
			}))
			defer first.Close()
			var asked atomic.Int64
			second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				_, _ = io.WriteString(w, good)
			}))
			defer second.Close()
			c, err := New(first.URL, second.URL)
			if err != nil {
				t.Fatal(err)
			}
			status, err := c.Status(t.Context())
			if tc.fails == "" {
				if err != nil || status.ChainID != "b" || status.Height != 7 || status.Earliest != 2 || !status.CatchingUp || status.Time.Day() != 23 {
					t.Errorf("%+v, %v, want the second's answer", status, err)
				}
				return
			}
			_, refused := errors.AsType[*NodeError](err)
			if !refused || asked.Load() != 0 || !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%v after %d calls of the second, want %q", err, asked.Load(), tc.fails)
			}
		})
	}
}

// TestNotSentElsewhere: who is told to ask another address does not.
func TestNotSentElsewhere(t *testing.T) {
	var asked atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"result":5}`)
	}))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		node := httptest.NewServer(http.RedirectHandler(inside.URL+"/reboot", status))
		defer node.Close()
		c, err := New(node.URL)
		if err != nil {
			t.Fatal(err)
		}
		var got int
		if err := c.Call(t.Context(), "number", struct{}{}, &got); !errors.Is(err, ErrUnreachable) || asked.Load() != 0 {
			t.Errorf("%d: %d, %v after %d calls of the other address", status, got, err, asked.Load())
		}
	}
}

// transport answers in place of a node.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// stalled is the body of an answer that stops in its middle.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// TestHangingNode: one that accepts a request and never answers, or stops in the middle
// of it, does not hold up the next node, even if the caller would wait for ever.
func TestHangingNode(t *testing.T) {
	for name, hang := range map[string]transport{
		"no answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"half of it": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"result":`), stalled{r.Context()}))}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New("http://one,http://two")
				if err != nil {
					t.Fatal(err)
				}
				c.nodes[0].http = &http.Client{Transport: hang}
				c.nodes[1].http = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"result":5}`))}, nil
				})}
				var got int
				if err := c.Call(t.Context(), "number", struct{}{}, &got); err != nil || got != 5 {
					t.Errorf("%d, %v, want the second's 5", got, err)
				}
			})
		})
	}
}

// TestRequest: who stands in an address is named in the header, and its path is
// kept.
func TestRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if want := `{"jsonrpc":"2.0","id":1,"method":"block","params":{"a":1}}`; err != nil || string(body) != want {
			t.Errorf("%s, %v, want %s", body, err, want)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/node1" || user != "me" || password != "secret" {
			t.Errorf("%s %s by %s %s", r.Method, r.URL.Path, user, password)
		}
		_, _ = io.WriteString(w, `{"result":5}`)
	}))
	defer server.Close()
	c, err := New(strings.Replace(server.URL, "http://", "tcp://me:secret@", 1) + "/node1")
	if err != nil {
		t.Fatal(err)
	}
	var wrong string
	if err := c.Call(context.Background(), "block", map[string]int{"a": 1}, &wrong); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v, want an error without the password", err)
	}
	var got int
	if err := c.Call(context.Background(), "block", map[string]int{"a": 1}, &got); err != nil || got != 5 {
		t.Errorf("%d, %v, want 5", got, err)
	}
}
