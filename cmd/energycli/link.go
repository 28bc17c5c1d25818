package main

import (
	"context"
	"fmt"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// link is the way to the chain for one command. It is made on first use, so
// that a mistake in a flag is reported without a node.
type link struct {
	*client.Client
	ctx     context.Context
	options *options
	chainID string
}

func (o *options) link(ctx context.Context) *link { return &link{ctx: ctx, options: o} }

// connect finds a node and asks for the chain's id.
func (l *link) connect() error {
	if l.Client != nil {
		return nil
	}
	found, chainID, err := l.options.chain(l.ctx)
	if err != nil {
		return err
	}
	l.Client, l.chainID = found, chainID
	return nil
}

// reader reads flags with the own keys and the chain's clock at hand.
func (l *link) reader() reader { return reader{keys: l.ownKey, period: l.period} }

func (l *link) ownKey(name string) (client.KeyInfo, error) {
	store, err := l.options.keystore()
	if err != nil {
		return client.KeyInfo{}, err
	}
	return store.Info(name)
}

// spareMs is how long before its gate a period is no longer the next one: an
// order sent that late would hardly arrive.
const spareMs = 1500

// period returns the period that is delivered now, or the next one that takes
// orders.
func (l *link) period(word string) (int64, error) {
	if err := l.connect(); err != nil {
		return 0, err
	}
	periods := new(matchingv1.QueryPeriodsResponse)
	if _, err := l.Query(l.ctx, &matchingv1.QueryPeriodsRequest{}, periods, 0); err != nil {
		return 0, err
	}
	if word == "current" {
		return periods.CurrentPeriod, nil
	}
	for _, open := range periods.Open {
		if open.GateMs-periods.BlockTimeMs >= spareMs {
			return open.Period, nil
		}
	}
	return 0, fmt.Errorf("no period takes orders now")
}
