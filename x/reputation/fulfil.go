package reputation

import (
	"bytes"
	"slices"

	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// maxOfOne is how many of the kept outcomes may stand for one counterparty
// (SPEC 9).
const maxOfOne = 10

const partnerSize = 4

// partner is the beginning of a counterparty's identity. Two that begin alike
// count as one: that happens to one pair in four thousand million, and costs
// somebody a +1, but gains nobody one.
type partner [partnerSize]byte

var nobody partner

// Dealing is what an account did with a counterparty of an identity: Wh traded in a
// period, or ucoin lent.
type Dealing struct {
	With   []byte
	Amount int64
}

// Fulfil records +1 for dealings that went well, if enough of them counts, and
// says whether it did. Nothing counts that was within one identity, or with a
// counterparty that already stands for 10 of the last 100 outcomes, all accounts
// of an identity being one. The +1 stands for the counterparty of which most
// counts, so that a small dealing with a third cannot stand in for a large one.
func Fulfil(ctx *module.Ctx, account protocol.Address, dealings []Dealing, least int64) bool {
	credit := creditOf(ctx.Store, account)
	forgetOldest(credit)
	counted, most, main := int64(0), int64(-1), nobody
	for _, sum := range byPartner(ctx.Store, account, dealings) {
		if standsFor(credit, sum.with) >= maxOfOne {
			continue
		}
		counted += sum.amount // part of a statement's sum, which fits
		if sum.amount > most {
			most, main = sum.amount, sum.with
		}
	}
	if most < 0 || counted < least {
		ctx.Emit(&reputationv1.OutcomeWithheld{Account: account.Bytes(), Counted: counted})
		return false
	}
	record(ctx, credit, Fulfilled, main)
	return true
}

// dealt is what an account did with all accounts of a counterparty.
type dealt struct {
	with   partner
	amount int64
}

// byPartner adds dealings up by counterparty, in the order of these; those within
// the account's identity are left out.
func byPartner(r state.Reader, account protocol.Address, dealings []Dealing) []dealt {
	own := registry.IdentityOf(r, account)
	all := make([]dealt, 0, len(dealings))
	for _, d := range dealings {
		if !bytes.Equal(d.With, own) {
			all = append(all, dealt{partnerOf(d.With), d.Amount})
		}
	}
	slices.SortStableFunc(all, func(a, b dealt) int { return bytes.Compare(a.with[:], b.with[:]) })
	sums := all[:0]
	for _, d := range all {
		if n := len(sums); n > 0 && sums[n-1].with == d.with {
			sums[n-1].amount += d.amount
			continue
		}
		sums = append(sums, d)
	}
	return sums
}

// partnerOf is never nobody.
func partnerOf(identity []byte) partner {
	var with partner
	if copy(with[:], identity); with == nobody {
		with[partnerSize-1] = 1
	}
	return with
}

// standsFor counts the outcomes that stand for a counterparty.
func standsFor(credit *reputationv1.Credit, with partner) (count int) {
	for at := range slices.Chunk(credit.Partners, partnerSize) {
		if partner(at) == with {
			count++
		}
	}
	return count
}
