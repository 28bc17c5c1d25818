package bank

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// model is the bank in plain maps, by the words of SPEC 3.
type model struct {
	free, escrow   map[protocol.Address]int64
	debts          []modelDebt // oldest first
	minted, burned int64
}

type modelDebt struct {
	debtor, creditor protocol.Address
	amount           int64
}

func (m *model) owed(who protocol.Address) (sum int64) {
	for _, d := range m.debts {
		if d.debtor == who {
			sum += d.amount
		}
	}
	return sum
}

func (m *model) receive(who protocol.Address, amount int64) {
	m.free[who] += amount
	queue, seen := []protocol.Address{who}, map[protocol.Address]bool{who: true}
	for ; len(queue) > 0; queue = queue[1:] {
		debtor := queue[0]
		for i := range m.debts {
			d := &m.debts[i]
			if d.debtor != debtor || m.free[debtor] <= 0 {
				continue
			}
			part := min(m.free[debtor], d.amount)
			if part == 0 {
				continue
			}
			m.free[debtor] -= part
			d.amount -= part
			m.free[d.creditor] += part
			if !seen[d.creditor] {
				seen[d.creditor] = true
				queue = append(queue, d.creditor)
			}
		}
	}
}

// pay pays with the guarantee fund, if its limit is above 0, behind the payer.
func (m *model) pay(from, to protocol.Address, amount, limit int64) (own, byFund int64) {
	own = amount
	if from != protocol.GridAddress && from != protocol.FeeAddress {
		own = min(own, m.free[from])
	}
	m.free[from] -= own
	missing := amount - own
	for missing > 0 && byFund < missing && m.free[protocol.GuaranteeAddress] > 0 && to != protocol.GuaranteeAddress &&
		m.owedTo(from, protocol.GuaranteeAddress)+byFund < limit {
		byFund++
		m.free[protocol.GuaranteeAddress]--
	}
	m.receive(to, own+byFund)
	for _, debt := range []modelDebt{{from, to, missing - byFund}, {from, protocol.GuaranteeAddress, byFund}} {
		if debt.amount > 0 {
			m.debts = append(m.debts, debt)
		}
	}
	return own, byFund
}

func (m *model) owedTo(who, creditor protocol.Address) (sum int64) {
	for _, d := range m.debts {
		if d.debtor == who && d.creditor == creditor {
			sum += d.amount
		}
	}
	return sum
}

// compare wants the bank equal to the model.
func (m *model) compare(rt *rapid.T, w *world, all []protocol.Address) {
	for _, account := range all {
		got, owed := BalanceOf(w.ctx.Store, account), DebtOf(w.ctx.Store, account)
		if got.FreeUcoin != m.free[account] || got.EscrowUcoin != m.escrow[account] || owed != m.owed(account) {
			rt.Fatalf("%v: got %v owing %d, want %d free, %d in escrow, owing %d",
				account, got, owed, m.free[account], m.escrow[account], m.owed(account))
		}
		if got, want := OwedToFund(w.ctx.Store, account), m.owedTo(account, protocol.GuaranteeAddress); got != want {
			rt.Fatalf("%v: owes %d to the fund, want %d", account, got, want)
		}
	}
	if got := supplyOf(w.ctx.Store); got.MintedUcoin != m.minted || got.BurnedUcoin != m.burned {
		rt.Fatalf("supply: got %v, want %d and %d", got, m.minted, m.burned)
	}
}

// agree wants an operation to succeed where the model says so.
func agree(rt *rapid.T, err error, possible bool) bool {
	if (err == nil) != possible {
		rt.Fatalf("got %v, want success %t", err, possible)
	}
	return err == nil
}

// Random operations leave the bank and the model equal and keep I1 and I7.
func TestBankAgainstModel(t *testing.T) {
	db := state.OpenMemory()
	t.Cleanup(func() { _ = db.Close() })
	const limit = 15
	members := []protocol.Address{alice, bob, carol, dave}
	payers := append([]protocol.Address{protocol.GridAddress, protocol.FeeAddress}, members...)
	all := append([]protocol.Address{protocol.GuaranteeAddress}, payers...)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, db, limit)
		m := &model{free: map[protocol.Address]int64{}, escrow: map[protocol.Address]int64{}}
		who := func(label string, from []protocol.Address) protocol.Address {
			return rapid.SampledFrom(from).Draw(rt, label)
		}
		amount := func() int64 { return rapid.Int64Range(1, 20).Draw(rt, "amount") }
		step := 0
		same := func(err error, possible bool) bool { return agree(rt, err, possible) }
		rt.Repeat(map[string]func(*rapid.T){
			"recharge": func(*rapid.T) {
				to, n := who("to", all), amount()
				w.give(to, n, fmt.Sprintf("in %d", step))
				m.minted += n
				m.receive(to, n)
			},
			"withdraw": func(*rapid.T) {
				from, n := who("from", all), amount()
				err := w.authority(&bankv1.MsgWithdraw{Account: from.Bytes(), AmountUcoin: n, Reference: fmt.Sprintf("out %d", step)})
				if same(err, m.free[from] >= n && m.owed(from) == 0) {
					m.burned += n
					m.free[from] -= n
				}
			},
			"transfer": func(*rapid.T) {
				from, to, n := who("from", members), who("to", members), amount()
				err := w.by(from, &bankv1.MsgTransfer{To: to.Bytes(), AmountUcoin: n})
				if same(err, from != to && m.free[from] >= n && m.owed(from) == 0) {
					m.free[from] -= n
					m.receive(to, n)
				}
			},
			"hold": func(*rapid.T) {
				from, n := who("from", all), amount()
				if same(w.ctx.Atomic(func(ctx *module.Ctx) error { return Hold(ctx, from, n) }), m.free[from] >= n) {
					m.free[from] -= n
					m.escrow[from] += n
				}
			},
			"release": func(*rapid.T) {
				from, n := who("from", all), amount()
				if same(w.ctx.Atomic(func(ctx *module.Ctx) error { return Release(ctx, from, n) }), m.escrow[from] >= n) {
					m.escrow[from] -= n
					m.receive(from, n)
				}
			},
			"pay": func(*rapid.T) {
				from, to, n := who("from", payers), who("to", all), amount()
				if from == to {
					return
				}
				owed := m.owed(to)
				paid, repaid, err := Pay(w.ctx, from, to, n)
				same(err, true)
				if want, _ := m.pay(from, to, n, 0); paid != want || repaid != owed-m.owed(to) {
					rt.Fatalf("paid %d, repaid %d, want %d, %d", paid, repaid, want, owed-m.owed(to))
				}
			},
			"pay guaranteed": func(*rapid.T) {
				from, to, n := who("from", payers), who("to", all), amount()
				if from == to {
					return
				}
				owed := m.owed(to)
				paid, err := PayGuaranteed(w.ctx, 0, from, to, n)
				same(err, true)
				own, byFund := m.pay(from, to, n, limit)
				if want := (Paid{own, byFund, owed - m.owed(to)}); paid != want {
					rt.Fatalf("paid %+v, want %+v", paid, want)
				}
			},
			"pay out": func(*rapid.T) {
				from, one, other := who("from", members), who("to", all), who("and to", all)
				claim := rapid.Int64Range(0, 30).Draw(rt, "claim")
				payments := []Payment{{To: one, AmountUcoin: amount()}, {To: other, AmountUcoin: amount()}}
				rest := claim - payments[0].AmountUcoin - payments[1].AmountUcoin
				var repaid int64
				err := w.ctx.Atomic(func(ctx *module.Ctx) (err error) {
					repaid, err = PayOut(ctx, from, claim, payments)
					return err
				})
				if same(err, rest >= 0 && m.escrow[from] >= claim) {
					m.escrow[from] -= claim
					for _, payment := range payments {
						owed := m.owed(payment.To)
						m.receive(payment.To, payment.AmountUcoin)
						if want := owed - m.owed(payment.To); payment.RepaidUcoin != want {
							rt.Fatalf("%v repaid %d, want %d", payment.To, payment.RepaidUcoin, want)
						}
					}
					owed := m.owed(from)
					m.receive(from, rest)
					if want := owed - m.owed(from); repaid != want {
						rt.Fatalf("the payer repaid %d, want %d", repaid, want)
					}
				}
			},
			"": func(*rapid.T) {
				step++
				m.compare(rt, w, all)
				w.lawful()
			},
		})
	})
}
