package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parsedAddition(t *testing.T) addition {
	t.Helper()
	var a addition
	text := `{"at": "resource x_topic / policy", "since": "1.3", "source": "https://example.com/policy",
		"attributes": {"colour": {"type": "string", "optional": true}},
		"block_types": {"shade": {"nesting_mode": "list", "block": {}}}, "min_items": 1}`
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAdditionIsMergedWhereItSays(t *testing.T) {
	p, dir := packed(t, thePackage(t))
	f, err := extractFile("x", p, dir, map[key]bool{{"provider", "x"}: true, {"resource", "x_topic"}: true}, []addition{parsedAddition(t)})
	if err != nil {
		t.Fatal(err)
	}
	policy := f.Schema.ResourceSchemas["x_topic"].Block.NestedBlocks["policy"]
	if policy.MinItems != 1 || policy.MaxItems != 1 || policy.Block.Attributes["colour"] == nil || policy.Block.NestedBlocks["shade"] == nil {
		t.Errorf("merged to %+v", policy)
	}
	for want, change := range map[string]func(*addition){
		"has the attribute regions by now": func(a *addition) { a.Attr["regions"] = a.Attr["colour"] },
		"has the block policy by now":      func(a *addition) { a.At = "resource x_topic"; a.MinItems = 0; a.Blocks["policy"] = a.Blocks["shade"] },
		"there is no block rules":          func(a *addition) { a.At = "resource x_topic / rules" },
		"there is no data x_topic":         func(a *addition) { a.At = "data x_topic" },
		"only a block can be there":        func(a *addition) { a.At = "resource x_topic" },
	} {
		f, err := extractFile("x", p, dir, map[key]bool{{"provider", "x"}: true, {"resource", "x_topic"}: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := parsedAddition(t)
		change(&a)
		if err := a.merge(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAnAdditionSaysWhereItIsDocumented(t *testing.T) {
	name := filepath.Join(t.TempDir(), "additions.json")
	for text, good := range map[string]bool{
		`{"x": [{"at": "resource x_topic", "since": "1", "source": "https://example.com"}]}`:            true,
		`{"x": [{"at": "resource x_topic", "since": "1", "source": "somewhere"}]}`:                      false,
		`{"x": [{"at": "resource x_topic", "since": "1"}]}`:                                             false,
		`{"x": [{"at": "resource x_topic", "source": "https://example.com"}]}`:                          false,
		`{"x": [{"at": "resource x_topic", "since": "1", "source": "https://example.com", "more": 1}]}`: false,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAdditions(name); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
