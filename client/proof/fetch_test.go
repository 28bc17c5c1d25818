package proof

import (
	"net/http"
	"net/http/httptest"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/libs/log"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
)

// node serves a world by the engine's own RPC, two validators a page.
type node struct {
	*world
	// settled and corrected are periods that the latest block settled and corrected:
	// the state after height 1, which can be proved, has not seen it.
	settled, corrected int64
}

func (n *node) status(*rpctypes.Context) (*coretypes.ResultStatus, error) {
	return &coretypes.ResultStatus{SyncInfo: coretypes.SyncInfo{LatestBlockHeight: 2}}, nil
}

func (n *node) client(t *testing.T) *client.Client {
	t.Helper()
	mux := http.NewServeMux()
	server.RegisterRPCFuncs(mux, map[string]*server.RPCFunc{
		"status": server.NewRPCFunc(n.status, ""), "commit": server.NewRPCFunc(n.commit, "height"),
		"validators": server.NewRPCFunc(n.validators, "height,page,per_page"),
		"abci_query": server.NewRPCFunc(n.query, "path,data,height,prove"),
	}, log.NewNopLogger())
	serving := httptest.NewServer(mux)
	t.Cleanup(serving.Close)
	c, err := client.New(serving.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (n *node) commit(_ *rpctypes.Context, _ *int64) (*coretypes.ResultCommit, error) {
	return &coretypes.ResultCommit{SignedHeader: *n.bill.Header.Signed}, nil
}

func (n *node) validators(_ *rpctypes.Context, _ *int64, page, _ *int) (*coretypes.ResultValidators, error) {
	all := n.signers.set.Validators
	first := 0
	if page != nil {
		first = 2 * (*page - 1)
	}
	part := all[min(first, len(all)):min(first+2, len(all))]
	return &coretypes.ResultValidators{Validators: part, Count: len(part), Total: len(all)}, nil
}

func (n *node) query(_ *rpctypes.Context, path string, data cmtbytes.HexBytes, height int64, prove bool) (*coretypes.ResultABCIQuery, error) {
	answer := abci.ResponseQuery{Height: height}
	var value proto.Message
	switch path {
	case "/energy.settlement.v1.QueryRootsRequest":
		roots := new(settlementv1.QueryRootsResponse)
		request := new(settlementv1.QueryRootsRequest)
		if err := proto.Unmarshal(data, request); err != nil {
			return nil, err
		}
		for _, s := range n.bill.Sections {
			if s.Root.Period >= request.FromPeriod {
				roots.Roots = append(roots.Roots, s.Root)
			}
		}
		value = roots
	case "/energy.settlement.v1.QueryStatementRequest":
		request := new(settlementv1.QueryStatementRequest)
		if err := proto.Unmarshal(data, request); err != nil {
			return nil, err
		}
		for _, s := range n.bill.Sections {
			if s.Statement.Period == request.Period {
				root := proto.CloneOf(s.Root)
				if root.Period == n.corrected && height == 0 {
					root.Version++
				}
				value = &settlementv1.QueryStatementResponse{Statement: s.Statement, Root: root, Index: s.Index, Aunts: s.Aunts}
			}
		}
	case "/store":
		for _, s := range n.bill.Sections {
			if prove && string(protocol.StatementsRootKey(s.Root.Period)) == string(data) {
				proof, err := s.Proof.Marshal()
				if err != nil {
					return nil, err
				}
				if s.Root.Period != n.settled {
					if answer.Value, err = protocol.Marshal(s.Root); err != nil {
						return nil, err
					}
				}
				answer.ProofOps = &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{{Type: "ics23:smt", Key: data, Data: proof}}}
			}
		}
		return &coretypes.ResultABCIQuery{Response: answer}, nil
	}
	var err error
	answer.Value, err = protocol.Marshal(value)
	return &coretypes.ResultABCIQuery{Response: answer}, err
}

// TestFetchBill: a bill fetched from a node proves itself, its file too, and its
// header is the one that all validators signed.
func TestFetchBill(t *testing.T) {
	n := &node{world: newWorld(t)}
	c := n.client(t)
	bill, err := FetchBill(t.Context(), c, worldChain, n.account, worldPeriod, worldPeriod+worldStep, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(bill.Sections) != 2 || len(bill.Header.Validators) != 4 || bill.Height != 1 {
		t.Errorf("%d periods, %d validators, height %d; want 2, 4, 1", len(bill.Sections), len(bill.Header.Validators), bill.Height)
	}
	if err := check(marshal(t, bill), n.trusted()); err != nil {
		t.Errorf("the bill does not verify: %v", err)
	}
	plain, err := FetchBill(t.Context(), c, worldChain, n.account, worldPeriod, worldPeriod, false)
	if err != nil || plain.Header != nil || len(plain.Sections) != 1 {
		t.Errorf("without proof: %+v, %v", plain, err)
	}
}

// TestFetchBillMeanwhile: the latest block settled or corrected a period, of which the
// newest header that there is knows nothing. The bill is as of that header.
func TestFetchBillMeanwhile(t *testing.T) {
	const second = worldPeriod + worldStep
	for _, tc := range []struct {
		name               string
		settled, corrected int64
		periods            int
	}{{"settled", second, 0, 1}, {"corrected", 0, second, 2}} {
		n := &node{world: newWorld(t), settled: tc.settled, corrected: tc.corrected}
		bill, err := FetchBill(t.Context(), n.client(t), worldChain, n.account, worldPeriod, second, true)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if len(bill.Sections) != tc.periods || len(bill.Without) > 0 {
			t.Errorf("%s: %d periods, want %d; without %v", tc.name, len(bill.Sections), tc.periods, bill.Without)
		}
		if err := check(marshal(t, bill), n.trusted()); err != nil {
			t.Errorf("%s: the bill does not verify: %v", tc.name, err)
		}
	}
}

// TestFetchHeaderOfNobody: a node that leaves something out does no harm.
func TestFetchHeaderOfNobody(t *testing.T) {
	mux := http.NewServeMux()
	var commit *coretypes.ResultCommit
	server.RegisterRPCFuncs(mux, map[string]*server.RPCFunc{
		"commit": server.NewRPCFunc(func(*rpctypes.Context) (*coretypes.ResultCommit, error) { return commit, nil }, ""),
		"validators": server.NewRPCFunc(func(*rpctypes.Context) (*coretypes.ResultValidators, error) {
			return &coretypes.ResultValidators{Validators: []*types.Validator{nil}, Total: 1}, nil
		}, ""),
	}, log.NewNopLogger())
	serving := httptest.NewServer(mux)
	defer serving.Close()
	c, err := client.New(serving.URL)
	if err != nil {
		t.Fatal(err)
	}
	signed := newWorld(t).bill.Header.Signed
	for _, given := range []types.SignedHeader{{}, {Header: signed.Header}, {Commit: signed.Commit}, *signed} {
		commit = &coretypes.ResultCommit{SignedHeader: given}
		if header, err := FetchHeader(t.Context(), c, 2); err == nil {
			t.Errorf("%+v was taken from %+v", header, given)
		}
	}
}
