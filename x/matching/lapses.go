package matching

import (
	"math/bits"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// olderBits are the bits of Lapses.older: with the 64 recent ones 100 pre-matches.
const olderBits = 100 - 64

// answered counts a pre-match for which an account's signature was asked: signed
// or vetoed, or left to lapse. Who never let one lapse has no record, so that
// signing costs nothing.
func answered(ctx *module.Ctx, account []byte, lapsed bool) {
	key := lapsesKey(account)
	record, known := lapses.Get(ctx.Store, key)
	if !known {
		if !lapsed {
			return
		}
		record = &matchingv1.Lapses{Account: account}
	}
	record.Older = (record.Older<<1 | record.Recent>>63) & (1<<olderBits - 1)
	record.Recent <<= 1
	if lapsed {
		record.Recent |= 1
	}
	if record.Recent|record.Older == 0 {
		lapses.Delete(ctx.Store, key)
		return
	}
	lapses.Set(ctx.Store, key, record)
}

// lapsesOf counts an account's lapses in its last 100 pre-matches.
func lapsesOf(r state.Reader, account []byte) int64 {
	record, _ := lapses.Get(r, lapsesKey(account))
	return int64(bits.OnesCount64(record.GetRecent()) + bits.OnesCount64(record.GetOlder()))
}

func lapsesKey(account []byte) state.Key { return lapses.Key().Bytes(account) }

// checkConsent refuses an order without a standing consent from an account that
// let too many pre-matches lapse (SPEC 5).
func (e *entry) checkConsent(r state.Reader) error {
	if e.terms.consent.GetStanding() {
		return nil
	}
	if n := lapsesOf(r, e.presence.Account); n > e.params.LapseLimit {
		return ErrConsentRequired.With("consent.standing: expected true, as the account let %d of its last 100 pre-matches lapse, more than %d", n, e.params.LapseLimit)
	}
	return nil
}

func queryLapses(ctx module.QueryCtx, q *matchingv1.QueryLapsesRequest) (*matchingv1.QueryLapsesResponse, error) {
	if err := checkAccount(q.Account); err != nil || len(q.Account) == 0 {
		return nil, ErrMalformed.With("account: expected an address, got %x", q.Account)
	}
	n, limit := lapsesOf(ctx.Store, q.Account), registry.ParamsNow(ctx.Store, ctx.TimeMs).LapseLimit
	return &matchingv1.QueryLapsesResponse{Lapses: n, Limit: limit, ConsentRequired: n > limit}, nil
}
