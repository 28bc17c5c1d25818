package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var testOrigin = origin{version: "1.2.3", at: time.Unix(1_700_000_000, 0).UTC(), maintainer: "M <m@localhost>"}

func testPackage(t *testing.T) []byte {
	t.Helper()
	files := []entry{
		{name: "/usr/bin/energymeter", mode: 0o755, data: []byte("program")},
		{name: "/etc/energymeter/energymeter.yaml", mode: 0o640, data: []byte("odd"), conffile: true},
	}
	data, err := deb(control("arm64", testOrigin, files), map[string]string{"postrm": "#!/bin/sh\n"}, files, testOrigin.at)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// members reads an ar archive.
func members(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	rest, ok := bytes.CutPrefix(data, []byte("!<arch>\n"))
	if !ok {
		t.Fatalf("not an ar archive: %q", data[:20])
	}
	found := map[string][]byte{}
	for len(rest) > 0 {
		header := string(rest[:60])
		size, err := strconv.Atoi(strings.TrimSpace(header[48:58]))
		if err != nil || header[58:] != "`\n" {
			t.Fatalf("header %q: %v", header, err)
		}
		found[strings.TrimSpace(header[:16])] = rest[60 : 60+size]
		rest = rest[60+size+size%2:]
	}
	return found
}

// untar reads a tarball's files; a folder ends in a slash and is empty.
func untar(t *testing.T, data []byte) (files map[string]string, modes map[string]int64) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files, modes = map[string]string{}, map[string]int64{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, modes
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(testOrigin.at) {
			t.Errorf("%s: owner %d:%d, time %v", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		files[header.Name], modes[header.Name] = string(text), header.Mode
	}
}

func TestPackage(t *testing.T) {
	data := testPackage(t)
	if !bytes.Equal(data, testPackage(t)) {
		t.Error("the same files make other bytes")
	}
	parts := members(t, data)
	if string(parts["debian-binary"]) != "2.0\n" || len(parts) != 3 {
		t.Fatalf("%d members, version %q", len(parts), parts["debian-binary"])
	}
	files, modes := untar(t, parts["data.tar.gz"])
	if files["./usr/bin/energymeter"] != "program" || modes["./usr/bin/energymeter"] != 0o755 || modes["./etc/energymeter/energymeter.yaml"] != 0o640 {
		t.Errorf("files %q, modes %v", files, modes)
	}
	for _, folder := range []string{"./", "./etc/", "./etc/energymeter/", "./usr/", "./usr/bin/"} {
		if modes[folder] != 0o755 {
			t.Errorf("folder %s has mode %o", folder, modes[folder])
		}
	}
	meta, scripts := untar(t, parts["control.tar.gz"])
	sums := fmt.Sprintf("%x  etc/energymeter/energymeter.yaml\n%x  usr/bin/energymeter\n", md5.Sum([]byte("odd")), md5.Sum([]byte("program")))
	for name, want := range map[string]string{"./md5sums": sums, "./conffiles": "/etc/energymeter/energymeter.yaml\n", "./postrm": "#!/bin/sh\n"} {
		if meta[name] != want {
			t.Errorf("%s: %q, want %q", name, meta[name], want)
		}
	}
	if scripts["./postrm"] != 0o755 || !strings.Contains(meta["./control"], "\nVersion: 1.2.3\nArchitecture: arm64\n") {
		t.Errorf("modes %v, control %s", scripts, meta["./control"])
	}
}

// TestDpkgReads has Debian's own program read the package.
func TestDpkgReads(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("SKIPPED: dpkg-deb is not installed")
	}
	file := filepath.Join(t.TempDir(), "p.deb")
	if err := os.WriteFile(file, testPackage(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ flag, says string }{
		{"--info", "Package: energymeter"}, {"--contents", "-rw-r----- root/root         3 2023-11-14 "},
	} {
		command := exec.Command("dpkg-deb", tc.flag, file)
		command.Env = append(os.Environ(), "TZ=UTC")
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), tc.says) {
			t.Errorf("dpkg-deb %s: %v, want %q in\n%s", tc.flag, err, tc.says, out)
		}
	}
}

// TestScripts: the shell must be able to read what dpkg runs.
func TestScripts(t *testing.T) {
	for _, name := range []string{"postinst", "prerm", "postrm"} {
		if out, err := exec.Command("sh", "-n", "debian/"+name).CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// program writes an ELF file with one program header, size bytes long.
func program(t *testing.T, kind elf.ProgType, size int64) string {
	t.Helper()
	var out bytes.Buffer
	header := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	for _, part := range []any{header, elf.Prog64{Type: uint32(kind)}} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, max(size, int64(out.Len()))); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name string
		kind elf.ProgType
		size int64
		want error
	}{
		{"static", elf.PT_LOAD, 0, nil},
		{"an interpreter", elf.PT_INTERP, 0, errDynamic},
		{"libraries", elf.PT_DYNAMIC, 0, errDynamic},
		{"the most", elf.PT_LOAD, maxBytes, nil},
		{"a byte more", elf.PT_LOAD, maxBytes + 1, errLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := check(program(t, tc.kind, tc.size)); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for _, version := range []string{"v1.2.3", "1.2-3", "a", "1 2"} {
		if made, err := findOrigin(version); err == nil {
			t.Errorf("%q was taken: %+v", version, made)
		}
	}
	made, err := findOrigin("1:1.2~rc1")
	if err != nil || made.version != "1:1.2~rc1" || made.at.Unix() != 1_700_000_000 || fileVersion(made.version) != "1.2~rc1" {
		t.Errorf("%+v, %v", made, err)
	}
}
