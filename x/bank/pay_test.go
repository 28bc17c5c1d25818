package bank

import (
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func TestHoldAndRelease(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 10, "in")
	w.must(Hold(w.ctx, alice, 10))
	w.has(alice, 0, 10, 0)
	w.refused(Hold(w.ctx, alice, 1), ErrInsufficientFunds)
	w.must(Hold(w.ctx, alice, 0))
	w.must(Release(w.ctx, alice, 3))
	w.has(alice, 3, 7, 0)
	w.refused(Release(w.ctx, alice, 8), ErrInsufficientEscrow)
	w.refused(Hold(w.ctx, alice, -1), ErrInvalidField)
	w.refused(Release(w.ctx, alice, -1), ErrInvalidField)
	w.refused(Hold(w.ctx, protocol.GridAddress, 1), ErrInsufficientFunds)
	w.has(alice, 3, 7, 0)
}

func TestReleaseRepaysDebt(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 10, "in")
	w.must(Hold(w.ctx, alice, 10))
	w.owe(alice, bob, 4)
	w.must(Release(w.ctx, alice, 10))
	w.has(alice, 6, 0, 0)
	w.has(bob, 4, 0, 0)
}

func TestPay(t *testing.T) {
	grid, fees := protocol.GridAddress, protocol.FeeAddress
	tests := []struct {
		name            string
		from, to        protocol.Address
		free            int64 // of the payer before
		amount          int64
		paid            int64
		freeAfter, debt int64
		want            *module.Error
	}{
		{name: "in full", from: alice, to: bob, free: 5, amount: 4, paid: 4, freeAfter: 1},
		{name: "rest owed", from: alice, to: bob, free: 5, amount: 20, paid: 5, debt: 15},
		{name: "all owed", from: alice, to: bob, amount: 20, debt: 20},
		{name: "nothing", from: alice, to: bob, free: 5, freeAfter: 5},
		{name: "to the fee ledger", from: alice, to: fees, free: 5, amount: 6, paid: 5, debt: 1},
		{name: "grid pays below zero", from: grid, to: bob, amount: 20, paid: 20, freeAfter: -20},
		{name: "fee ledger pays below zero", from: fees, to: bob, free: 5, amount: 20, paid: 20, freeAfter: -15},
		{name: "itself", from: alice, to: alice, free: 5, amount: 7, paid: 7, freeAfter: 5},
		{name: "negative", from: alice, to: bob, free: 5, freeAfter: 5, amount: -1, want: ErrInvalidField},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWorld(t)
			if test.free > 0 {
				w.give(test.from, test.free, "in")
			}
			var paid int64
			err := w.ctx.Atomic(func(ctx *module.Ctx) (err error) {
				paid, _, err = Pay(ctx, test.from, test.to, test.amount)
				return err
			})
			if test.want != nil {
				w.refused(err, test.want)
			} else {
				w.must(err)
			}
			if paid != test.paid {
				t.Errorf("paid %d, want %d", paid, test.paid)
			}
			w.has(test.from, test.freeAfter, 0, test.debt)
			if test.from != test.to {
				w.has(test.to, test.paid, 0, 0)
			}
		})
	}
}

// TestPayGuaranteed: alice, who has 5, pays bob; the fund lets her owe it 10 at
// most.
func TestPayGuaranteed(t *testing.T) {
	fund := protocol.GuaranteeAddress
	for _, test := range []struct {
		name               string
		fund, amount, owes int64 // owes: to the fund from before
		to                 protocol.Address
		want               Paid
		debt, toFund       int64 // of alice after
	}{
		{name: "own coins first", fund: 100, amount: 5, to: bob, want: Paid{OwnUcoin: 5}},
		{name: "the fund next", fund: 100, amount: 9, to: bob, want: Paid{OwnUcoin: 5, FundUcoin: 4}, debt: 4, toFund: 4},
		{name: "up to the limit", fund: 100, amount: 16, to: bob, want: Paid{OwnUcoin: 5, FundUcoin: 10}, debt: 11, toFund: 10},
		{name: "up to what it has", fund: 3, amount: 16, to: bob, want: Paid{OwnUcoin: 5, FundUcoin: 3}, debt: 11, toFund: 3},
		{name: "nothing in it", amount: 16, to: bob, want: Paid{OwnUcoin: 5}, debt: 11},
		{name: "what is owed to it counts", fund: 100, owes: 7, amount: 16, to: bob, want: Paid{OwnUcoin: 5, FundUcoin: 3}, debt: 18, toFund: 10},
		{name: "beyond the limit by other debts", fund: 100, owes: 12, amount: 16, to: bob, want: Paid{OwnUcoin: 5}, debt: 23, toFund: 12},
		{name: "not to itself", fund: 100, amount: 16, to: fund, want: Paid{OwnUcoin: 5}, debt: 11, toFund: 11},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := testWorld(t)
			if test.fund > 0 {
				w.give(fund, test.fund, "fund")
			}
			if test.owes > 0 {
				w.owe(alice, fund, test.owes)
			}
			w.must(addFree(w.ctx.Store, alice, 5)) // not by a receipt, which would repay
			supply.Set(w.ctx.Store, &bankv1.Supply{MintedUcoin: test.fund + 5, NextDebt: supplyOf(w.ctx.Store).NextDebt})
			got, err := PayGuaranteed(w.ctx, 0, alice, test.to, test.amount)
			w.must(err)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			w.has(alice, 0, 0, test.debt)
			if owed := OwedToFund(w.ctx.Store, alice); owed != test.toFund {
				t.Errorf("owes %d to the fund, want %d", owed, test.toFund)
			}
			if test.to == bob {
				w.has(bob, got.OwnUcoin+got.FundUcoin, 0, 0)
				w.has(fund, test.fund-got.FundUcoin, 0, 0)
			}
		})
	}
}

// What the fund paid is repaid to it after what is owed to the creditor of the
// same payment.
func TestRepayFund(t *testing.T) {
	w := testWorld(t)
	w.give(protocol.GuaranteeAddress, 4, "fund")
	_, err := PayGuaranteed(w.ctx, 0, alice, bob, 6)
	w.must(err)
	w.give(alice, 3, "first")
	w.has(bob, 4+2, 0, 0)
	w.has(protocol.GuaranteeAddress, 1, 0, 0)
	w.give(alice, 5, "second")
	w.has(alice, 2, 0, 0)
	w.has(protocol.GuaranteeAddress, 4, 0, 0)
	if owed := OwedToFund(w.ctx.Store, alice); owed != 0 {
		t.Errorf("owes %d to the fund, want nothing", owed)
	}
}

func TestPayOut(t *testing.T) {
	for _, test := range []struct {
		name           string
		held, claim    int64
		bob, fees      int64 // payments
		free, escrow   int64 // of the payer after
		repaid, toCarl int64 // of bob's, who owes carol 3
		want           *module.Error
	}{
		{name: "all of it", held: 10, claim: 10, bob: 8, fees: 2, repaid: 3, toCarl: 3},
		{name: "rest comes back", held: 10, claim: 9, bob: 4, fees: 2, free: 3, escrow: 1, repaid: 3, toCarl: 3},
		{name: "nothing paid", held: 10, claim: 10, free: 10},
		{name: "beyond the claim", held: 10, claim: 5, bob: 4, fees: 2, escrow: 10, want: ErrInsufficientEscrow},
		{name: "beyond what is held", held: 4, claim: 5, bob: 4, escrow: 4, want: ErrInsufficientEscrow},
		{name: "negative", held: 10, claim: 5, bob: -1, escrow: 10, want: ErrInvalidField},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := testWorld(t)
			w.give(alice, test.held, "in")
			w.must(Hold(w.ctx, alice, test.held))
			w.owe(bob, carol, 3)
			payments := []Payment{{To: bob, AmountUcoin: test.bob}, {To: protocol.FeeAddress, AmountUcoin: test.fees}}
			err := w.ctx.Atomic(func(ctx *module.Ctx) error { _, err := PayOut(ctx, alice, test.claim, payments); return err })
			w.has(alice, test.free, test.escrow, 0)
			if test.want != nil {
				w.refused(err, test.want)
				return
			}
			w.must(err)
			w.has(bob, test.bob-test.repaid, 0, 3-test.repaid)
			w.has(carol, test.toCarl, 0, 0)
			w.has(protocol.FeeAddress, test.fees, 0, 0)
			if payments[0].RepaidUcoin != test.repaid {
				t.Errorf("repaid %d, want %d", payments[0].RepaidUcoin, test.repaid)
			}
		})
	}
}

func TestPayOverflow(t *testing.T) {
	w := testWorld(t)
	w.give(bob, math.MaxInt64, "in")
	_, _, err := Pay(w.ctx, protocol.GridAddress, bob, 1)
	w.refused(err, ErrOverflow)

	w = testWorld(t)
	w.owe(alice, bob, math.MaxInt64)
	_, _, err = Pay(w.ctx, alice, carol, 1)
	w.refused(err, ErrOverflow)
}

func TestDebtsAreRepaidOldestFirst(t *testing.T) {
	w := testWorld(t)
	w.owe(alice, bob, 5)
	w.owe(alice, carol, 5)
	w.owe(alice, bob, 4) // not as much as the first: the order shows
	w.give(alice, 7, "in")
	w.has(bob, 5, 0, 0)
	w.has(carol, 2, 0, 0)
	w.has(alice, 0, 0, 7)
	w.events = nil
	w.give(alice, 100, "more")
	w.has(bob, 9, 0, 0)
	w.has(carol, 5, 0, 0)
	w.has(alice, 93, 0, 0)
	var repaid []int64
	for _, event := range w.events {
		if e, ok := event.(*bankv1.DebtRepaid); ok {
			repaid = append(repaid, e.AmountUcoin)
		}
	}
	if fmt.Sprint(repaid) != "[3 4]" {
		t.Errorf("repaid %v, want [3 4]", repaid)
	}
}

// alice owes bob, bob owes carol, carol owes the grid.
func TestRepaymentsFollowEachOther(t *testing.T) {
	w := testWorld(t)
	w.owe(alice, bob, 10)
	w.owe(bob, carol, 8)
	w.owe(carol, protocol.GridAddress, 5)
	w.give(alice, 12, "in")
	w.has(alice, 2, 0, 0)
	w.has(bob, 2, 0, 0)
	w.has(carol, 3, 0, 0)
	w.has(protocol.GridAddress, 5, 0, 0)
}

// One ucoin in a ring of great debts must not go round for ever.
func TestRingOfDebtorsEnds(t *testing.T) {
	w := testWorld(t)
	const great = 1_000_000_000_000
	w.owe(alice, bob, great)
	w.owe(bob, carol, great)
	w.owe(carol, alice, great)
	w.events = nil
	w.give(alice, 1, "in")
	w.has(alice, 1, 0, great-1)
	w.has(bob, 0, 0, great-1)
	w.has(carol, 0, 0, great-1)
	if len(w.events) != 4 {
		t.Errorf("%d events, want a recharge and three repayments", len(w.events))
	}
}

// Two debtors of the same creditor, who owes in turn: what both repay to it
// goes on.
func TestRepaymentsMeet(t *testing.T) {
	w := testWorld(t)
	w.owe(alice, bob, 5)
	w.owe(alice, carol, 5)
	w.owe(bob, dave, 5)
	w.owe(carol, dave, 5)
	w.owe(dave, protocol.FeeAddress, 10)
	w.give(alice, 10, "in")
	for _, who := range []protocol.Address{alice, bob, carol, dave} {
		w.has(who, 0, 0, 0)
	}
	w.has(protocol.FeeAddress, 10, 0, 0)
}

func TestRepaymentsOfOneReceiptAreBounded(t *testing.T) {
	w := testWorld(t)
	for range maxRepayments + 5 {
		w.owe(alice, bob, 1)
	}
	w.give(alice, maxRepayments+5, "in")
	w.has(alice, 5, 0, 5)
	w.give(alice, 1, "more")
	w.has(alice, 1, 0, 0)
}

func TestDebtEvents(t *testing.T) {
	w := testWorld(t)
	w.owe(alice, bob, 5)
	want := &bankv1.DebtRecorded{Debtor: alice.Bytes(), Creditor: bob.Bytes(), AmountUcoin: 5}
	if len(w.events) != 1 || !proto.Equal(w.events[0], want) {
		t.Errorf("events: got %v, want %v", w.events, want)
	}
}

// BenchmarkPay pays between accounts without debts, as settlement does.
func BenchmarkPay(b *testing.B) {
	w := testWorld(b)
	w.give(alice, math.MaxInt64/2, "in")
	for b.Loop() {
		if _, _, err := Pay(w.ctx, alice, bob, 3); err != nil {
			b.Fatal(err)
		}
	}
}
