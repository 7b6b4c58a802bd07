package config

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
)

// Verify returns nil if data has the given SHA-256, as 64 hex digits. It is
// called on the bytes, before anything in them is read: with another sum
// nothing in the file may be used. An empty sum never matches.
func Verify(data []byte, sum string) error {
	want, err := hex.DecodeString(sum)
	if err != nil || len(want) != sha256.Size {
		return fmt.Errorf("BYOKWATCH_CONFIG_SHA256 is not a SHA-256 sum: it has %d characters instead of 64 hex digits", len(sum))
	}
	got := sha256.Sum256(data)
	if subtle.ConstantTimeCompare(got[:], want) != 1 {
		return fmt.Errorf("the configuration is not the pinned one: its SHA-256 is %x, BYOKWATCH_CONFIG_SHA256 says %x; nothing in it is used", got, want)
	}
	return nil
}
