package awskms

import (
	"strings"
	"unicode/utf8"

	"byokwatch/core/policy/truth"
)

// pattern is a text in which * and ? may stand for other characters: the
// wildcards are negative runes, so that a literal * is an ordinary one.
type pattern []rune

const (
	anyRunes rune = -1 // *
	oneRune  rune = -2 // ?
)

// globOf reads * and ? as wildcards.
func globOf(s string) pattern {
	p := make(pattern, 0, len(s))
	for _, c := range s {
		switch c {
		case '*':
			c = anyRunes
		case '?':
			c = oneRune
		}
		p = append(p, c)
	}
	return p
}

// literal reads every character as itself.
func literal(s string) pattern { return pattern(s) }

// plain returns the text of a pattern without wildcards.
func (p pattern) plain() (string, bool) {
	for _, c := range p {
		if c < 0 {
			return "", false
		}
	}
	return string(p), true
}

// match says whether the whole of s fits. It is linear in s for each * and
// keeps no more state than the last one.
func (p pattern) match(s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		c, size := utf8.DecodeRuneInString(s[j:])
		switch {
		case i < len(p) && p[i] == anyRunes:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == oneRune || p[i] == c):
			i++
			j += size
		case star >= 0:
			_, skip := utf8.DecodeRuneInString(s[mark:])
			mark += skip
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRunes {
		i++
	}
	return i == len(p)
}

// matchOpen says whether every text that begins with prefix fits, or none, or
// some.
func (p pattern) matchOpen(prefix string) truth.Truth {
	if len(p) > 0 && p[len(p)-1] == anyRunes && p.match(prefix) {
		return truth.Yes
	}
	if p.reachable(prefix) {
		return truth.Unknown
	}
	return truth.No
}

// reachable says whether a text that begins with prefix can fit. It follows all
// ways at once, because what comes after prefix is not known.
func (p pattern) reachable(prefix string) bool {
	for len(p) > 0 && prefix != "" { // what both begin with needs no table
		c, size := utf8.DecodeRuneInString(prefix)
		if p[0] == anyRunes {
			break
		}
		if p[0] != oneRune && p[0] != c {
			return false
		}
		p, prefix = p[1:], prefix[size:]
	}
	if prefix == "" || len(p) == 0 {
		return prefix == ""
	}
	at := make([]bool, len(p)+1)
	at[0] = true
	p.skipStars(at)
	for _, c := range prefix {
		next := make([]bool, len(p)+1)
		for i, here := range at[:len(p)] {
			switch {
			case !here:
			case p[i] == anyRunes:
				next[i] = true
			case p[i] == oneRune || p[i] == c:
				next[i+1] = true
			}
		}
		p.skipStars(next)
		at = next
	}
	for _, here := range at {
		if here {
			return true
		}
	}
	return false
}

// skipStars adds the positions that are reached by letting a * stand for
// nothing.
func (p pattern) skipStars(at []bool) {
	for i, c := range p {
		if at[i] && c == anyRunes {
			at[i+1] = true
		}
	}
}

// globString matches s against a pattern text with * and ?, without preparing
// it: most action patterns hold no wildcard, or end in their only one.
func globString(text, s string) bool {
	i := strings.IndexAny(text, "*?")
	switch {
	case i < 0:
		return text == s
	case i == len(text)-1 && text[i] == '*':
		return strings.HasPrefix(s, text[:i])
	}
	return globOf(text).match(s)
}
