package simulation

import (
	"math/big"
)

// Accounts that nobody holds the keys of, beside the members by their names.
const (
	upperGrid = "the grid"
	feeLedger = "the fee ledger"
	fund      = "the guarantee fund"
	pool      = "the bank's capital"
	operator  = "aggregator"
)

// debt is what somebody owes, in ucoin.
type debt struct {
	to    string
	ucoin int64
}

// ledger has all coins (SPEC 3), in ucoin.
type ledger struct {
	free, escrow map[string]int64
	// debts of each, oldest first.
	debts map[string][]debt
	// guarantee is the most that an account may owe the fund.
	guarantee int64
}

// owes is the sum of an account's debts, or of those to one creditor.
func (l *ledger) owes(who, to string) (sum int64) {
	for _, d := range l.debts[who] {
		if to == "" || d.to == to {
			sum += d.ucoin
		}
	}
	return sum
}

func (l *ledger) owe(who, to string, ucoin int64) {
	if ucoin > 0 {
		l.debts[who] = append(l.debts[who], debt{to, ucoin})
	}
}

// receive credits an account: receipts repay debt first, the oldest first, and
// who is repaid repays its own, each account once. It returns what the account
// repaid.
func (l *ledger) receive(who string, ucoin int64) (repaid int64) {
	l.free[who] += ucoin
	before := l.owes(who, "")
	seen := map[string]bool{who: true}
	for queue := []string{who}; len(queue) > 0; queue = queue[1:] {
		debtor := queue[0]
		for len(l.debts[debtor]) > 0 && l.free[debtor] > 0 {
			oldest := &l.debts[debtor][0]
			part := min(oldest.ucoin, l.free[debtor])
			l.free[debtor] -= part
			l.free[oldest.to] += part
			oldest.ucoin -= part
			if !seen[oldest.to] {
				seen[oldest.to] = true
				queue = append(queue, oldest.to)
			}
			if oldest.ucoin == 0 {
				l.debts[debtor] = l.debts[debtor][1:]
			}
		}
	}
	return before - l.owes(who, "")
}

// has is what of an amount an account has free. The grid and the fee ledger, which
// are signed, have all.
func (l *ledger) has(who string, ucoin int64) int64 {
	if who == upperGrid || who == feeLedger {
		return ucoin
	}
	return min(ucoin, max(l.free[who], 0))
}

// pay pays what the payer has free; the rest becomes debt.
func (l *ledger) pay(from, to string, ucoin int64) (paid, repaid int64) {
	paid = l.has(from, ucoin)
	l.free[from] -= paid
	repaid = l.receive(to, paid)
	l.owe(from, to, ucoin-paid)
	return paid, repaid
}

// payForEnergy is pay in which the guarantee fund pays what the payer lacks, as
// far as its coins and the payer's limit with it go; that is owed to the fund.
func (l *ledger) payForEnergy(from, to string, ucoin int64) (own, guaranteed, repaid int64) {
	own = l.has(from, ucoin)
	l.free[from] -= own
	guaranteed = max(0, min(ucoin-own, l.guarantee-l.owes(from, fund), l.free[fund]))
	l.free[fund] -= guaranteed
	repaid = l.receive(to, own+guaranteed)
	l.owe(from, to, ucoin-own-guaranteed)
	l.owe(from, fund, guaranteed)
	return own, guaranteed, repaid
}

func (l *ledger) hold(who string, ucoin int64) {
	l.free[who] -= ucoin
	l.escrow[who] += ucoin
}

func (l *ledger) release(who string, ucoin int64) (repaid int64) {
	l.escrow[who] -= ucoin
	return l.receive(who, ucoin)
}

// mulDiv is floor(a b / c) of numbers that are not negative.
func mulDiv(a, b, c int64) int64 {
	product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return product.Quo(product, big.NewInt(c)).Int64()
}

// amount is what energy costs at a price per kWh, nothing if it is negative.
func amount(price, wh int64) int64 { return mulDiv(price, max(wh, 0), 1000) }

// arrives is what is left of energy after the loss.
func arrives(wh, lossPPM int64) int64 { return wh - mulDiv(wh, lossPPM, 1_000_000) }
