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
