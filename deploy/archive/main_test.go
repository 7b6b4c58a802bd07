package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	const want = "-rw-r--r-- OnChange/function.json {}\n-rwxr-xr-x bootstrap binary\n-rw-r--r-- byokwatch.yaml mode: observe\n"
	for name, contents := range map[string]func(*testing.T, []byte) string{"out.zip": zipped, "out.tar.gz": tarred} {
		var uploads [][]byte
		for i, order := range [][]string{{"bootstrap", "c.yaml=byokwatch.yaml", "f.json=OnChange/function.json"}, {"f.json=OnChange/function.json", "c.yaml=byokwatch.yaml", "bootstrap"}} {
			t.Chdir(t.TempDir())
			for name, text := range map[string]string{"bootstrap": "binary", "c.yaml": "mode: observe", "f.json": "{}"} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				at := time.Date(2020+i, 1, 1, 0, 0, 0, 0, time.UTC)
				if err := os.Chtimes(name, at, at); err != nil {
					t.Fatal(err)
				}
			}
			if err := run(append([]string{name}, order...)); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			uploads = append(uploads, data)
		}
		if !bytes.Equal(uploads[0], uploads[1]) {
			t.Errorf("%s: the bytes depend on order, time or place", name)
		}
		if got := contents(t, uploads[0]); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
}

func zipped(t *testing.T, data []byte) string {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		out += line(t, f.FileInfo(), f.Name, r)
	}
	return out
}

func tarred(t *testing.T, data []byte) string {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out += line(t, h.FileInfo(), h.Name, r)
	}
}

func line(t *testing.T, info fs.FileInfo, name string, r io.Reader) string {
	if at := info.ModTime(); at.UTC().Year() > 1980 {
		t.Errorf("%s is of %s: there is a clock in it", name, at)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %s\n", info.Mode(), name, text)
}

func TestNothingIsLeftOfAFailedUpload(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"a missing file": {"out.zip", "b"}, "another format": {"out.rar", "a"}, "a name twice": {"out.zip", "a", "a"}, "no file": {"out.zip"}, "a name that leads elsewhere": {"out.zip", "a=../a"}, "a name of nothing": {"out.zip", "a=/a"}} {
		if err := run(args); err == nil {
			t.Error(name)
		}
		if left, _ := filepath.Glob("out.*"); len(left) > 0 {
			t.Errorf("%s: %v is there", name, left)
		}
	}
}
