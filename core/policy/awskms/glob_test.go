package awskms

import (
	"regexp"
	"strings"
	"testing"

	"byokwatch/core/policy/truth"
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
		want            truth.Truth
	}{
		{"*", "", truth.Yes},
		{"*", "abc", truth.Yes},
		{"ab*", "abc", truth.Yes},
		{"a*c*", "abc", truth.Yes},
		{"abc", "abc", truth.Unknown},
		{"abcd", "abc", truth.Unknown},
		{"abc?", "abc", truth.Unknown},
		{"*d", "abc", truth.Unknown},
		{"abcd*", "abc", truth.Unknown},
		{"", "abc", truth.No},
		{"ab", "abc", truth.No},
		{"b*", "abc", truth.No},
		{"a?", "abc", truth.No},
		{"", "", truth.Unknown},
		{"x", "", truth.Unknown},
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
			if open == truth.Yes && !got || open == truth.No && got {
				t.Fatalf("%q on %q…: %v, but on %q: %v", p, s[:cut], open, s, got)
			}
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c >= 0x80 }) < 0
}
