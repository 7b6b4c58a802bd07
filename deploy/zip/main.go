// Zip writes a function's upload: the same files give the same bytes, on every
// machine and at every time, so that anybody can build a release again and
// compare. Times and owners are left out, and the order is that of the names.
package main

import (
	"archive/zip"
	"cmp"
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
		fmt.Fprintln(os.Stderr, "zip:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: zip OUT FILE[=NAME] …; NAME may have folders; a file without extension is executable")
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	if err := write(out, args[1:]); err != nil {
		out.Close()
		os.Remove(args[0])
		return fmt.Errorf("write %s: %w", args[0], err)
	}
	return out.Close()
}

// entry is a file and its name in the archive.
type entry struct{ path, name string }

func write(w io.Writer, args []string) error {
	var entries []entry
	for _, arg := range args {
		path, name, _ := strings.Cut(arg, "=")
		entries = append(entries, entry{path, cmp.Or(name, filepath.Base(path))})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	z := zip.NewWriter(w)
	for i, e := range entries {
		if i > 0 && entries[i-1].name == e.name {
			return fmt.Errorf("two files are to be %s", e.name)
		}
		if !fs.ValidPath(e.name) {
			return fmt.Errorf("%q is no name in an archive", e.name)
		}
		if err := add(z, e); err != nil {
			return err
		}
	}
	return z.Close()
}

func add(z *zip.Writer, e entry) error {
	data, err := os.ReadFile(e.path)
	if err != nil {
		return err
	}
	// The earliest time that the format knows.
	h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o644)
	if filepath.Ext(e.name) == "" {
		h.SetMode(0o755)
	}
	f, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return err
}
