// Command release builds energymeter for the machines that gateways are, checks
// that each binary is static and small enough, and packs it for Debian. It needs
// Go and git only; make cross and make deb run it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxBytes is the most that a stripped binary may have: 20 MB. Gateways are small
// machines with small disks, often updated over mobile networks.
const maxBytes = 20_000_000

// architecture is a kind of machine by Debian's name.
type architecture struct {
	name string
	env  []string
}

// architectures are those of gateways. armhf is built for ARMv6 so that one binary
// runs on a Raspberry Pi Zero as well as on what Debian calls armhf, ARMv7.
var architectures = []architecture{
	{"amd64", []string{"GOARCH=amd64"}},
	{"arm64", []string{"GOARCH=arm64"}},
	{"armhf", []string{"GOARCH=arm", "GOARM=6"}},
	{"riscv64", []string{"GOARCH=riscv64"}},
}

func main() {
	packages := flag.Bool("deb", false, "write Debian packages, too")
	out := flag.String("out", "build/release", "folder for what is built")
	stamp := flag.String("version", "", "Debian version of the packages (default: from git)")
	maintainer := flag.String("maintainer", "energyd <root@localhost>", "who answers for the packages")
	flag.Parse()
	if err := run(*out, *stamp, *maintainer, *packages); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(out, stamp, maintainer string, packages bool) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var made origin
	if packages {
		var err error
		if made, err = findOrigin(stamp); err != nil {
			return err
		}
		made.maintainer = maintainer
	}
	for _, a := range architectures {
		binary := filepath.Join(out, "energymeter-"+a.name)
		if err := build(binary, a.env); err != nil {
			return err
		}
		size, err := check(binary)
		if err != nil {
			return err
		}
		fmt.Printf("%s: static, %.1f MB\n", binary, float64(size)/1e6)
		if !packages {
			continue
		}
		file := filepath.Join(out, fmt.Sprintf("energymeter_%s_%s.deb", fileVersion(made.version), a.name))
		if err := writePackage(file, binary, a.name, made); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Println(file)
	}
	return nil
}

// fileVersion is a version as it stands in a file's name: without the epoch.
func fileVersion(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		return rest
	}
	return version
}
