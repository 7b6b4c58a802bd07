package alert

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"byokwatch/core/pattern"
)

// Longest foreign texts in characters, before what is invisible is spelled out.
const (
	maxName   = 100 // names, addresses, Sids
	maxReason = 260 // one sentence of a judge
	maxDetail = 400 // an error, a reason given by a person
)

// Clean makes foreign text fit to be shown: at most limit characters of it,
// every character visible, and nothing in it that a chat turns into a link or
// a mention. What it returns is one line of at most twice limit characters and
// still foreign: channels show it in elements that they do not interpret.
func Clean(s string, limit int) string {
	return cut(defang(visible(cut(s, limit))), 2*limit)
}

// cut shortens s to at most limit characters, the last of them an ellipsis if
// anything is missing. Invalid bytes count as one character each.
func cut(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit-1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// visible spells out every character that a reader can't see, that moves other
// characters about, or that passes for another one, in the form \u{202E}.
func visible(s string) string { return spellOut(s, false) }

// visibleLines is visible for texts of several lines: line feeds and tabs stay.
func visibleLines(s string) string { return spellOut(s, true) }

func spellOut(s string, lines bool) string {
	var b strings.Builder
	marks := 0
	for len(s) > 0 {
		word := s[:wordLength(s)]
		s = s[len(word):]
		mixed := mixesScripts(word)
		for i := 0; i < len(word); {
			r, n := utf8.DecodeRuneInString(word[i:])
			if unicode.Is(unicode.M, r) {
				marks++
			} else {
				marks = 0
			}
			switch {
			case r == utf8.RuneError && n == 1:
				fmt.Fprintf(&b, `\x{%02X}`, word[i])
			case (r == '\n' || r == '\t') && lines:
				b.WriteRune(r)
			case hidden(r), marks > 2, mixed && looksLatin(r):
				fmt.Fprintf(&b, `\u{%04X}`, r)
			default:
				b.WriteRune(r)
			}
			i += n
		}
	}
	return b.String()
}

// wordLength returns the length in bytes of the run of letters, digits and
// marks that s begins with, or of its first character. s is not empty.
func wordLength(s string) int {
	for i, r := range s {
		if r == utf8.RuneError || !unicode.In(r, unicode.L, unicode.N, unicode.M) {
			if i > 0 {
				return i
			}
			_, n := utf8.DecodeRuneInString(s)
			return n
		}
	}
	return len(s)
}

// hidden says that r is not plainly visible as itself: controls, format and
// bidi characters, separators, private and unassigned ones, fillers and
// variation selectors, and the letter-like blocks that only exist to look like
// other letters. Emoji count too: a green circle in somebody's session name
// must not pass for ours.
func hidden(r rune) bool {
	switch {
	case !unicode.IsPrint(r),
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.So),
		r == 0x034F, r == 0x17B4, r == 0x17B5,
		r >= 0xFF00 && r <= 0xFFEF,   // halfwidth and fullwidth forms
		r >= 0x1D400 && r <= 0x1D7FF: // mathematical alphanumerics
		return true
	}
	return false
}

// mixesScripts says that one word has Latin letters together with letters of a
// script whose letters look like them. A name wholly in Cyrillic is a name;
// "аdmin" with one Cyrillic letter is a trick.
func mixesScripts(word string) bool {
	latin, alike := false, false
	for _, r := range word {
		latin = latin || unicode.Is(unicode.Latin, r)
		alike = alike || looksLatin(r)
	}
	return latin && alike
}

func looksLatin(r rune) bool {
	return r > unicode.MaxASCII && unicode.In(r,
		unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
}

var (
	opaque  = pattern.New(`(?i)\b(mailto|tel|sms|callto|javascript|data|slack):`)
	www     = pattern.New(`(?i)\bwww\.`)
	mention = pattern.New(`(^|[^A-Za-z0-9._%+-])@`)
	markup  = pattern.New(`<([!@#/a-zA-Z])`)
)

// defang breaks what chats and terminals make clickable or loud, in the way
// that security people write it: http[:]//, www[.], [@]channel, [<]!channel>.
// jane@acme.com stays: no channel of ours links within a literal.
func defang(s string) string {
	s = strings.ReplaceAll(s, "://", "[:]//")
	s = opaque.ReplaceAllString(s, `$1[:]`)
	s = www.ReplaceAllStringFunc(s, func(m string) string { return m[:3] + "[.]" })
	s = mention.ReplaceAllString(s, `$1[@]`)
	s = markup.ReplaceAllString(s, `[<]$1`)
	return strings.ReplaceAll(s, "`", "'") // the end of a code block
}
