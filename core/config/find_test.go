package config_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/config"
)

func full(t *testing.T) *config.Config {
	t.Helper()
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFind(t *testing.T) {
	c := full(t)
	for name, want := range map[string]int{
		"payments": 0, baseKey: 0, "7890ab": -1, "ef-1234567890ab": 0, "ef1234567890ab": 1, "old": 1,
		"https://acme-vault.vault.azure.net/keys/kafka": 2, "https://ACME-vault.vault.azure.net/keys/Kafka": 2, c.Keys[2].ID: 2, strings.ToUpper(c.Keys[2].ID): 2,
		"keys/Kafka": 2, "https://other.vault.azure.net/keys/kafka": -2, "cryptoKeys/payments": 3, "": -2, "nothing": -2, strings.ToUpper(baseKey): -2,
	} {
		k, err := c.Find(name)
		switch {
		case want >= 0 && (err != nil || k.ID != c.Keys[want].ID):
			t.Errorf("%q: %s, %v", name, k.ID, err)
		case want == -1 && (err == nil || errors.Is(err, core.ErrNotFound) || !strings.Contains(err.Error(), "payments ("+baseKey+")") || !strings.Contains(err.Error(), "old (")):
			t.Errorf("%q: ambiguous, but %s, %v", name, k.ID, err)
		case want == -2 && !errors.Is(err, core.ErrNotFound):
			t.Errorf("%q: %s, %v", name, k.ID, err)
		}
	}
}

func TestKeysIn(t *testing.T) {
	c := full(t)
	for place, want := range map[[2]string]int{
		{"111122223333", "us-west-2"}: 1, {"111122223333", "eu-west-1"}: 1, {"111122223333", "us-east-1"}: 0, {"999922223333", "us-west-2"}: 0, {"", ""}: 0,
	} {
		if got := c.KeysIn(place[0], place[1]); len(got) != want {
			t.Errorf("%v: %d keys", place, len(got))
		}
	}
	if n := len(c.KeysOf(core.Azure)) + 10*len(c.KeysOf(core.AWS)) + 100*len(c.KeysOf(core.GCP)); n != 121 {
		t.Errorf("keys of clouds: %d", n)
	}
}

func TestCovers(t *testing.T) {
	k := core.Key{ID: "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments", Label: "gcp-pay"}
	for glob, want := range map[string]bool{
		"gcp-*": true, "gcp-pay": true, "pay": false, "*/payments": true, "projects/acme/*": true, "*": true, "projects/?cme/*": true, "[a-f]cp-pay": false, "": false,
	} {
		if got := (config.Channel{Keys: []string{glob}}).Covers(k); got != want {
			t.Errorf("%q: %v", glob, got)
		}
	}
	if !(config.Channel{}).Covers(k) {
		t.Error("a channel without globs covers every key")
	}
}

func TestVerify(t *testing.T) {
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	for given, want := range map[string]string{
		sum:                     "",
		strings.ToUpper(sum):    "",
		"0" + sum[1:]:           "the configuration is not the pinned one: its SHA-256 is " + sum + ", BYOKWATCH_CONFIG_SHA256 says 0" + sum[1:] + "; nothing in it is used",
		"":                      "BYOKWATCH_CONFIG_SHA256 is not a SHA-256 sum: it has 0 characters instead of 64 hex digits",
		sum[:62]:                "BYOKWATCH_CONFIG_SHA256 is not a SHA-256 sum: it has 62 characters instead of 64 hex digits",
		strings.Repeat("z", 64): "BYOKWATCH_CONFIG_SHA256 is not a SHA-256 sum: it has 64 characters instead of 64 hex digits",
		sum + "00":              "BYOKWATCH_CONFIG_SHA256 is not a SHA-256 sum: it has 66 characters instead of 64 hex digits",
	} {
		err := config.Verify([]byte("hello"), given)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v", given, err)
		}
	}
}

func TestParseStore(t *testing.T) {
	for url, want := range map[string]config.Location{
		"s3://acme-byokwatch/prod":     {Scheme: "s3", Bucket: "acme-byokwatch", Prefix: "prod"},
		"s3://acme-byokwatch":          {Scheme: "s3", Bucket: "acme-byokwatch"},
		"s3://acme-byokwatch/a/b/":     {Scheme: "s3", Bucket: "acme-byokwatch", Prefix: "a/b"},
		"gs://acme_byokwatch/prod":     {Scheme: "gs", Bucket: "acme_byokwatch", Prefix: "prod"},
		"azblob://acmebw/prod":         {Scheme: "azblob", Account: "acmebw", Bucket: "prod"},
		"azblob://acmebw/prod/x":       {Scheme: "azblob", Account: "acmebw", Bucket: "prod", Prefix: "x"},
		"file:///var/lib/by%20okwatch": {Scheme: "file", Dir: "/var/lib/by okwatch"},
		"file:///var/../tmp/":          {Scheme: "file", Dir: "/tmp"},
	} {
		if got, err := config.ParseStore(url); err != nil || got != want {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	for _, url := range []string{
		"", "s3:", "s3://", "s3:///x", "s3://acme-byokwatch//x", "s3://acme-byokwatch/a/../b", "s3://acme-byokwatch/a?b", "s3://u@acme/b", "s3://acme.-x/b",
		"azblob://acmebw", "azblob://Acme/prod", "azblob://acmebw/-x", "file://host/x", "file:///%00", "file:///x?y", "S3://acme-byokwatch/x", "http://acme/x",
		"s3://acme-byokwatch/" + strings.Repeat("a", 101), "s3://acme-byokwatch/..",
	} {
		if got, err := config.ParseStore(url); err == nil {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	texts := []string{base, "{", "{}", "- - -", "? a\n: b", "a: |\n  x\n y", "[[[[", "a: {b: [c, {d: e}]}", "mode: !!x y", "\t", "---\n---", "%YAML 1.2"}
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range append(texts, string(data)) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(data)
		if err != nil {
			faults, ok := errors.AsType[config.Faults](err)
			if !ok || len(faults) == 0 || slices.ContainsFunc(faults, func(f config.Fault) bool { return f.Line < 1 || f.Text == "" }) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if len(c.Keys) == 0 || c.Mode == "" {
			t.Fatalf("%+v", c)
		}
		for _, k := range c.Keys {
			if k.ID == "" || k.Cloud == "" || k.Mode == "" || k.Restore == "" || c.Store[k.Cloud] == "" {
				t.Fatalf("%+v", k)
			}
		}
	})
}

// TestNothingTakesForever tries what a lexer or parser may be slow at: a
// configuration is also read while a function starts.
func TestNothingTakesForever(t *testing.T) {
	const size = 1 << 16
	for _, head := range []string{"", "a: [", "a: {", "a: \"", "a: '", "a: |\n", "a: >2\n", "- |\n", "|\n", "a#b: |\n", "a: !x |-\n", "a: b", "{"} {
		for _, unit := range []string{"\n", " ", "\r\n", ",", "[", "[],", "{a: b},", "- a\n", "a:\n", "  c\n", "#\n", "'", "\"\\\"", "word ", "---\n", ": ", "\t"} {
			begun := time.Now()
			_, err := config.Parse([]byte(head + strings.Repeat(unit, size/len(unit))))
			if took := time.Since(begun); err == nil || took > 5*time.Second {
				t.Errorf("%q and then %q: %v, %v", head, unit, took, err)
			}
		}
	}
}

func BenchmarkParseTenThousandKeys(b *testing.B) {
	var text strings.Builder
	head, _, _ := strings.Cut(base, "  - key")
	text.WriteString(head)
	for i := range 10_000 {
		text.WriteString("  - key: arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-")
		text.WriteString(strings.Repeat("0", 6) + string([]byte{'0' + byte(i/100000%10), '0' + byte(i/10000%10), '0' + byte(i/1000%10), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)}))
		text.WriteString("\n    confluent: {roles: ['arn:aws:iam::152535741197:role/cc-kafka-1']}\n")
	}
	data := []byte(text.String())
	b.ReportAllocs()
	for b.Loop() {
		c, err := config.Parse(data)
		if err != nil || len(c.Keys) != 10_000 {
			b.Fatal(err)
		}
	}
}
