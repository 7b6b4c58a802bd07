package alert_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"byokwatch/core/alert"
	"byokwatch/core/alert/alerttest"
)

func TestForeignTextIsMadeHarmless(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain text stays":                      {`statement "Allow Confluent" at arn:aws:kms:us-west-2:1:key/x`, `statement "Allow Confluent" at arn:aws:kms:us-west-2:1:key/x`},
		"names of people stay":                  {"Jörg Müller, 山田太郎, Алексей", "Jörg Müller, 山田太郎, Алексей"},
		"an address stays":                      {"jane@acme.com", "jane@acme.com"},
		"bidi control":                          {"a\u202Eb", `a\u{202E}b`},
		"zero width":                            {"a\u200Bb\uFEFF", `a\u{200B}b\u{FEFF}`},
		"tag characters":                        {"a\U000E0041", `a\u{E0041}`},
		"terminal escape":                       {"\x1b[2Jx", `\u{001B}[2Jx`},
		"C1 control":                            {"a\u009bb", `a\u{009B}b`},
		"line and paragraph separators":         {"a\u2028b\u2029c\nd\re\tf", `a\u{2028}b\u{2029}c\u{000A}d\u{000D}e\u{0009}f`},
		"odd spaces":                            {"a\u00a0b\u3000c", `a\u{00A0}b\u{3000}c`},
		"Hangul filler":                         {"a\u3164b", `a\u{3164}b`},
		"invalid bytes":                         {"a\xffb", `a\x{FF}b`},
		"a sign of ours":                        {"🟢 RECOVERED", `\u{1F7E2} RECOVERED`},
		"one Cyrillic letter in a Latin word":   {"аdmin", `\u{0430}dmin`},
		"fullwidth letters":                     {"ａdmin", `\u{FF41}dmin`},
		"mathematical letters":                  {"𝐚dmin", `\u{1D41A}dmin`},
		"heaped marks":                          {"a\u0301\u0301\u0301\u0301", "a\u0301\u0301" + `\u{0301}\u{0301}`},
		"a link":                                {"see HTTPS://evil.example/x", "see HTTPS[:]//evil.example/x"},
		"another scheme":                        {"slack://open mailto:a@b.c javascript:x", "slack[:]//open mailto[:]a@b.c javascript[:]x"},
		"a link without scheme":                 {"www.evil.example", "www[.]evil.example"},
		"a channel mention":                     {"<!channel> <@U123> <#C1> <https://x|y>", "[<]!channel> <[@]U123> [<]#C1> [<]https[:]//x|y>"},
		"a bare mention":                        {"@here and @everyone", "[@]here and [@]everyone"},
		"the end of a code block":               {"```*bold*", "'''*bold*"},
		"cutting counts characters, not bytes":  {strings.Repeat("ö", 30), strings.Repeat("ö", 19) + "…"},
		"cutting leaves what fits":              {strings.Repeat("ö", 20), strings.Repeat("ö", 20)},
		"a link that is cut is broken all same": {"1234567890 http://evil.example/path", "1234567890 http[:]//evi…"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := 60
			if strings.HasPrefix(name, "cutting") || strings.HasPrefix(name, "a link that") {
				limit = 20
			}
			if name == "a link that is cut is broken all same" {
				limit = 22
			}
			if got := alert.Clean(c.in, limit); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzForeignTextStaysLiteral(f *testing.F) {
	for _, s := range []string{
		"", "<!channel> http://evil.example", "\x1b]8;;http://evil\x07", "\u202egnp.exe", "{key} `reboot`", "$(reboot)",
		strings.Repeat("A", 40000), "\xff\xfe", "a\nb", "🔴 ACT NOW · payments", "%s%d",
	} {
		for i := range alert.Catalogue {
			f.Add(uint(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, i uint, s string) {
		s = marker + s
		code := alert.Catalogue[i%uint(len(alert.Catalogue))].Code
		checkLiteral(t, alert.Render(alerttest.Hostile(code, s)), s)
	})
}

// longest is the most characters that a line may have: an actor with six
// fields, each spelled out.
const longest = 2000

func checkLiteral(t *testing.T, m alert.Message, s string) {
	t.Helper()
	if n := utf8.RuneCountInString(m.Title); n > alert.MaxTitle {
		t.Fatalf("title of %d characters", n)
	}
	texts := []string{m.Title}
	texts = append(texts, m.Diff...)
	for _, r := range m.Rows {
		for _, l := range r.Lines {
			texts = append(texts, l.Text())
			for _, span := range l {
				checkSpan(t, span, s)
			}
		}
	}
	for _, span := range m.Footer {
		checkSpan(t, span, s)
	}
	for _, text := range texts {
		if n := utf8.RuneCountInString(text); n > longest {
			t.Fatalf("a line of %d characters", n)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
			t.Fatalf("something invisible in %q", text)
		}
	}
	for _, c := range m.Commands {
		if c != s {
			t.Fatalf("a command was altered: %q from %q", c, s)
		}
	}
}

// checkSpan fails if a text that the channel may interpret holds foreign text.
func checkSpan(t *testing.T, span alert.Span, s string) {
	t.Helper()
	if span.Kind != alert.Foreign && strings.Contains(span.Text, marker) && !grammatical(s) {
		t.Fatalf("foreign text %q got into our own %q", s, span.Text)
	}
}

// grammatical says that s may stand in a command as the name of a key.
func grammatical(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(":/._-", r)))
	})
}

// marker finds foreign text again wherever it went.
const marker = "Zq7Zq"
