package app_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// What no honest mempool takes: each refused in CheckTx, left out of
// proposals, rejected in others' proposals, and refused with the same code and
// without a trace should a block hold it all the same.
func TestRefusedBeforeExecution(t *testing.T) {
	c, seller, buyer, _ := market(t)
	to := buyer.Address()
	transfer := &bankv1.MsgTransfer{To: to[:], AmountUcoin: 1}
	sign := func(key client.Key, chain string, sequence uint64, expiry int64, msgs ...proto.Message) []byte {
		tx, err := key.Sign(chain, sequence, expiry, msgs...)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	good := sign(seller.Key, testkit.ChainID, 500, c.Height+50, transfer)
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	trailing := append(append([]byte(nil), good...), 0x08, 0x01)
	used := c.Tx(seller.Key, transfer)
	c.Must(time.Second, used)

	for _, tc := range []struct {
		name string
		tx   []byte
		want *module.Error
	}{
		{"empty", nil, app.ErrMalformed},
		{"garbage", []byte("hello, chain"), app.ErrMalformed},
		{"not canonical", trailing, app.ErrMalformed},
		{"changed signature", flipped, app.ErrBadSignature},
		{"other chain", sign(seller.Key, "other", 501, c.Height+50, transfer), app.ErrWrongChain},
		{"expired", sign(seller.Key, testkit.ChainID, 502, c.Height-1, transfer), app.ErrExpired},
		{"expires too late", sign(seller.Key, testkit.ChainID, 503, c.Height+1_000_000, transfer), app.ErrExpiryTooFar},
		{"replayed", used, app.ErrReplayed},
		{"sequence too far", sign(seller.Key, testkit.ChainID, 1_000_000, c.Height+50, transfer), app.ErrSequenceTooFar},
		{"stranger", sign(testkit.NewKey("stranger"), testkit.ChainID, 1, c.Height+50, transfer), app.ErrUnknownKey},
		{"no message", sign(seller.Key, testkit.ChainID, 504, c.Height+50), app.ErrMalformed},
		{"unknown message", sign(seller.Key, testkit.ChainID, 505, c.Height+50, &txv1.Window{Highest: 1}), app.ErrUnknownMessage},
		{"too large", sign(seller.Key, testkit.ChainID, 506, c.Height+50, &bankv1.MsgRecharge{Account: to[:], AmountUcoin: 1, Reference: string(make([]byte, 300<<10))}), app.ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.T = t
			if got := c.CheckTx(tc.tx); got.Code != tc.want.Code || got.Codespace != tc.want.Codespace {
				t.Errorf("CheckTx: got %s/%d %q, want %v", got.Codespace, got.Code, got.Log, tc.want)
			}
			if c.Accepts(tc.tx) {
				t.Error("ProcessProposal accepts it")
			}
			before := c.Balances()
			result := c.Force(time.Millisecond, tc.tx)[0]
			if tc.name != "too large" && (result.Code != tc.want.Code || result.Codespace != tc.want.Codespace) {
				t.Errorf("FinalizeBlock: got %s/%d %q, want %v", result.Codespace, result.Code, result.Log, tc.want)
			}
			if result.Code == 0 {
				t.Error("FinalizeBlock executes it")
			}
			if !proto.Equal(before, c.Balances()) {
				t.Error("it changed balances")
			}
		})
	}
}

// What enters a block and fails there: a code, no change of state, and the
// sequence is used up.
func TestRefusedInExecution(t *testing.T) {
	c, seller, buyer, _ := market(t)
	start := nextPeriod(c)
	period := start.UnixMilli()
	to := buyer.Address()
	c.Must(time.Second, c.Tx(buyer.Key, buy(period, 500_000, 1_000, true)))

	for _, tc := range []struct {
		name string
		key  client.Key
		msg  proto.Message
		want string
	}{
		{"wrong role", seller.Key, &bankv1.MsgRecharge{Account: to[:], AmountUcoin: 5, Reference: "mine"}, "app/wrong_role"},
		{"aggregator orders nothing for others", c.Aggregator, sell(period, seller, 400_000, 10), ""},
		{"not an authority key", seller.Key, &registryv1.MsgPropose{Msgs: []*txv1.Msg{{Type: "energy.bank.v1.MsgRecharge"}}}, ""},
		{"more than one has", seller.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: coins + 1}, "bank/insufficient_funds"},
		{"overflow", seller.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: math.MaxInt64}, "bank/insufficient_funds"},
		{"both sides in one period", buyer.Key, sell(period, buyer, 400_000, 10), "matching/both_sides"},
		{"not one's meter", seller.Key, sell(period, buyer, 400_000, 10), "matching/meter_not_bound"},
		{"price beyond the market", seller.Key, sell(period, seller, 1_000_000_000, 10), "matching/bad_price"},
		{"more than the connection carries", seller.Key, sell(period, seller, 400_000, 1_000_000_000), "matching/over_rating"},
		{"not a period", seller.Key, sell(period+1, seller, 400_000, 10), "matching/bad_period"},
		{"gate closed", seller.Key, sell(period-20_000, seller, 400_000, 10), "matching/gate_closed"},
		{"unknown order", seller.Key, &matchingv1.MsgCancel{Period: period, Order: make([]byte, 16)}, "matching/unknown_order"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.T = t
			before := c.Balances()
			tx := c.Tx(tc.key, tc.msg)
			result, ok := c.Block(time.Millisecond, tx)[protocol.TxHash(tx)]
			if ok && result.Code == 0 {
				t.Fatal("it was executed")
			}
			if ok && tc.want != "" && !strings.Contains(result.Log, tc.want) {
				t.Errorf("got %q, want %s", result.Log, tc.want)
			}
			if !ok && tc.want != "" {
				t.Errorf("refused before execution: %s, want %s", c.CheckTx(tx).Log, tc.want)
			}
			if !proto.Equal(before, c.Balances()) {
				t.Error("it changed balances")
			}
			if ok && c.CheckTx(tx).Code != app.ErrReplayed.Code {
				t.Error("it can be played again")
			}
		})
	}
}

// A message is checked by itself before anything is executed: such an
// envelope never enters a block.
func TestRefusedByCheck(t *testing.T) {
	c, seller, buyer, _ := market(t)
	period := nextPeriod(c).UnixMilli()
	to := buyer.Address()
	for name, msg := range map[string]proto.Message{
		"zero energy":     sell(period, seller, 400_000, 0),
		"negative energy": sell(period, seller, 400_000, -5),
		"negative amount": &bankv1.MsgTransfer{To: to[:], AmountUcoin: -1},
		"short address":   &bankv1.MsgTransfer{To: []byte{1, 2}, AmountUcoin: 1},
		"bad meter name":  &matchingv1.MsgPlaceSell{Period: period, PriceUcoinPerKwh: 1, EnergyWh: 1, Meter: "No Such"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.CheckTx(c.Tx(seller.Key, msg)); got.Code == 0 {
				t.Error("CheckTx takes it")
			}
		})
	}
}

func TestFrozenAccount(t *testing.T) {
	c, seller, buyer, _ := market(t)
	period := nextPeriod(c).UnixMilli()
	address, to := buyer.Address(), seller.Address()
	c.Must(time.Second, c.Tx(buyer.Key, buy(period, 500_000, 1_000, true)))
	if held := balanceOf(c, address).EscrowUcoin; held == 0 {
		t.Fatal("the order holds no escrow")
	}
	c.Must(time.Second, c.Propose(&registryv1.MsgFreeze{Account: address[:], Reason: "test"}))
	if held := balanceOf(c, address).EscrowUcoin; held != 0 {
		t.Errorf("the frozen account's order still holds %d", held)
	}
	transfer := c.Tx(buyer.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: 1})
	result := c.Block(time.Second, transfer)[protocol.TxHash(transfer)]
	if result == nil || result.Code != app.ErrNotActive.Code {
		t.Errorf("transfer of a frozen account: got %v, want %v", result, app.ErrNotActive)
	}
	c.Must(time.Second, c.Propose(&registryv1.MsgThaw{Account: address[:]}))
	c.Must(time.Second, c.Tx(buyer.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: 1}))
}

func balanceOf(c *testkit.Chain, address protocol.Address) *bankv1.Balance {
	answer := new(bankv1.QueryBalanceResponse)
	c.Query(&bankv1.QueryBalanceRequest{Account: address[:]}, answer)
	return answer.Balance
}
