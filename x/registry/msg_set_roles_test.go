package registry

import (
	"slices"
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func TestSetRoles(t *testing.T) {
	const (
		aggregates = registryv1.Role_ROLE_AGGREGATOR
		trades     = registryv1.Role_ROLE_PROSUMER
		carries    = registryv1.Role_ROLE_GATEWAY
		audits     = registryv1.Role_ROLE_AUDITOR
	)
	tests := []struct {
		name, account string
		roles         []registryv1.Role
		want          *module.Error
	}{
		{"auditor too", "alice", []registryv1.Role{audits, trades}, nil},
		{"prosumer no more", "alice", []registryv1.Role{audits}, nil},
		{"no roles", "alice", nil, ErrInvalidField},
		{"authority", "alice", []registryv1.Role{registryv1.Role_ROLE_AUTHORITY}, ErrInvalidField},
		{"aggregator by the way", "alice", []registryv1.Role{aggregates, trades}, ErrRoleConflict},
		{"aggregator no more", "agg0", []registryv1.Role{audits}, ErrRoleConflict},
		{"gateway by the way", "alice", []registryv1.Role{carries}, ErrRoleConflict},
		{"gateway no more", "gw0", []registryv1.Role{audits}, ErrRoleConflict},
		{"prosumer without connection", "agg0", []registryv1.Role{aggregates, trades}, ErrInvalidField},
		{"unknown", "nobody", []registryv1.Role{trades}, ErrUnknownAccount},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			err := w.authority(&registryv1.MsgSetRoles{Account: address(test.account), Roles: test.roles})
			if test.want != nil {
				w.refused(err, test.want)
				return
			}
			w.must(err)
			slices.Sort(test.roles)
			if got := w.account(test.account).Roles; !slices.Equal(got, test.roles) {
				t.Errorf("got %v, want %v", got, test.roles)
			}
		})
	}
}
