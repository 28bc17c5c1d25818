package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBlockWithoutResult: a node that leaves a result out stops nobody who follows.
func TestBlockWithoutResult(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"block":{"data":{"txs":["AQ==","Ag=="]}},"txs_results":[{"code":1},null]}}`)
	}))
	defer s.Close()
	c, err := New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Block(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "expected a result for each of 2 transactions") {
		t.Errorf("got %v", err)
	}
}
