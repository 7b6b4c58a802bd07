// Archive writes a function's upload, a .zip or a .tar.gz as the output's name
// says: the same files give the same bytes, on every machine and at every time,
// so that anybody can build a release again and compare. Times and owners are
// left out, and the order is that of the names.
package main

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: archive OUT.zip|OUT.tar.gz FILE[=NAME] …; NAME may have folders; a file without extension is executable")
	}
	var create func(io.Writer) archive
	switch {
	case strings.HasSuffix(args[0], ".zip"):
		create = newZip
	case strings.HasSuffix(args[0], ".tar.gz"):
		create = newTar
	default:
		return fmt.Errorf("%s ends neither in .zip nor in .tar.gz", args[0])
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	if err := write(create(out), args[1:]); err != nil {
		out.Close()
		os.Remove(args[0])
		return fmt.Errorf("write %s: %w", args[0], err)
	}
	return out.Close()
}

// archive is a format.
type archive interface {
	add(name string, mode fs.FileMode, data []byte) error
	Close() error
}

// entry is a file and its name in the archive.
type entry struct{ path, name string }

func write(a archive, args []string) error {
	var entries []entry
	for _, arg := range args {
		path, name, _ := strings.Cut(arg, "=")
		entries = append(entries, entry{path, cmp.Or(name, filepath.Base(path))})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i, e := range entries {
		if i > 0 && entries[i-1].name == e.name {
			return fmt.Errorf("two files are to be %s", e.name)
		}
		if !fs.ValidPath(e.name) {
			return fmt.Errorf("%q is no name in an archive", e.name)
		}
		data, err := os.ReadFile(e.path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if filepath.Ext(e.name) == "" {
			mode = 0o755
		}
		if err := a.add(e.name, mode, data); err != nil {
			return err
		}
	}
	return a.Close()
}

type zipFile struct{ *zip.Writer }

func newZip(w io.Writer) archive { return zipFile{zip.NewWriter(w)} }

func (z zipFile) add(name string, mode fs.FileMode, data []byte) error {
	// The earliest time that the format knows.
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(mode)
	f, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return err
}

type tarFile struct {
	*tar.Writer
	gzip *gzip.Writer
}

func newTar(w io.Writer) archive {
	z := gzip.NewWriter(w) // its header is given no name and no time
	return tarFile{tar.NewWriter(z), z}
}

func (t tarFile) add(name string, mode fs.FileMode, data []byte) error {
	h := &tar.Header{Name: name, Mode: int64(mode), Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := t.Write(data)
	return err
}

func (t tarFile) Close() error { return errors.Join(t.Writer.Close(), t.gzip.Close()) }
