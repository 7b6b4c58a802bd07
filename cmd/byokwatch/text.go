package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"byokwatch/core"
	"byokwatch/core/alert"
)

// Text of policies, events and other people is foreign: whatever of it goes to
// a terminal passes through one of these.

const (
	maxLine = 600 // characters of foreign text in one line
	maxText = 200 // of a name
)

// line is foreign text as one visible line.
func line(s string) string { return alert.Clean(s, maxLine) }

// plain is a message of several lines, each made visible.
func plain(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = line(lines[i])
	}
	return strings.Join(lines, "\n")
}

// ascii writes every character outside printable ASCII in JSON as its escape,
// which reads back as the same character.
func ascii(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		data = data[n:]
	}
	return out
}

// short is the part of a principal that people know it by.
func short(principal string, all []string) string {
	s := shorten(principal)
	for _, other := range all {
		if other != principal && shorten(other) == s {
			return alert.Clean(principal, maxText)
		}
	}
	return alert.Clean(s, maxText)
}

const shortName = 14 // cc-kafka- and the beginning of the ID behind it

func shorten(principal string) string {
	if account, ok := strings.CutSuffix(principal, ":root"); ok {
		return "account " + account[strings.LastIndexByte(account, ':')+1:]
	}
	name := []rune(principal[strings.LastIndexByte(principal, '/')+1:])
	if len(name) > shortName {
		return string(name[:shortName-1]) + "…"
	}
	return string(name)
}

// where says in short where a key is.
func where(k core.Key) string {
	if p := strings.Split(k.ID, ":"); k.Cloud == core.AWS && len(p) > 4 {
		return fmt.Sprintf("aws %s/%s", p[4], p[3])
	}
	return string(k.Cloud)
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
