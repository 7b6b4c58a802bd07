// Package dirstore keeps a store in a directory: the embedded default, for one
// machine and for `make run`, where there is no bucket.
//
// It holds what a bucket promises. A write replaces a whole file or nothing, and
// is on the disk, the folder's entry included, before it is answered; processes
// that share the directory exclude each other by a lock on a file in it, so that
// compare-and-set is one; the version is the hash of the content, so that a file
// edited by hand is a conflict for whoever read it before.
//
// Nothing outside the directory is ever reached, whatever stands in it: folders
// are entered without following links, and what is not a plain file, be it a
// link, a pipe or a device, is refused rather than opened.
//
// The directory itself is made by New and never again: if it vanishes, every
// call fails, because an empty store would mean that no key was ever seen.
package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/record"
)

const (
	lockFile = ".lock" // names of objects never begin with a dot
	tempFile = ".new"
)

type store struct{ dir string }

// New opens the directory as a store and makes it, for its owner alone, if it is
// not there. The path is taken as the operating system writes it.
func New(dir string) (record.Objects, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("store directory %q: want an absolute path", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make store directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open store directory: %w", err)
	}
	return store{dir: dir}, root.Close()
}

// Get implements record.Objects.
func (s store) Get(ctx context.Context, name string) (record.Object, error) {
	root, err := s.open(ctx, record.CheckName(name))
	if err != nil {
		return record.Object{}, fmt.Errorf("get %s: %w", name, err)
	}
	defer root.Close()
	obj, err := read(root, name)
	if err != nil {
		return record.Object{}, fmt.Errorf("get %s: %w", name, err)
	}
	return obj, nil
}

// Put implements record.Objects.
func (s store) Put(ctx context.Context, name string, data []byte, version string) (string, error) {
	next, err := s.put(ctx, name, data, version)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", name, err)
	}
	return next, nil
}

func (s store) put(ctx context.Context, name string, data []byte, version string) (string, error) {
	root, err := s.open(ctx, record.CheckName(name))
	if err != nil {
		return "", err
	}
	defer root.Close()
	unlock, err := lock(ctx, root)
	if err != nil {
		return "", fmt.Errorf("lock the store: %w", err)
	}
	defer unlock()
	old, err := read(root, name)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return "", err
	}
	if old.Version != version {
		return "", core.ErrConflict
	}
	if err := write(root, name, data); err != nil {
		return "", err
	}
	return versionOf(data), nil
}

// List implements record.Objects.
func (s store) List(ctx context.Context, prefix string) ([]string, error) {
	root, err := s.open(ctx, record.CheckPrefix(prefix))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	defer root.Close()
	from := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		from = prefix[:i]
	}
	if err := plainFolders(root, from); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	var names []string
	err = fs.WalkDir(root.FS(), from, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case name != "." && record.CheckName(name) != nil: // not an object of ours
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && strings.HasPrefix(name, prefix):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	slices.Sort(names)
	return names, nil
}

// open begins a call. That the directory is gone must not look like an absent
// object, so what is missing here is never core.ErrNotFound.
func (s store) open(ctx context.Context, bad error) (*os.Root, error) {
	if bad != nil {
		return nil, bad
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open store directory: %w", err)
	}
	return root, nil
}

// plainFolders reports whether a folder and all above it are folders and not
// links to some. An absent one is fs.ErrNotExist.
func plainFolders(root *os.Root, folder string) error {
	if folder == "." {
		return nil
	}
	if err := plainFolders(root, path.Dir(folder)); err != nil {
		return err
	}
	info, err := root.Lstat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s in the store is not a folder but %s", folder, info.Mode().Type())
	}
	return nil
}

func read(root *os.Root, name string) (record.Object, error) {
	err := plainFolders(root, path.Dir(name))
	var before fs.FileInfo
	if err == nil {
		before, err = root.Lstat(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return record.Object{}, core.ErrNotFound
	}
	if err != nil {
		return record.Object{}, err
	}
	if !before.Mode().IsRegular() {
		return record.Object{}, fmt.Errorf("it is not a plain file but %s", before.Mode().Type())
	}
	// Not to wait for ever on a pipe that took the file's place.
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return record.Object{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return record.Object{}, err
	}
	if !info.Mode().IsRegular() {
		return record.Object{}, fmt.Errorf("it is not a plain file but %s", info.Mode().Type())
	}
	data, err := io.ReadAll(io.LimitReader(f, record.MaxObject+1))
	if err != nil {
		return record.Object{}, err
	}
	if len(data) > record.MaxObject {
		return record.Object{}, fmt.Errorf("%w: more than %d bytes", record.ErrTooLarge, record.MaxObject)
	}
	return record.Object{Data: data, Version: versionOf(data), Modified: info.ModTime()}, nil
}

// write replaces a file. The lock is held, so there is one temporary file for
// the whole store, and one that a crash left is simply overwritten.
func write(root *os.Root, name string, data []byte) error {
	if err := makeFolders(root, path.Dir(name)); err != nil {
		return err
	}
	if err := root.Remove(tempFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(tempFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := root.Rename(tempFile, name); err != nil {
		return err
	}
	return syncFolder(root, path.Dir(name))
}

// makeFolders makes what is missing of a path, and has it on the disk: a file is
// as durable as the folders that lead to it.
func makeFolders(root *os.Root, folder string) error {
	err := plainFolders(root, folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeFolders(root, path.Dir(folder)); err != nil {
		return err
	}
	if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(root, path.Dir(folder))
}

func versionOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
