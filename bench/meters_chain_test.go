package bench

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// quietChain answers a gateway as a node would, with a block every second that
// holds what was sent: it costs next to nothing, so that what is measured is the
// gateway.
type quietChain struct {
	*httptest.Server
	id    string
	begun time.Time

	mu  sync.Mutex
	txs map[int64][][]byte // by height
}

func newQuietChain(b *testing.B, id string) *quietChain {
	c := &quietChain{id: id, begun: time.Now(), txs: make(map[int64][][]byte)}
	c.Server = httptest.NewServer(http.HandlerFunc(c.answer))
	b.Cleanup(c.Close)
	return c
}

func (c *quietChain) height() int64 { return int64(time.Since(c.begun)/time.Second) + 1 }

func (c *quietChain) at(height int64) time.Time {
	return c.begun.Add(time.Duration(height-1) * time.Second).UTC()
}

func (c *quietChain) answer(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Method string `json:"method"`
		Params struct {
			Path string `json:"path"`
			Data string `json:"data"`
			Tx   []byte `json:"tx"`
		} `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var result any
	switch request.Method {
	case "status":
		result = object{"node_info": object{"network": c.id}, "sync_info": object{
			"latest_block_height": strconv.FormatInt(c.height(), 10), "earliest_block_height": "1",
			"latest_block_time": c.at(c.height()), "catching_up": false,
		}}
	case "broadcast_tx_sync":
		next := c.height() + 1
		c.txs[next] = append(c.txs[next], request.Params.Tx)
		result = object{"code": 0}
	case "abci_query":
		result = object{"response": c.query(request.Params.Path, request.Params.Data)}
	}
	_ = json.NewEncoder(w).Encode(object{"jsonrpc": "2.0", "id": 1, "result": result}) // the gateway is gone
}

type object = map[string]any

func (c *quietChain) query(path, data string) object {
	var answer proto.Message
	switch path {
	case "/energy.tx.v1.QueryOutcomesRequest":
		answer = c.outcomes(data)
	case "/energy.tx.v1.QueryWindowRequest":
		answer = &txv1.QueryWindowResponse{Window: &txv1.Window{}}
	case "/energy.registry.v1.QueryParamsRequest":
		answer = &registryv1.QueryParamsResponse{Chain: &registryv1.Chain{ChainId: c.id, PeriodLengthMs: 900_000}}
	default:
		return object{"code": 1, "log": "not in this chain: " + path, "height": "1"}
	}
	value, err := protocol.Marshal(answer)
	if err != nil {
		return object{"code": 1, "log": err.Error(), "height": "1"}
	}
	return object{"height": strconv.FormatInt(c.height(), 10), "value": base64.StdEncoding.EncodeToString(value)}
}

// outcomes are those of the blocks after a height: everything succeeds.
func (c *quietChain) outcomes(data string) proto.Message {
	request, answer := new(txv1.QueryOutcomesRequest), &txv1.QueryOutcomesResponse{Height: c.height(), First: 1}
	raw, err := hex.DecodeString(data)
	if err != nil || protocol.Unmarshal(raw, request) != nil || request.AfterHeight < 0 {
		return answer
	}
	for height := request.AfterHeight + 1; height <= answer.Height; height++ {
		block := &txv1.BlockOutcomes{Height: height}
		for _, tx := range c.txs[height] {
			hash := protocol.TxHash(tx)
			block.Txs = append(block.Txs, &txv1.TxOutcome{Hash: hash[:]})
		}
		answer.Blocks = append(answer.Blocks, block)
	}
	return answer
}
