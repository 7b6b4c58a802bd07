//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package dirstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const nonBlocking = syscall.O_NONBLOCK

// lock takes the store's lock against other processes and, because each call
// opens the file anew, against other goroutines of this one. It is asked for
// again and again rather than waited for, so that ctx can end the wait: whoever
// has it may have been stopped.
func lock(ctx context.Context, root *os.Root) (unlock func(), err error) {
	const first, longest = time.Millisecond, 20 * time.Millisecond
	for pause := first; ; pause = min(2*pause, longest) {
		f, err := tryLock(root)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() { f.Close() }, nil // closing gives the lock back
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		case <-wait.C:
		}
	}
}

// tryLock returns nil if somebody else has the lock.
func tryLock(root *os.Root) (*os.File, error) {
	if info, err := root.Lstat(lockFile); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file but %s", lockFile, info.Mode().Type())
	}
	f, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE|nonBlocking, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// A lock on a file that was removed meanwhile excludes nobody.
	mine, err1 := f.Stat()
	there, err2 := root.Lstat(lockFile)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		return nil, f.Close()
	}
	return f, nil
}

// syncFolder has a folder's entries on the disk.
func syncFolder(root *os.Root, folder string) error {
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
