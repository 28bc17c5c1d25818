package simulation

// conduct is how an account behaved (SPEC 9) and what followed from it.
type conduct struct {
	initial  int64
	outcomes []int64
	// frozenBy is "" if it is active.
	frozenBy cause
	// violatedIn is the latest period for which the chain froze it, readAgain that
	// measured registers of a later one came.
	violatedIn int64
	readAgain  bool
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
		value = min(max(value+outcome, 0), 100)
	}
	return value
}

func (c *conduct) last(n int) []int64 { return c.outcomes[max(0, len(c.outcomes)-n):] }

// violations counts those among the last outcomes.
func (c *conduct) violations(last int64) (count int64) {
	for _, outcome := range c.last(int(last)) {
		if outcome < 0 {
			count++
		}
	}
	return count
}
