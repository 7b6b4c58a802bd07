//go:build linux || darwin

package dirstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/core/record/dirstore"
	"byokwatch/core/record/storetest"
)

func open(t *testing.T) (record.Objects, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made", "by", "new")
	o, err := dirstore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return o, dir
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) record.Objects {
		o, _ := open(t)
		return o
	})
}

func TestRelativeDirectoryIsRefused(t *testing.T) {
	if _, err := dirstore.New("some/dir"); err == nil {
		t.Error("a relative directory would move with whoever starts the program")
	}
}

func TestVanishedDirectoryIsNotAnEmptyStore(t *testing.T) {
	o, dir := open(t)
	if _, err := o.Put(t.Context(), "a.json", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	_, getErr := o.Get(t.Context(), "a.json")
	_, putErr := o.Put(t.Context(), "a.json", []byte("x"), "")
	_, listErr := o.List(t.Context(), "")
	for call, err := range map[string]error{"get": getErr, "put": putErr, "list": listErr} {
		if err == nil || errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrConflict) {
			t.Errorf("%s in a directory that is gone: %v", call, err)
		}
	}
}

func TestRemovedAndCreatedAgain(t *testing.T) {
	o, dir := open(t)
	version, err := o.Put(t.Context(), "a.json", []byte("1"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(t.Context(), "a.json", []byte("2"), version); !errors.Is(err, core.ErrConflict) {
		t.Errorf("replace what was removed: %v, want a conflict", err)
	}
	if _, err := o.Put(t.Context(), "a.json", []byte("2"), ""); err != nil {
		t.Errorf("create what was removed: %v", err)
	}
}

func TestEditByHandIsAConflict(t *testing.T) {
	o, dir := open(t)
	version, err := o.Put(t.Context(), "a.json", []byte("1"), "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.json")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	// An editor may even keep the time.
	if err := errors.Join(os.WriteFile(file, []byte("2"), 0o600), os.Chtimes(file, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(t.Context(), "a.json", []byte("3"), version); !errors.Is(err, core.ErrConflict) {
		t.Errorf("replace what was edited: %v, want a conflict", err)
	}
}

func TestModifiedIsTheFilesOwnTime(t *testing.T) {
	o, dir := open(t)
	if _, err := o.Put(t.Context(), "a.json", nil, ""); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "a.json"), at, at); err != nil {
		t.Fatal(err)
	}
	if obj, err := o.Get(t.Context(), "a.json"); err != nil || !obj.Modified.Equal(at) {
		t.Errorf("modified at %v (%v), want %v", obj.Modified, err, at)
	}
}

func TestOnlyTheOwnerCanRead(t *testing.T) {
	o, dir := open(t)
	if _, err := o.Put(t.Context(), "a/b.json", nil, ""); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Everything that somebody could put into the place of an object or folder.
func TestNothingButPlainFiles(t *testing.T) {
	for what, plant := range map[string]func(dir, outside string) error{
		"a link out of the store":           func(dir, out string) error { return os.Symlink(out+"/secret.json", dir+"/x/a.json") },
		"a link within the store":           func(dir, _ string) error { return os.Symlink(dir+"/other/a.json", dir+"/x/a.json") },
		"a relative link":                   func(dir, _ string) error { return os.Symlink("../other/a.json", dir+"/x/a.json") },
		"a link to nothing":                 func(dir, out string) error { return os.Symlink(out+"/new.json", dir+"/x/a.json") },
		"a pipe":                            func(dir, _ string) error { return syscall.Mkfifo(dir+"/x/a.json", 0o600) },
		"a folder":                          func(dir, _ string) error { return os.Mkdir(dir+"/x/a.json", 0o700) },
		"a folder that is a link out of it": func(dir, out string) error { return swap(dir+"/x", out) },
		"a folder that is a link within it": func(dir, _ string) error { return swap(dir+"/x", dir+"/other") },
		"a folder that is a relative link":  func(dir, _ string) error { return swap(dir+"/x", "other") },
		"a folder that is a file":           func(dir, _ string) error { return errors.Join(os.Remove(dir+"/x"), os.WriteFile(dir+"/x", nil, 0o600)) },
	} {
		t.Run(what, func(t *testing.T) {
			o, dir := open(t)
			outside := t.TempDir()
			const secret = "not for us"
			if err := errors.Join(
				os.WriteFile(outside+"/secret.json", []byte(secret), 0o600), os.WriteFile(outside+"/a.json", []byte(secret), 0o600),
				os.Mkdir(dir+"/x", 0o700), os.Mkdir(dir+"/other", 0o700), os.WriteFile(dir+"/other/a.json", []byte(secret), 0o600),
				plant(dir, outside),
			); err != nil {
				t.Fatal(err)
			}
			obj, err := o.Get(t.Context(), "x/a.json")
			if err == nil || errors.Is(err, core.ErrNotFound) {
				t.Errorf("get: %q, %v; want a refusal", obj.Data, err)
			}
			for _, version := range []string{"", obj.Version} {
				if _, err := o.Put(t.Context(), "x/a.json", []byte("ours"), version); err == nil || errors.Is(err, core.ErrConflict) {
					t.Errorf("put: %v; want a refusal", err)
				}
			}
			names, err := o.List(t.Context(), "x/")
			if len(names) != 0 {
				t.Errorf("list: %q, %v; want no names", names, err)
			}
			for _, file := range []string{outside + "/a.json", outside + "/secret.json", dir + "/other/a.json"} {
				if data, err := os.ReadFile(file); err != nil || string(data) != secret {
					t.Errorf("%s holds %q, %v", file, data, err)
				}
			}
			if _, err := os.Lstat(outside + "/new.json"); !errors.Is(err, fs.ErrNotExist) {
				t.Error("a file was made outside the store")
			}
		})
	}
}

func swap(folder, target string) error {
	return errors.Join(os.Remove(folder), os.Symlink(target, folder))
}

func TestLockThatIsALink(t *testing.T) {
	o, dir := open(t)
	target := filepath.Join(t.TempDir(), "made")
	if err := os.Symlink(target, filepath.Join(dir, ".lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(t.Context(), "a.json", nil, ""); err == nil {
		t.Error("a lock file that is a link was followed")
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made outside the store")
	}
}

func TestLeftoverOfACrashIsOverwritten(t *testing.T) {
	o, dir := open(t)
	if err := os.WriteFile(filepath.Join(dir, ".new"), []byte("half a wri"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(t.Context(), "a.json", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	if names, err := o.List(t.Context(), ""); err != nil || len(names) != 1 {
		t.Errorf("list: %q, %v", names, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the temporary file stayed")
	}
}

func TestTooLargeAFileIsNotRead(t *testing.T) {
	o, dir := open(t)
	file := filepath.Join(dir, "a.json")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, record.MaxObject+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Get(t.Context(), "a.json"); !errors.Is(err, record.ErrTooLarge) {
		t.Errorf("get: %v", err)
	}
}

func TestWaitForTheLockEndsWithTheContext(t *testing.T) {
	o, dir := open(t)
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := o.Put(ctx, "a.json", nil, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("put while another process has the lock: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Put(t.Context(), "a.json", nil, ""); err != nil {
		t.Errorf("put after the lock is free: %v", err)
	}
}

const helper = "BYOKWATCH_DIRSTORE_HELPER"

// TestProcessesExcludeEachOther counts up one object from several processes.
func TestProcessesExcludeEachOther(t *testing.T) {
	const processes, each = 4, 15
	if dir := os.Getenv(helper); dir != "" {
		countUp(t, dir, each, processes)
		return
	}
	o, dir := open(t)
	if _, err := o.Put(t.Context(), "n.json", []byte("0"), ""); err != nil {
		t.Fatal(err)
	}
	var running []*exec.Cmd
	for range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesExcludeEachOther$")
		cmd.Env = append(os.Environ(), helper+"="+dir)
		cmd.Stdout = new(bytes.Buffer)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, cmd.Stdout)
		}
	}
	obj, err := o.Get(t.Context(), "n.json")
	if err != nil || string(obj.Data) != strconv.Itoa(processes*each) {
		t.Errorf("%d increments made %q, %v", processes*each, obj.Data, err)
	}
}

func countUp(t *testing.T, dir string, each, others int) {
	o, err := dirstore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for range each * others * 20 {
		obj, err := o.Get(t.Context(), "n.json")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(obj.Data)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.Put(t.Context(), "n.json", fmt.Append(nil, n+1), obj.Version)
		if err != nil && !errors.Is(err, core.ErrConflict) {
			t.Fatal(err)
		}
		if err == nil {
			done++
		}
		if done == each {
			return
		}
	}
	t.Fatalf("lost too many races: %d of %d done", done, each)
}
