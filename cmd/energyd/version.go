package main

import (
	"runtime"
	"runtime/debug"

	cometbft "github.com/cometbft/cometbft/version"
	"github.com/spf13/cobra"
)

// versions names what this binary was built from.
type versions struct {
	Energyd  string `json:"energyd"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	CometBFT string `json:"cometbft"`
}

func versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Energyd: "(devel)", Go: runtime.Version(), CometBFT: cometbft.TMCoreSemVer}
			if build, ok := debug.ReadBuildInfo(); ok {
				v.Energyd = build.Main.Version
				for _, setting := range build.Settings {
					if setting.Key == "vcs.revision" {
						v.Revision = setting.Value
					}
				}
			}
			return print(cmd, output, v, []field{{"energyd", v.Energyd}, {"revision", v.Revision}, {"go", v.Go}, {"cometbft", v.CometBFT}})
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
