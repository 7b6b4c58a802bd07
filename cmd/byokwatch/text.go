package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"byokwatch/core"
)

// Text of policies, events and other people is foreign: whatever of it goes to
// a terminal passes through one of these.

const maxLine = 600 // bytes of foreign text in one line, about

// line is foreign text as one line: cut, and with every character that can't be
// seen, or that moves others about, spelled out as \u{202E}. Unlike a chat, a
// terminal makes nothing of links and mentions, so they stay as they are.
func line(s string) string {
	var b strings.Builder
	for i, r := range s {
		if b.Len() > maxLine {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x{%02X}`, s[i])
		case unicode.IsPrint(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%04X}`, r)
		}
	}
	return b.String()
}

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
			return line(principal)
		}
	}
	return line(s)
}

const shortName = 14 // cc-kafka- and the beginning of the ID behind it

func shorten(principal string) string {
	if account, ok := strings.CutSuffix(principal, ":root"); ok {
		return "account " + account[strings.LastIndexByte(account, ':')+1:]
	}
	if group, ok := strings.CutPrefix(principal, "group:"); ok {
		return group
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
	if p := strings.Split(k.ID, "/"); k.Cloud == core.GCP && len(p) > 3 {
		return fmt.Sprintf("gcp %s/%s", p[1], p[3])
	}
	if _, vault, ok := strings.Cut(k.Vault, "/vaults/"); k.Cloud == core.Azure && ok {
		return "azure " + vault
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
