package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
)

// replaceCommand cancels an order and places another in one envelope: either
// both happen or none.
func replaceCommand(o *options) *cobra.Command {
	sell, buy := leaves((&matchingv1.MsgPlaceSell{}).ProtoReflect().Descriptor()), leaves((&matchingv1.MsgPlaceBuy{}).ProtoReflect().Descriptor())
	var order string
	cmd := &cobra.Command{
		Use: "replace --order ID --period PERIOD", Short: "Cancel an order and place a changed one, both or none", Args: noArguments,
		Long: `Cancel an order and place a changed one in a single transaction. What no flag
names stays as it is in the old order.`,
		Example: "  energycli tx replace --from alice --order 0123... --period 2026-01-31T12:00:00Z --price 0.48",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			cancel := new(matchingv1.MsgCancel)
			place, all, err := l.ordered(cmd, order, cancel)
			if err != nil {
				return err
			}
			for _, other := range append(sell, buy...) {
				if flag := cmd.Flags().Lookup(other.flag); flag.Changed && !hasFlag(all, other.flag) {
					return usage("--%s: expected only flags that fit the order", other.flag)
				}
			}
			if _, err := l.reader().apply(cmd.Flags(), all, place); err != nil {
				return err
			}
			return o.send(cmd, l, cancel, place)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&order, "order", "", "id of the order, 32 hexadecimal digits")
	registerLeaves(cmd.Flags(), sell)
	registerLeaves(cmd.Flags(), buy)
	return cmd
}

func hasFlag(all []leaf, flag string) bool {
	for _, l := range all {
		if l.flag == flag {
			return true
		}
	}
	return false
}

// ordered fills the cancel and returns a copy of the order, and the fields that
// may be changed in it.
func (l *link) ordered(cmd *cobra.Command, order string, cancel *matchingv1.MsgCancel) (proto.Message, []leaf, error) {
	for _, field := range leaves(cancel.ProtoReflect().Descriptor()) {
		flag := cmd.Flags().Lookup(field.flag)
		if !flag.Changed {
			return nil, nil, usage("--%s: expected it, to know which order to replace", field.flag)
		}
		if err := l.reader().set(field, flag.Value.String(), cancel); err != nil {
			return nil, nil, err
		}
	}
	account, err := l.account()
	if err != nil {
		return nil, nil, err
	}
	orders := new(matchingv1.QueryOrdersResponse)
	if _, err := l.Query(l.ctx, &matchingv1.QueryOrdersRequest{Period: cancel.Period, Account: account}, orders, 0); err != nil {
		return nil, nil, err
	}
	for _, s := range orders.Sells {
		if string(s.Id) == string(cancel.Order) {
			place := new(matchingv1.MsgPlaceSell)
			return place, copyFields(s, place), nil
		}
	}
	for _, b := range orders.Buys {
		if string(b.Id) == string(cancel.Order) {
			place := new(matchingv1.MsgPlaceBuy)
			return place, copyFields(b, place), nil
		}
	}
	return nil, nil, fmt.Errorf("order %s in that period: %w", order, errNotFound)
}

// account returns the account whose key --from names.
func (l *link) account() ([]byte, error) {
	if l.options.from == "" {
		return nil, usage("--from: expected the name of the key that signs, see energycli keys list")
	}
	info, err := l.ownKey(l.options.from)
	if err != nil {
		return nil, err
	}
	if err := l.connect(); err != nil {
		return nil, err
	}
	answer := new(registryv1.QueryKeyResponse)
	if _, err := l.Query(l.ctx, &registryv1.QueryKeyRequest{Key: info.Public}, answer, 0); err != nil {
		return nil, err
	}
	return answer.Owner.GetAccount(), nil
}

// copyFields copies what an order and the message that places one have in
// common, and returns the message's flags.
func copyFields(order, place proto.Message) []leaf {
	from, to := order.ProtoReflect(), place.ProtoReflect()
	for i := range to.Descriptor().Fields().Len() {
		field := to.Descriptor().Fields().Get(i)
		if same := from.Descriptor().Fields().ByName(field.Name()); same != nil && from.Has(same) {
			to.Set(field, clone(from.Get(same)))
		}
	}
	return leaves(to.Descriptor())
}

// clone lets the copy be changed without the original.
func clone(value protoreflect.Value) protoreflect.Value {
	if m, ok := value.Interface().(protoreflect.Message); ok {
		return protoreflect.ValueOfMessage(proto.Clone(m.Interface()).ProtoReflect())
	}
	return value
}
