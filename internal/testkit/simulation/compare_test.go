package simulation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// compareMoney compares balance, escrow and debts of an account.
func (s *simulation) compareMoney(name string) error {
	account := protocol.Address(accountOf(name))
	balance := bank.BalanceOf(s.Store, account)
	errs := errors.Join(expect(name+" has free", balance.FreeUcoin, s.model.free[name]), expect(name+" has in escrow", balance.EscrowUcoin, s.model.escrow[name]),
		expect(name+" is exposed by", balance.ExposedUcoin, s.model.exposed[name]))
	want := s.model.debts[name]
	if err := expect(name+" owes", bank.DebtOf(s.Store, account), s.model.owes(name, "")); err != nil || len(want) == 0 {
		return errors.Join(errs, err)
	}
	answer, err := market.Query[*bankv1.QueryDebtsResponse](s.Market, &bankv1.QueryDebtsRequest{Debtor: account[:]})
	if err != nil {
		return err
	}
	same := slices.EqualFunc(answer.Debts, want, func(got *bankv1.Debt, want debt) bool {
		return string(got.Creditor) == string(accountOf(want.to)) && got.AmountUcoin == want.ucoin
	})
	if !same {
		errs = errors.Join(errs, fmt.Errorf("debts of %s: got %v, want %v", name, answer.Debts, want))
	}
	return errs
}

// compareConduct compares an account's credit value and whether it is frozen for
// what.
func (s *simulation) compareConduct(name string) error {
	account, c := market.Address(name), s.model.conduct[name]
	got, is := cause(""), registered(s, name)
	if is.Status == registryv1.Status_STATUS_FROZEN {
		if got = byAuthority; is.FreezeCause == registryv1.FreezeCause_FREEZE_CAUSE_VIOLATIONS {
			got = forViolations
		}
	}
	return errors.Join(expect("credit value of "+name, reputation.ValueOf(s.Store, account), c.value()), expect(name+" is frozen for", got, c.frozenBy))
}

func registered(s *simulation, name string) *registryv1.Account {
	account, _ := registry.AccountOf(s.Store, market.Address(name))
	return account
}

func (s *simulation) compareLoans(name string) error {
	var got []loan
	for l := range credit.LoansOf(s.Store, market.Address(name)) {
		got = append(got, loan{name, l.Period, l.RatePpm, l.DuePeriod, l.LentUcoin, l.PrincipalUcoin, l.InterestUcoin, l.Late})
	}
	var want []loan
	for _, l := range s.model.loans[name] {
		want = append(want, *l)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("loans of %s: got %v, want %v", name, got, want)
	}
	return nil
}

// compareSettlement compares what settlement made in the block.
func (s *simulation) compareSettlement() error {
	var made []*settlementv1.Statement
	for _, event := range market.Happened[*settlementv1.StatementMade](s.Market) {
		made = append(made, event.Statement)
	}
	want := slices.Clone(s.model.made)
	for _, statement := range want {
		if statement.Version == 1 { // its trades are told one by one
			statement.Trades = nil
		}
	}
	var trades []*settlementv1.Trade
	for _, event := range market.Happened[*settlementv1.Settled](s.Market) {
		trades = append(trades, event.Trade)
	}
	var roots []*settlementv1.StatementsRoot
	for _, event := range market.Happened[*settlementv1.PeriodSettled](s.Market) {
		roots = append(roots, event.Root)
	}
	for _, failed := range market.Happened[*settlementv1.SettlementFailed](s.Market) {
		return fmt.Errorf("failed: %v", failed)
	}
	for _, failed := range market.Happened[*settlementv1.CorrectionFailed](s.Market) {
		return fmt.Errorf("failed: %v", failed)
	}
	return errors.Join(
		difference("trades", trades, s.model.settled, func(t *settlementv1.Trade) string { return string(t.Match) }),
		difference("statements", made, want, func(s *settlementv1.Statement) string {
			return fmt.Sprintf("%x %d %9d", s.Account, s.Period, s.Version)
		}),
		difference("roots", roots, s.model.roots, func(r *settlementv1.StatementsRoot) string { return fmt.Sprint(r.Period, " ", r.Version) }),
	)
}

// difference compares what was made in a block, whatever the order.
func difference[M proto.Message](what string, got, want []M, name func(M) string) error {
	for _, list := range []*[]M{&got, &want} {
		*list = slices.Clone(*list)
		slices.SortFunc(*list, func(a, b M) int { return cmp.Compare(name(a), name(b)) })
	}
	if err := expect("number of "+what, len(got), len(want)); err != nil {
		return err
	}
	for i := range got {
		if !proto.Equal(got[i], want[i]) {
			return fmt.Errorf("%s:\n got %v\nwant %v", what, got[i], want[i])
		}
	}
	return nil
}

// happened counts the changes of status for a reason.
func happened(s *simulation, reason string) (count int64) {
	for _, event := range market.Happened[*registryv1.StatusChanged](s.Market) {
		if event.Reason == reason {
			count++
		}
	}
	return count
}
