package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/energyd/energyd/client"
)

// options are the flags that all commands share.
type options struct {
	home, node, chainID, from, output string
	passphraseFile                    string
	passphraseFD                      int
	dryRun, wait, yes, quiet, noColor bool
	height, limit                     int64
	timeout                           time.Duration
}

// newRoot returns the whole command line; lookup reads the environment.
func newRoot(lookup func(string) (string, bool)) *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "energycli",
		Short: "Client of an energy market that settles by consensus",
		Long: `Energycli keeps keys, sends transactions, asks nodes and checks bills.
Energies are in kWh, money in coins. Every flag can also be given in the
environment as ENERGYD_ and its name, --chain-id as ENERGYD_CHAIN_ID.`,
		Args:          noArguments,
		RunE:          showHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return o.prepare(cmd, lookup)
		},
	}
	o.register(root.PersistentFlags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	root.AddCommand(keysCommand(o), txCommand(o), proposeCommand(o), approveCommand(o), queryCommand(o), watchCommand(o), auditCommand(o),
		billCommand(o), readingCommand(o), verifyCommand(o), marketCommand(), settlementCommand(), creditCommand())
	return root
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func (o *options) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.home, "home", defaultHome(), "folder whose keys folder is the keystore")
	flags.StringVar(&o.node, "node", "tcp://127.0.0.1:26657", "RPC addresses of nodes, comma-separated; the next is asked when one fails")
	flags.StringVar(&o.chainID, "chain-id", "", "chain to sign for (default: asked of the node)")
	flags.StringVar(&o.from, "from", "", "name of the key that signs")
	flags.StringVar(&o.output, "output", "text", "text or json")
	flags.StringVar(&o.passphraseFile, "passphrase-file", "", "file whose first line is the passphrase")
	flags.IntVar(&o.passphraseFD, "passphrase-fd", -1, "open file descriptor whose first line is the passphrase")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the envelope, unsigned, and send nothing")
	flags.BoolVar(&o.wait, "wait", true, "wait until a block holds the transaction")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait")
	flags.BoolVar(&o.yes, "yes", false, "do not ask for confirmation")
	flags.Int64Var(&o.height, "height", 0, "height of the state or block that is asked for (default: the latest)")
	flags.Int64Var(&o.limit, "limit", 0, "how many items or blocks at most (default: what the command suits)")
	flags.BoolVar(&o.quiet, "quiet", false, "print only the result, no remarks")
	flags.BoolVar(&o.noColor, "no-color", false, "no colours; as does the variable NO_COLOR")
}

func defaultHome() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return filepath.Join(dir, ".energyd", "cli")
	}
	return filepath.Join(".energyd", "cli")
}

// prepare completes the flags from the environment and checks them.
func (o *options) prepare(cmd *cobra.Command, lookup func(string) (string, bool)) error {
	if err := flagsFromEnv(cmd, lookup); err != nil {
		return err
	}
	if o.output != "text" && o.output != "json" {
		return usage("--output: expected text or json, got %q", o.output)
	}
	if o.height < 0 {
		return usage("--height: expected 0 or more, got %d", o.height)
	}
	if o.limit < 0 {
		return usage("--limit: expected 0 or more, got %d", o.limit)
	}
	if o.timeout <= 0 {
		return usage("--timeout: expected a duration above 0, got %v", o.timeout)
	}
	_, noColor := lookup("NO_COLOR")
	if out, ok := cmd.OutOrStdout().(*os.File); o.noColor || noColor || !ok || !term.IsTerminal(int(out.Fd())) {
		text.DisableColors()
	}
	return nil
}

// flagsFromEnv sets each flag that the command line left out from the variable
// ENERGYD_<FLAG>, with _ for - and dots.
func flagsFromEnv(cmd *cobra.Command, lookup func(string) (string, bool)) error {
	flags := cmd.Flags()
	// The period --from of a bill is not the key --from of all commands.
	shadows := func(flag *pflag.Flag) bool {
		shared := cmd.Root().PersistentFlags().Lookup(flag.Name)
		return shared != nil && shared != flag
	}
	var first error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := "ENERGYD_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(flag.Name))
		value, set := lookup(name)
		if first != nil || flag.Changed || !set || shadows(flag) {
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			first = usage("%s=%q: %w", name, value, flagError(err))
		}
	})
	return first
}

// nodes returns a client of the nodes that --node names.
func (o *options) nodes() (*client.Client, error) {
	for address := range strings.SplitSeq(o.node, ",") {
		if err := client.CheckAddress(strings.TrimSpace(address)); err != nil {
			return nil, usage("--node: %w", err)
		}
	}
	c, err := client.New(o.node)
	if err != nil {
		return nil, usage("--node: %w", err)
	}
	return c, nil
}

// chain returns a client whose node has caught up, and the chain's id.
func (o *options) chain(ctx context.Context) (*client.Client, string, error) {
	c, err := o.nodes()
	if err != nil {
		return nil, "", err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, "", err
	}
	if status.CatchingUp {
		return nil, "", fmt.Errorf("%w, at height %d", errSyncing, status.Height)
	}
	if id := status.ChainID; o.chainID != "" && o.chainID != id {
		return nil, "", usage("--chain-id: the node is of chain %s, got %s", id, o.chainID)
	}
	return c, status.ChainID, nil
}

// keystore opens the keystore in --home.
func (o *options) keystore() (*client.Keystore, error) {
	if o.home == "" {
		return nil, usage("--home: expected a folder")
	}
	return client.OpenKeystore(filepath.Join(o.home, "keys"))
}

// json says whether the output is for programs.
func (o *options) json() bool { return o.output == "json" }
