package awskms

import (
	"strings"
	"testing"
)

func TestPatternWithin(t *testing.T) {
	for _, x := range []struct {
		narrow, wide string
		within       bool
	}{
		{"kms:decrypt", "kms:decrypt", true},
		{"kms:decrypt", "kms:*", true},
		{"kms:decrypt", "*", true},
		{"kms:generatedatakey*", "kms:generate*", true},
		{"kms:generate*", "kms:generatedatakey*", false},
		{"kms:generatedatakeyp*", "kms:generatedatakey*", true},
		{"kms:*", "kms:?*", false},
		{"kms:?*", "kms:*", true},
		{"kms:decryp?", "kms:decrypt", false},
		{"kms:decrypt", "kms:decryp?", true},
		{"kms:*grant", "kms:*t", true},
		{"kms:*grants", "kms:*grant", false},
		{"", "*", true},
		{"*", "", false},
		{"a**b", "a*b", true},
	} {
		if got := patternWithin(x.narrow, x.wide); got != x.within {
			t.Errorf("%q within %q: %t", x.narrow, x.wide, got)
		}
	}
}

func TestPatternWithinNeverPromisesTooMuch(t *testing.T) {
	d := dealerOf(7)
	word := func(letters string, n int) string {
		var b strings.Builder
		for range d.IntN(n) {
			b.WriteByte(letters[d.IntN(len(letters))])
		}
		return b.String()
	}
	promised, refused := 0, 0
	for range 200000 {
		narrow, wide, text := word("ab*?", 5), word("ab**?", 5), word("ab", 5)
		if !globOf(narrow).match(text) {
			continue
		}
		switch matched := globOf(wide).match(text); {
		case patternWithin(narrow, wide) && !matched:
			t.Fatalf("%q is not within %q: %q", narrow, wide, text)
		case matched:
			promised++
		default:
			refused++
		}
	}
	if promised < 1000 || refused < 1000 {
		t.Errorf("%d and %d cases only", promised, refused)
	}
}

func TestOneClauseWithinAnother(t *testing.T) {
	allow := func(rest string) string {
		return `{"Effect": "Allow", "Resource": "*", ` + rest + `}`
	}
	const decrypt = `"Action": "kms:Decrypt", `
	for name, x := range map[string]struct {
		narrow, wide string
		within       bool
	}{
		"one of two principals":                       {decrypt + `"Principal": {"AWS": "111122223333"}`, decrypt + `"Principal": {"AWS": ["arn:aws:iam::111122223333:root", "` + kafka + `"]}`, true},
		"a role of an account that is let in":         {decrypt + `"Principal": {"AWS": "` + kafka + `"}`, decrypt + `"Principal": {"AWS": "152535741197"}`, false},
		"anybody where everybody is let in":           {decrypt + `"Principal": {"AWS": "` + kafka + `"}`, decrypt + `"Principal": "*"`, true},
		"a service where everybody is let in":         {decrypt + `"Principal": {"Service": "ec2.amazonaws.com"}`, decrypt + `"Principal": "*"`, false},
		"everybody but one, where everybody is":       {decrypt + `"NotPrincipal": {"AWS": "*"}`, decrypt + `"Principal": "*"`, false},
		"the same in another case":                    {`"Action": "KMS:decrypt", "Principal": "*"`, decrypt + `"Principal": {"AWS": "*"}`, true},
		"an action of what is no pattern in IAM":      {decrypt + `"Principal": "*"`, `"Action": "k?s:*", "Principal": "*"`, false},
		"an action of all services":                   {decrypt + `"Principal": "*"`, `"Action": "*", "Principal": "*"`, true},
		"a Kelvin sign in place of a k":               {`"Action": "` + "\u212a" + `ms:decrypt", "Principal": "*"`, decrypt + `"Principal": {"AWS": "*"}`, false},
		"an action that looks like an exception":      {`"Action": "except kms:Decrypt", "Principal": "*"`, `"NotAction": "kms:Decrypt", "Principal": "*"`, false},
		"two exceptions against one that holds both":  {`"NotAction": ["kms:a", "kms:b"], "Principal": "*"`, `"NotAction": "kms:a kms:b", "Principal": "*"`, false},
		"one condition more":                          {decrypt + `"Principal": "*", "Condition": {"Bool": {"a:b": true}}`, decrypt + `"Principal": "*"`, true},
		"one condition less":                          {decrypt + `"Principal": "*"`, decrypt + `"Principal": "*", "Condition": {"Bool": {"a:b": true}}`, false},
		"one value less":                              {decrypt + `"Principal": "*", "Condition": {"StringEquals": {"a:b": "x"}}`, decrypt + `"Principal": "*", "Condition": {"stringequals": {"A:b": ["x", "y"]}}`, true},
		"one value more":                              {decrypt + `"Principal": "*", "Condition": {"StringEquals": {"a:b": ["x", "y"]}}`, decrypt + `"Principal": "*", "Condition": {"StringEquals": {"a:b": "x"}}`, false},
		"no value":                                    {decrypt + `"Principal": "*", "Condition": {"StringEquals": {"a:b": []}}`, decrypt + `"Principal": "*", "Condition": {"StringEquals": {"a:b": "x"}}`, false},
		"one excluded value more":                     {decrypt + `"Principal": "*", "Condition": {"StringNotEquals": {"a:b": ["x", "y"]}}`, decrypt + `"Principal": "*", "Condition": {"StringNotEquals": {"a:b": "x"}}`, true},
		"one excluded value less":                     {decrypt + `"Principal": "*", "Condition": {"StringNotEquals": {"a:b": "x"}}`, decrypt + `"Principal": "*", "Condition": {"StringNotEquals": {"a:b": ["x", "y"]}}`, false},
		"fewer values of a set":                       {decrypt + `"Principal": "*", "Condition": {"ForAllValues:StringEquals": {"a:b": "x"}}`, decrypt + `"Principal": "*", "Condition": {"ForAllValues:StringEquals": {"a:b": ["x", "y"]}}`, false},
		"an encryption context's key in another case": {decrypt + `"Principal": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:App": "x"}}`, decrypt + `"Principal": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:app": "x"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			var clauses [2][]clause
			for i, text := range []string{x.narrow, x.wide} {
				p, err := parse(policyText(allow(text)))
				if err != nil {
					t.Fatal(err)
				}
				clauses[i] = p.allows()
			}
			if len(clauses[0]) == 0 {
				t.Fatal("no clause")
			}
			if got := allWithin(clauses[0], clauses[1]); got != x.within {
				t.Errorf("%t", got)
			}
		})
	}
}

func TestTheSameWordsInAnotherVersionAreNotTheSame(t *testing.T) {
	text := `{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalArn": "${aws:PrincipalTag/x}"}}}`
	now, err := parse(policyText(text))
	if err != nil {
		t.Fatal(err)
	}
	old := now
	old.Version = version2008
	if allWithin(now.allows(), old.allows()) || allWithin(old.allows(), now.allows()) {
		t.Error("a variable passes for its own text")
	}
	if !allWithin(now.allows(), now.allows()) {
		t.Error("a clause is not within itself")
	}
}
