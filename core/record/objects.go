package record

import (
	"context"
	"time"
)

// Objects is the whole contract of a store adapter: whole objects, replaced by
// compare-and-set. Names are what CheckName lets through; nobody uses one name
// as the folder of another, which a directory could not store.
// storetest.Run is the contract as a test; every adapter passes it.
//
// Other data always has another version. The same data, written again, may have
// the old version again (an ETag of S3 is often a hash of the content:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html), so what must
// not be mistaken for an earlier write carries a revision of its own.
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
