package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// origin is what a package says of where it comes from.
type origin struct {
	version string
	// at is the time of every file in it, so that the same sources make the same
	// bytes: SOURCE_DATE_EPOCH, else the commit's.
	at time.Time
	// maintainer is who answers for the package: NAME <ADDRESS>.
	maintainer string
}

// debianVersion is an upstream version without a revision (Debian Policy 5.6.12).
var debianVersion = regexp.MustCompile(`^([0-9]+:)?[0-9][0-9A-Za-z.+~]*$`)

// findOrigin returns the version given, else that of the commit: its tag v1.2.3,
// or 0~ with the commit's time and name, which is below every release.
func findOrigin(version string) (origin, error) {
	if version != "" && !debianVersion.MatchString(version) {
		return origin{}, fmt.Errorf("-version: expected a Debian version like 1.2.3, got %q", version)
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		var err error
		if seconds, err = git("show", "--no-patch", "--format=%ct", "HEAD"); err != nil {
			return origin{}, fmt.Errorf("without git give -version and SOURCE_DATE_EPOCH: %w", err)
		}
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return origin{}, fmt.Errorf("SOURCE_DATE_EPOCH: expected seconds, got %q", seconds)
	}
	made := origin{version: version, at: time.Unix(unix, 0).UTC()}
	if version != "" {
		return made, nil
	}
	if tag, err := git("describe", "--tags", "--exact-match", "--match", "v[0-9]*"); err == nil {
		made.version = strings.ReplaceAll(strings.TrimPrefix(tag, "v"), "-", "~")
		return made, nil
	}
	commit, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return origin{}, fmt.Errorf("without git give -version: %w", err)
	}
	made.version = "0~" + made.at.Format("20060102150405") + "+" + commit
	return made, nil
}

func git(arguments ...string) (string, error) {
	out, err := exec.Command("git", arguments...).Output()
	return strings.TrimSpace(string(out)), err
}

// copyright returns the licences of the project and of every module in a binary,
// which all demand to go with it.
func copyright(binary string) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	out := fmt.Appendf(nil, "energymeter of %s, Apache License 2.0. It contains modules of others;\ntheir licences follow.\n\n%s", info.Main.Path, own)
	for _, module := range info.Deps {
		folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module.Path).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module.Path, err)
		}
		licences, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(folder)), "LICEN[CS]E*"))
		if err != nil || len(licences) == 0 {
			return nil, fmt.Errorf("%s: no licence found", module.Path)
		}
		slices.Sort(licences)
		for _, name := range licences {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			out = fmt.Appendf(out, "\n\n%s %s\n%s\n\n%s", module.Path, module.Version, filepath.Base(name), text)
		}
	}
	return out, nil
}
