package node

import (
	"context"
	"crypto/sha256"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/p2p"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/energyd/energyd/app"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

func (n *Node) status(*rpctypes.Context) (*coretypes.ResultStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	network := testkit.ChainID
	if n.Foreign {
		network = "another-chain"
	}
	return &coretypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{Network: network},
		SyncInfo: coretypes.SyncInfo{LatestBlockHeight: n.Chain.Height, CatchingUp: n.Syncing},
	}, nil
}

func (n *Node) query(_ *rpctypes.Context, path string, data cmtbytes.HexBytes, height int64, _ bool) (*coretypes.ResultABCIQuery, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.Answer != nil {
		if value := n.Answer(path); value != nil {
			return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: value, Height: height}}, nil
		}
	}
	if n.Execute != nil && path == "/energy.tx.v1.QueryOutcomesRequest" {
		return n.outcomes(data)
	}
	answer, err := n.Chain.App().Query(context.Background(), &abci.RequestQuery{Path: path, Data: data, Height: height})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIQuery{Response: *answer}, nil
}

// outcomes answers for the application, which has not seen what Execute executed.
func (n *Node) outcomes(data []byte) (*coretypes.ResultABCIQuery, error) {
	request := new(txv1.QueryOutcomesRequest)
	if err := protocol.Unmarshal(data, request); err != nil {
		return nil, err
	}
	answer := &txv1.QueryOutcomesResponse{Height: n.Chain.Height, First: 1}
	for height := request.AfterHeight + 1; height > 0 && height <= answer.Height; height++ {
		block := &txv1.BlockOutcomes{Height: height}
		for i, tx := range n.Blocks[height].Txs {
			r := n.Blocks[height].Results[i]
			block.Txs = append(block.Txs, &txv1.TxOutcome{Hash: tx.Hash(), Code: uint64(r.Code), Codespace: r.Codespace, Log: r.Log})
		}
		answer.Blocks = append(answer.Blocks, block)
	}
	value, err := protocol.Marshal(answer)
	return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: value, Height: n.Chain.Height}}, err
}

func (n *Node) broadcast(_ *rpctypes.Context, tx types.Tx) (*coretypes.ResultBroadcastTx, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.Execute != nil {
		if result := n.Execute(tx); result != nil {
			made := n.produce(n.pace())
			made.Txs, made.Results = append(made.Txs, tx), append(made.Results, result)
			return &coretypes.ResultBroadcastTx{Hash: tx.Hash()}, nil
		}
	}
	checked := n.Chain.CheckTx(tx)
	if checked.Code == 0 && !n.Silent {
		n.produce(n.pace(), tx)
	}
	return &coretypes.ResultBroadcastTx{Code: checked.Code, Codespace: checked.Codespace, Log: checked.Log, Hash: tx.Hash()}, nil
}

func (n *Node) block(_ *rpctypes.Context, height *int64) (*coretypes.ResultBlock, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := n.at(*height)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultBlock{Block: &types.Block{
		Header: types.Header{Height: *height, Time: found.Time}, Data: types.Data{Txs: found.Txs}, LastCommit: &types.Commit{},
	}}, nil
}

func (n *Node) blockResults(_ *rpctypes.Context, height *int64) (*coretypes.ResultBlockResults, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := n.at(*height)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultBlockResults{Height: *height, TxsResults: found.Results, FinalizeBlockEvents: found.Events}, nil
}

// commit signs a header with the root of the block before.
func (n *Node) commit(_ *rpctypes.Context, height *int64) (*coretypes.ResultCommit, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := n.at(*height)
	if err != nil {
		return nil, err
	}
	root, err := n.Chain.App().Query(context.Background(), &abci.RequestQuery{Path: app.RootPath, Height: *height - 1})
	if err != nil {
		return nil, err
	}
	some := sha256.Sum256([]byte("some hash"))
	id := types.BlockID{Hash: some[:], PartSetHeader: types.PartSetHeader{Total: 1, Hash: some[:]}}
	header := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: testkit.ChainID, Height: *height, Time: found.Time,
		LastBlockID: id, LastCommitHash: some[:], DataHash: some[:], ValidatorsHash: n.set.Hash(), NextValidatorsHash: n.set.Hash(),
		ConsensusHash: some[:], AppHash: root.Value, LastResultsHash: some[:], EvidenceHash: some[:], ProposerAddress: n.set.Validators[0].Address,
	}
	id.Hash = header.Hash()
	votes := types.NewVoteSet(testkit.ChainID, *height, 0, cmtproto.PrecommitType, n.set)
	commit, err := types.MakeExtCommit(id, *height, 0, votes, []types.PrivValidator{n.key}, found.Time, false)
	if err != nil {
		return nil, err
	}
	return coretypes.NewResultCommit(header, commit.ToCommit(), true), nil
}

func (n *Node) validators(_ *rpctypes.Context, height *int64, _, _ *int) (*coretypes.ResultValidators, error) {
	return &coretypes.ResultValidators{BlockHeight: *height, Validators: n.set.Validators, Count: 1, Total: 1}, nil
}
