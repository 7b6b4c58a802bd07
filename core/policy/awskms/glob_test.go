package awskms

import (
	"regexp"
	"strings"
	"testing"
)

// byRegexp is the oracle: the same pattern, written for another machine.
func byRegexp(p, s string) bool {
	q := regexp.QuoteMeta(p)
	q = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(q)
	return regexp.MustCompile(`(?s)^` + q + `$`).MatchString(s)
}

func TestAPatternMatchesWhatARegexpDoes(t *testing.T) {
	for _, p := range []string{"", "*", "?", "a", "a*", "*a", "a*b", "*a*b*", "a?b", "??", "*?", "?*", "**", "a**b", "aab", "*aab", "é?", "*é"} {
		for _, s := range []string{"", "a", "b", "ab", "aab", "aaab", "abab", "acb", "é", "éa", "aé", "ba", "a*b", "aa"} {
			if got, want := globOf(p).match(s), byRegexp(p, s); got != want {
				t.Errorf("%q matches %q: %v", p, s, got)
			}
			if got, want := globString(p, s), byRegexp(p, s); got != want {
				t.Errorf("globString %q matches %q: %v", p, s, got)
			}
		}
	}
}

func TestALiteralStarIsNoWildcard(t *testing.T) {
	if literal("a*").match("ab") || !literal("a*").match("a*") {
		t.Error("a literal * matches as a wildcard")
	}
}

func TestWhatMayFollowAPrefix(t *testing.T) {
	for _, c := range []struct {
		pattern, prefix string
		want            truth
	}{
		{"*", "", yes},
		{"*", "abc", yes},
		{"ab*", "abc", yes},
		{"a*c*", "abc", yes},
		{"abc", "abc", unknown},
		{"abcd", "abc", unknown},
		{"abc?", "abc", unknown},
		{"*d", "abc", unknown},
		{"abcd*", "abc", unknown},
		{"", "abc", no},
		{"ab", "abc", no},
		{"b*", "abc", no},
		{"a?", "abc", no},
		{"", "", unknown},
		{"x", "", unknown},
	} {
		if got := globOf(c.pattern).matchOpen(c.prefix); got != c.want {
			t.Errorf("%q on %q…: %v, want %v", c.pattern, c.prefix, got, c.want)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?", "aab")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 50 || len(s) > 50 || !isASCII(p) || !isASCII(s) {
			return
		}
		got := globOf(p).match(s)
		if got != byRegexp(p, s) {
			t.Fatalf("%q matches %q: %v", p, s, got)
		}
		for cut := range len(s) + 1 {
			open := globOf(p).matchOpen(s[:cut])
			if open == yes && !got || open == no && got {
				t.Fatalf("%q on %q…: %v, but on %q: %v", p, s[:cut], open, s, got)
			}
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c >= 0x80 }) < 0
}

func TestKleenesTables(t *testing.T) {
	all := []truth{unknown, yes, no}
	for _, a := range all {
		for _, b := range all {
			and, or := unknown, unknown
			switch {
			case a == no || b == no:
				and = no
			case a == yes && b == yes:
				and = yes
			}
			switch {
			case a == yes || b == yes:
				or = yes
			case a == no && b == no:
				or = no
			}
			if a.and(b) != and || a.or(b) != or {
				t.Errorf("%v, %v: and %v, or %v", a, b, a.and(b), a.or(b))
			}
		}
		if a.not().not() != a {
			t.Errorf("not not %v is %v", a, a.not().not())
		}
	}
	var zero truth
	if zero != unknown {
		t.Error("what nobody decided is decided")
	}
}
