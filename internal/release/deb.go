package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5" // what dpkg compares files with; not for security
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// entry is a file of a package; its owner is root.
type entry struct {
	name string // absolute
	mode int64
	data []byte
	// conffile is one that people change: dpkg never overwrites their changes.
	conffile bool
}

// deb returns the bytes of a Debian package (deb(5)): an ar archive of the format's
// version, control files and files.
func deb(control string, scripts map[string]string, files []entry, at time.Time) ([]byte, error) {
	slices.SortFunc(files, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var sums, conffiles strings.Builder
	for _, f := range files {
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.data), f.name[1:])
		if f.conffile {
			fmt.Fprintln(&conffiles, f.name)
		}
	}
	meta := []entry{
		{name: "/conffiles", mode: 0o644, data: []byte(conffiles.String())},
		{name: "/control", mode: 0o644, data: []byte(control)},
		{name: "/md5sums", mode: 0o644, data: []byte(sums.String())},
	}
	for name, script := range scripts {
		meta = append(meta, entry{name: "/" + name, mode: 0o755, data: []byte(script)})
	}
	slices.SortFunc(meta, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	controlTar, err := tarball(meta, at)
	if err != nil {
		return nil, err
	}
	dataTar, err := tarball(files, at)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString("!<arch>\n")
	for _, member := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", controlTar}, {"data.tar.gz", dataTar}} {
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", member.name, at.Unix(), 0, 0, 0o100644, len(member.data))
		out.Write(member.data)
		if len(member.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// tarball returns files with the folders that they lie in, compressed.
func tarball(files []entry, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(zip)
	folders := map[string]bool{}
	for _, f := range files {
		for _, folder := range above(f.name) {
			if folders[folder] {
				continue
			}
			folders[folder] = true
			header := &tar.Header{Typeflag: tar.TypeDir, Name: "." + strings.TrimSuffix(folder, "/") + "/", Mode: 0o755, ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatGNU}
			if err := archive.WriteHeader(header); err != nil {
				return nil, err
			}
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "." + f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatGNU}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	for _, c := range []io.Closer{archive, zip} {
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// above returns the folders of a file, the root first.
func above(name string) []string {
	var folders []string
	for folder := path.Dir(name); ; folder = path.Dir(folder) {
		folders = append(folders, folder)
		if folder == "/" {
			slices.Reverse(folders)
			return folders
		}
	}
}
