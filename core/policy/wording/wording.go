// Package wording is how judges handle words that others wrote: what compares
// equal, and how much of it is repeated in a finding.
package wording

// Longest is how many characters of a reason are kept: findings are stored and
// sent, and what stands in a policy is its writer's choice.
const Longest = 600

// Abridge cuts a text to so many characters.
func Abridge(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for i := range s {
		if most--; most < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// Lower folds ASCII only. What the clouds compare without regard to case holds
// nothing else, no reader agrees with another on the rest, and U+017F or U+212A
// must not pass for s or K.
func Lower(s string) string {
	for i := range len(s) {
		if isUpper(s[i]) {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				b[j] = lower(b[j])
			}
			return string(b)
		}
	}
	return s
}

// Same is Lower(a) == Lower(b), without making either.
func Same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
