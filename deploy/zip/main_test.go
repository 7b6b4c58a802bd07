package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	var uploads [][]byte
	for i, order := range [][]string{{"bootstrap", "c.yaml=byokwatch.yaml", "f.json=OnChange/function.json"}, {"f.json=OnChange/function.json", "c.yaml=byokwatch.yaml", "bootstrap"}} {
		dir := t.TempDir()
		t.Chdir(dir)
		for name, text := range map[string]string{"bootstrap": "binary", "c.yaml": "mode: observe", "f.json": "{}"} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			at := time.Date(2020+i, 1, 1, 0, 0, 0, 0, time.UTC)
			if err := os.Chtimes(name, at, at); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(dir, "out.zip")
		if err := run(append([]string{out}, order...)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		uploads = append(uploads, data)
	}
	if !bytes.Equal(uploads[0], uploads[1]) {
		t.Error("the bytes depend on order, time or place")
	}
	z, err := zip.NewReader(bytes.NewReader(uploads[0]), int64(len(uploads[0])))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got += f.Mode().String() + " " + f.Name + " " + string(text) + "\n"
	}
	if want := "-rw-r--r-- OnChange/function.json {}\n-rwxr-xr-x bootstrap binary\n-rw-r--r-- byokwatch.yaml mode: observe\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestNothingIsLeftOfAFailedUpload(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"a missing file": {"out.zip", "b"}, "a name twice": {"out.zip", "a", "a"}, "no file": {"out.zip"}, "a name that leads elsewhere": {"out.zip", "a=../a"}, "a name of nothing": {"out.zip", "a=/a"}} {
		if err := run(args); err == nil {
			t.Error(name)
		}
		if _, err := os.Stat("out.zip"); err == nil {
			t.Errorf("%s: out.zip is there", name)
		}
	}
}
