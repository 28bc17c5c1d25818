package main

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"os"
	"time"
)

// debian holds the scripts that dpkg runs.
//
//go:embed debian
var debian embed.FS

// writePackage packs a binary with its unit, configuration and licences. The
// configuration can only be read by the gateway's group: postinst sets it.
func writePackage(file, binary, arch string, made origin) error {
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	unit, err := os.ReadFile("cmd/energymeter/energymeter.service")
	if err != nil {
		return err
	}
	config, err := os.ReadFile("cmd/energymeter/energymeter.yaml")
	if err != nil {
		return err
	}
	licences, err := copyright(binary)
	if err != nil {
		return err
	}
	changes, err := compressed(fmt.Appendf(nil, "energymeter (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md of the sources.\n\n -- %s  %s\n",
		made.version, made.maintainer, made.at.Format(time.RFC1123Z)))
	if err != nil {
		return err
	}
	files := []entry{
		{name: "/etc/energymeter/energymeter.yaml", mode: 0o640, data: config, conffile: true},
		{name: "/usr/bin/energymeter", mode: 0o755, data: program},
		{name: "/usr/lib/systemd/system/energymeter.service", mode: 0o644, data: unit},
		{name: "/usr/share/doc/energymeter/changelog.gz", mode: 0o644, data: changes},
		{name: "/usr/share/doc/energymeter/copyright", mode: 0o644, data: licences},
	}
	scripts := map[string]string{}
	for _, name := range []string{"postinst", "prerm", "postrm"} {
		script, err := debian.ReadFile("debian/" + name)
		if err != nil {
			return err
		}
		scripts[name] = string(script)
	}
	data, err := deb(control(arch, made, files), scripts, files, made.at)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// control returns the package's description. The binary is static: it depends on
// nothing but what the scripts call.
func control(arch string, made origin, files []entry) string {
	var installed int
	for _, f := range files {
		installed += (len(f.data) + 1023) / 1024
	}
	return fmt.Sprintf(`Package: energymeter
Version: %s
Architecture: %s
Maintainer: %s
Installed-Size: %d
Depends: adduser
Section: net
Priority: optional
Description: gateway between meters and an energy market
 Reads meters over Modbus TCP, RTU and RTU over TCP, SunSpec, MQTT and CSV,
 signs their readings and brings them on the chain of an energyd market.
 Readings wait on disk until a block holds them.
`, made.version, arch, made.maintainer, installed)
}

func compressed(data []byte) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zip.Write(data); err != nil {
		return nil, err
	}
	err = zip.Close()
	return out.Bytes(), err
}
