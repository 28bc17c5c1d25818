package simulation

// conduct is how an account behaved (SPEC 9) and what followed from it.
type conduct struct {
	initial  int64
	outcomes []outcome
	// frozenBy is "" if it is active.
	frozenBy cause
	// violatedIn is the latest period for which the chain froze it, readAgain that
	// measured registers of a later one came.
	violatedIn int64
	readAgain  bool
}

// outcome is one of those that the credit value is folded of, and the member, or
// the operator, that a +1 stands for.
type outcome struct {
	change int64
	with   string
}

type cause string

const (
	byAuthority   cause = "the authority"
	forViolations cause = "violations"
)

// value folds the last 100 outcomes in order, clamped at each step.
func (c *conduct) value() int64 {
	value := c.initial
	for _, outcome := range c.last(100) {
		value = min(max(value+outcome.change, 0), 100)
	}
	return value
}

func (c *conduct) last(n int) []outcome { return c.outcomes[max(0, len(c.outcomes)-n):] }

// violations counts those among the last outcomes.
func (c *conduct) violations(last int64) (count int64) {
	for _, outcome := range c.last(int(last)) {
		if outcome.change < 0 {
			count++
		}
	}
	return count
}

func (c *conduct) violate() { c.outcomes = append(c.outcomes, outcome{-10, ""}) }

// fulfil records +1 for what was dealt with each counterparty, and says whether it
// did: at most 10 of the last 100 outcomes stand for one, and what was dealt with
// one that stands for so many does not count. What counts must be somebody's and
// no less than least; the +1 stands for whom most of it was dealt with.
func (m *model) fulfil(name string, dealt map[string]int64, least int64) bool {
	c, counted, main := m.conduct[name], int64(0), ""
	for _, with := range m.byIdentity {
		amount, ok := dealt[with]
		if !ok || c.standFor(with) >= 10 {
			continue
		}
		counted += amount
		if main == "" || amount > dealt[main] {
			main = with
		}
	}
	if main == "" || counted < least {
		return false
	}
	c.outcomes = append(c.outcomes, outcome{+1, main})
	return true
}

// standFor counts the outcomes that stand for a counterparty, of those that one
// more leaves.
func (c *conduct) standFor(with string) (count int) {
	for _, outcome := range c.last(99) {
		if outcome.with == with {
			count++
		}
	}
	return count
}
