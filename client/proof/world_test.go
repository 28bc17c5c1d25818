package proof

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

const (
	worldChain  = "world-1"
	worldPeriod = int64(1_700_000_100_000)
	worldStep   = int64(900_000)
)

// signers are validators that can sign headers.
type signers struct {
	set  *types.ValidatorSet
	keys []types.PrivValidator
}

func newSigners(n int) signers {
	set, keys := types.RandValidatorSet(n, 10)
	return signers{set, keys}
}

// header returns a signed header; next are the validators after it.
func (s signers) header(t testing.TB, height int64, appHash, lastBlock []byte, next *types.ValidatorSet) *Header {
	t.Helper()
	digest := func(text string) []byte { sum := sha256.Sum256([]byte(text)); return sum[:] }
	if lastBlock == nil {
		lastBlock = digest("last block")
	}
	at := time.UnixMilli(worldPeriod + height*1000).UTC()
	header := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol, App: 1}, ChainID: worldChain, Height: height, Time: at,
		LastBlockID:    types.BlockID{Hash: lastBlock, PartSetHeader: types.PartSetHeader{Total: 1, Hash: digest("parts")}},
		LastCommitHash: digest("commit"), DataHash: digest("data"), ValidatorsHash: s.set.Hash(), NextValidatorsHash: next.Hash(),
		ConsensusHash: digest("params"), AppHash: appHash, LastResultsHash: digest("results"), EvidenceHash: digest("evidence"),
		ProposerAddress: s.set.Validators[0].Address,
	}
	id := types.BlockID{Hash: header.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: digest("own parts")}}
	votes := types.NewVoteSet(worldChain, height, 0, cmtproto.PrecommitType, s.set)
	commit, err := types.MakeExtCommit(id, height, 0, votes, s.keys, at.Add(time.Second), false)
	if err != nil {
		t.Fatal(err)
	}
	found := &Header{Signed: &types.SignedHeader{Header: header, Commit: commit.ToCommit()}}
	for _, v := range s.set.Validators {
		found.Validators = append(found.Validators, Validator{Key: v.PubKey.Bytes(), Power: v.VotingPower})
	}
	return found
}

// world is a chain in small: statements of some accounts and periods, their
// roots in a state, and validators that sign its hash.
type world struct {
	signers signers
	account protocol.Address
	bill    *Bill
}

func worldStatement(account protocol.Address, period int64) *settlementv1.Statement {
	counterparty := protocol.KeyAddress([]byte("counterparty"))
	return &settlementv1.Statement{
		Account: account[:], Period: period, Version: 1, ImportWh: 1500, BoughtWh: 990, GridImportWh: 510,
		PaidUcoin: 801_000, FeesUcoin: 9_900, GridPaidUcoin: 300_900, BalanceBeforeUcoin: 5_000_000, BalanceAfterUcoin: 4_199_000,
		GridAloneUcoin: 885_000, RetailUcoinPerKwh: 590_000, FeedInUcoinPerKwh: 100_000, Outcome: 1, Reputation: 71,
		Trades: []*settlementv1.Trade{{
			Match: bytes.Repeat([]byte{0xa1}, protocol.IDSize), Seller: counterparty[:], Buyer: account[:],
			ContractedWh: 1000, SoldWh: 1000, BoughtWh: 990, LossPpm: 10_000, PriceUcoinPerKwh: 490_200, FeeUcoinPerKwh: 9_900,
			AmountUcoin: 490_200, FeeUcoin: 9_900, Environment: 1,
		}},
	}
}

// newWorld settles two periods of five accounts and bills the third of them.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{signers: newSigners(4), account: protocol.KeyAddress([]byte("account 2"))}
	db := state.OpenMemory()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	branch := db.Branch()
	w.bill = &Bill{ChainID: worldChain, Account: w.account, Height: 1}
	for period := worldPeriod; period <= worldPeriod+worldStep; period += worldStep {
		w.settle(t, branch, period)
	}
	for i := range 50 {
		branch.Set([]byte{protocol.ModuleBank, 1, byte(i)}, []byte{1, byte(i)})
	}
	appHash := db.Stage(branch)
	if err := db.Commit(1); err != nil {
		t.Fatal(err)
	}
	view, err := db.View(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.bill.Sections {
		section := &w.bill.Sections[i]
		if section.Proof, err = view.Prove(protocol.StatementsRootKey(section.Statement.Period)); err != nil {
			t.Fatal(err)
		}
	}
	if w.bill.Totals, err = w.bill.sum(); err != nil {
		t.Fatal(err)
	}
	w.bill.Header = w.signers.header(t, 2, appHash, nil, w.signers.set)
	return w
}

func (w *world) settle(t testing.TB, store state.Store, period int64) {
	t.Helper()
	var leaves [][]byte
	for i := range byte(5) {
		account := protocol.KeyAddress(append([]byte("account "), '0'+i))
		leaf, err := protocol.StatementLeaf(worldStatement(account, period))
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf)
	}
	root := &settlementv1.StatementsRoot{
		Period: period, Version: 1, Accounts: 5, Root: protocol.TreeRoot(leaves),
		Totals: &settlementv1.Totals{SoldWh: 5000, BoughtWh: 4950, LossWh: 50},
	}
	value, err := protocol.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	store.Set(protocol.StatementsRootKey(period), value)
	w.bill.Sections = append(w.bill.Sections, BillSection{
		Statement: worldStatement(w.account, period), Root: root, Index: 2, Aunts: protocol.TreePath(leaves, 2),
	})
}

// trusted is the bill's own header, known by its hash.
func (w *world) trusted() *Trusted {
	return &Trusted{Height: 2, Hash: w.bill.Header.Signed.Hash()}
}
