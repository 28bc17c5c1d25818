package app_test

import (
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit"
)

// The engine stops for good at an update that does not fit its set, such as
// removing a validator that it does not have.
func TestValidatorUpdatesFitTheEngine(t *testing.T) {
	second := testkit.NewKey("second aggregator")
	address := second.Address()
	account := &registryv1.Account{
		Identity: make([]byte, 32), UserType: "aggregator", Roles: []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR},
		Keys: [][]byte{second.Public()}, ValidatorKey: testkit.NewKey("second validator").Public(), ValidatorPower: 5,
	}
	power := func(p int64) *registryv1.MsgSetValidator {
		return &registryv1.MsgSetValidator{Account: address[:], ValidatorPower: p}
	}
	approve := &registryv1.MsgApprove{Account: address[:]}
	t.Run("removed twice", func(t *testing.T) {
		c := testkit.New(t, nil)
		c.Must(time.Second, c.Propose(&registryv1.MsgApply{Application: account}, approve))
		c.Must(time.Second, c.Propose(power(0)))
		c.Must(time.Second, c.Propose(power(0)))
		c.Must(time.Second, c.Propose(power(7)), c.Propose(power(7)))
		c.Must(time.Second, c.Propose(power(0)), c.Propose(power(7)))
	})
	t.Run("approved and removed in one block", func(t *testing.T) {
		c := testkit.New(t, nil)
		c.Must(time.Second, c.Propose(&registryv1.MsgApply{Application: account}, approve, power(0)))
	})
	t.Run("approved and revoked in one block", func(t *testing.T) {
		c := testkit.New(t, nil)
		c.Must(time.Second, c.Propose(&registryv1.MsgApply{Application: account}, approve, &registryv1.MsgRevoke{Account: address[:], Reason: "test"}))
	})
	t.Run("in genesis", func(t *testing.T) {
		c := testkit.New(t, func(g *app.Genesis) { g.Registry.Accounts[0].ValidatorPower = 9 })
		c.Must(time.Second, c.Propose(&registryv1.MsgSetValidator{Account: g0(c), ValidatorPower: 9}))
	})
}

func g0(c *testkit.Chain) []byte {
	address := c.Aggregator.Address()
	return address[:]
}
