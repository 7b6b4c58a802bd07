package wording_test

import (
	"testing"

	"byokwatch/core/policy/wording"
)

func TestOnlyASCIIFolds(t *testing.T) {
	for a, want := range map[string]string{
		"": "", "plain": "plain", "KMS:Decrypt": "kms:decrypt", "ÄZ": "Äz",
		"\u212aey": "\u212aey", "\u017ftatement": "\u017ftatement", "A\xffZ": "a\xffz",
	} {
		if got := wording.Lower(a); got != want {
			t.Errorf("%q: %q, want %q", a, got, want)
		}
		if !wording.Same(a, want) {
			t.Errorf("%q and %q are not the same", a, want)
		}
	}
	for a, b := range map[string]string{"\u212aey": "key", "\u017fo": "so", "ab": "abc", "@": "`", "[": "{"} {
		if wording.Same(a, b) {
			t.Errorf("%q passes for %q", a, b)
		}
	}
}

func TestAbridgeCountsCharacters(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{{"short", 5, "short"}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äöü…"}, {"longer", 4, "long…"}, {"", 0, ""}} {
		if got := wording.Abridge(c.text, c.most); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.most, got, c.want)
		}
	}
}
