package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// watchEvery is how often watch looks for a new block.
const watchEvery = 100 * time.Millisecond

// watcher prints the events of one block after the other.
type watcher struct {
	*options
	cmd     *cobra.Command
	account []byte
	period  int64
	any     bool // any period
}

func watchCommand(o *options) *cobra.Command {
	all := leaves((&matchingv1.QueryMatchesRequest{}).ProtoReflect().Descriptor())
	cmd := &cobra.Command{
		Use: "watch", Short: "Follow the chain and print its events", Args: noArguments,
		Long: `Follow the chain from the latest block, or from --height, and print its events,
one a line, until Ctrl-C. A node that goes away is waited for.`,
		Example: "  energycli watch --account alice\n  energycli watch --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			filter := new(matchingv1.QueryMatchesRequest)
			if _, err := l.reader().apply(cmd.Flags(), all, filter); err != nil {
				return err
			}
			if err := l.connect(); err != nil {
				return err
			}
			w := &watcher{options: o, cmd: cmd, account: filter.Account, period: filter.Period, any: !cmd.Flags().Changed("period")}
			return w.follow(l)
		},
	}
	registerLeaves(cmd.Flags(), all)
	return cmd
}

// follow prints blocks until the context ends.
func (w *watcher) follow(l *link) error {
	next := w.height
	lost := false
	for {
		head, err := l.Height(l.ctx)
		if err == nil && next == 0 {
			next = head
		}
		for ; err == nil && next <= head; next++ {
			var block *client.Block
			if block, err = l.Block(l.ctx, next); err != nil {
				break
			}
			if err := w.print(block); err != nil {
				return err
			}
		}
		if l.ctx.Err() != nil {
			return nil
		}
		// A node that answers, but not yet with the newest block's results, is
		// asked again without a word.
		unreachable := errors.Is(err, client.ErrUnreachable)
		if unreachable && !lost && !w.quiet {
			fmt.Fprintln(w.cmd.ErrOrStderr(), "no node answers, waiting")
		}
		lost = unreachable
		if !pause(l.ctx, watchEvery) {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// print prints the events of a block, those of its transactions first.
func (w *watcher) print(block *client.Block) error {
	var all []proto.Message
	for i, result := range block.Results {
		if result.Code != 0 && w.account == nil && w.any && !w.json() {
			tx, err := openTx(block, i)
			if err != nil {
				return err
			}
			if err := w.write(block, text.FgRed.Sprint("failed")+" "+tx.Hash+": "+result.Log); err != nil {
				return err
			}
		}
		events, err := client.DecodeEvents(result.Events)
		if err != nil {
			return err
		}
		all = append(all, events...)
	}
	events, err := client.DecodeEvents(block.Events)
	if err != nil {
		return err
	}
	for _, event := range append(all, events...) {
		if !w.wanted(event) {
			continue
		}
		if err := w.printEvent(block, event); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) printEvent(block *client.Block, event proto.Message) error {
	if !w.json() {
		return w.write(block, describeMessage(event))
	}
	list, err := eventsJSON([]proto.Message{event})
	if err != nil {
		return err
	}
	data, err := json.Marshal(struct {
		Height int64 `json:"height"`
		TimeMs int64 `json:"time_ms"`
		eventJSON
	}{block.Height, block.TimeMs, list[0]})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.cmd.OutOrStdout(), "%s\n", data)
	return err
}

func (w *watcher) write(block *client.Block, what string) error {
	at := time.UnixMilli(block.TimeMs).UTC().Format("15:04:05.000Z")
	_, err := fmt.Fprintf(w.cmd.OutOrStdout(), "%s %s %s\n", text.Faint.Sprint(at), text.Faint.Sprint(block.Height), what)
	return err
}

// wanted says whether an event is of the account and period that are watched.
func (w *watcher) wanted(event proto.Message) bool {
	return (w.account == nil || mentions(event.ProtoReflect(), func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		return field.Kind() == protoreflect.BytesKind && string(value.Bytes()) == string(w.account)
	})) && (w.any || mentions(event.ProtoReflect(), func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		return isPeriod(field) && value.Int() == w.period
	}))
}
