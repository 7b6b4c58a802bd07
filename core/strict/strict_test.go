package strict_test

import (
	"strings"
	"testing"

	"byokwatch/core/strict"
)

func TestWhatReadersDifferOnDoesNotParse(t *testing.T) {
	type doc struct {
		Effect string `json:"Effect"`
	}
	for name, text := range map[string]string{
		"a duplicate member":             `{"Effect":"Allow","Effect":"Deny"}`,
		"a duplicate written in escapes": `{"Effect":"Allow","\u0045ffect":"Deny"}`,
		"a miscased member":              `{"effect":"Allow"}`,
		"an unknown member":              `{"Effect":"Allow","Note":1}`,
		"a long s for an s":              `{"Effect":"Allow","Sid":"x"}`,
		"invalid UTF-8":                  "{\"Effect\":\"\xff\"}",
		"a lone surrogate":               `{"Effect":"\ud800"}`,
		"trailing data":                  `{"Effect":"Allow"} {}`,
		"a trailing comma":               `{"Effect":"Allow",}`,
		"nothing":                        ``,
		"a comment":                      `{/**/"Effect":"Allow"}`,
		"deep nesting":                   strings.Repeat("[", 40) + strings.Repeat("]", 40),
		"a NaN":                          `{"Effect":NaN}`,
		"excessive size":                 `"` + strings.Repeat("a", strict.MaxBytes) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			var d doc
			if err := strict.Unmarshal([]byte(text), &d); err == nil {
				t.Errorf("parsed as %+v", d)
			}
		})
	}
	var d doc
	if err := strict.Unmarshal([]byte(" {\"Effect\": \"Allow\"}\n"), &d); err != nil || d.Effect != "Allow" {
		t.Errorf("plain document: %v, %+v", err, d)
	}
}
