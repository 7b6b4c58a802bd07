//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package dirstore

import (
	"context"
	"errors"
	"fmt"
	"os"
)

const nonBlocking = 0

// lock fails: without a lock between processes there is no compare-and-set.
func lock(context.Context, *os.Root) (unlock func(), err error) {
	return nil, fmt.Errorf("a file:// store can only be read on this system, use Linux or macOS: %w", errors.ErrUnsupported)
}

func syncFolder(*os.Root, string) error { return nil }
