package record

import (
	"context"
	"time"
)

// Objects is the whole contract of a store adapter: whole objects, replaced by
// compare-and-set. Names are relative, of [a-z0-9./_-], at most 255 bytes.
// storetest.Run is the contract as a test; every adapter passes it.
type Objects interface {
	// Get returns one object. core.ErrNotFound only if the store answered that
	// it is absent; a refusal or a missing bucket is another error.
	Get(ctx context.Context, name string) (Object, error)
	// Put writes data if the object still has the given version; version ""
	// means that it must not exist. It returns the new version, or
	// core.ErrConflict if somebody else wrote first.
	Put(ctx context.Context, name string, data []byte, version string) (string, error)
	// List returns the names of all objects whose name begins with prefix,
	// sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

// Object is one stored object.
type Object struct {
	Data     []byte
	Version  string    // opaque, never empty
	Modified time.Time // by the store's clock
}
