package cloudkms_test

import (
	"errors"
	"testing"

	"byokwatch/core"
)

// expect wants exactly one of the sentinels, or for nil an error that is none.
func expect(t *testing.T, what string, err, want error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
	for _, kind := range []error{core.ErrRejected, core.ErrDenied, core.ErrConflict} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%s: is it %q: %t; %v", what, kind, errors.Is(err, kind), err)
		}
	}
}
