package truth_test

import (
	"testing"

	"byokwatch/core/policy/truth"
)

func TestKleenesTables(t *testing.T) {
	all := []truth.Truth{truth.Unknown, truth.Yes, truth.No}
	for _, a := range all {
		for _, b := range all {
			and, or := truth.Unknown, truth.Unknown
			switch {
			case a == truth.No || b == truth.No:
				and = truth.No
			case a == truth.Yes && b == truth.Yes:
				and = truth.Yes
			}
			switch {
			case a == truth.Yes || b == truth.Yes:
				or = truth.Yes
			case a == truth.No && b == truth.No:
				or = truth.No
			}
			if a.And(b) != and || a.Or(b) != or {
				t.Errorf("%v, %v: and %v, or %v", a, b, a.And(b), a.Or(b))
			}
		}
		if a.Not().Not() != a {
			t.Errorf("not not %v is %v", a, a.Not().Not())
		}
	}
	var zero truth.Truth
	if zero != truth.Unknown {
		t.Error("what nobody decided is decided")
	}
	for _, a := range all {
		for _, b := range all {
			want := truth.Unknown
			if a == b {
				want = a
			}
			if got := a.Agree(b); got != want {
				t.Errorf("%v and %v agree on %v, want %v", a, b, got, want)
			}
		}
	}
	if truth.Known(true) != truth.Yes || truth.Known(false) != truth.No {
		t.Error("what is known is not")
	}
}
