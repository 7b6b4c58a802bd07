package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// matches says whether EventBridge would match an event, for as much of its
// pattern language as the rules use; anything else fails the test.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func matches(t *testing.T, pattern, event any) bool {
	t.Helper()
	fields, ok := pattern.(map[string]any)
	if !ok {
		t.Fatalf("a pattern is an object, not %v", pattern)
	}
	object, _ := event.(map[string]any)
	for name, want := range fields {
		switch want := want.(type) {
		case map[string]any:
			if !matches(t, want, object[name]) {
				return false
			}
		case []any:
			if name == "$or" {
				if !slices.ContainsFunc(want, func(p any) bool { return matches(t, p, event) }) {
					return false
				}
				continue
			}
			value, there := object[name]
			values, several := value.([]any)
			if !several {
				values = []any{value}
			}
			if !slices.ContainsFunc(want, func(w any) bool {
				return slices.ContainsFunc(values, func(v any) bool { return matchesValue(t, w, v, there) })
			}) {
				return false
			}
		default:
			t.Fatalf("a pattern's field is a list or an object, not %v", want)
		}
	}
	return true
}

func matchesValue(t *testing.T, want, value any, there bool) bool {
	t.Helper()
	text, isText := value.(string)
	if w, ok := want.(string); ok {
		return isText && w == text
	}
	operator, _ := want.(map[string]any)
	if len(operator) != 1 {
		t.Fatalf("no operator that the rules use: %v", want)
	}
	for name, argument := range operator {
		switch name {
		case "exists":
			return there == argument.(bool)
		case "prefix":
			return isText && strings.HasPrefix(text, argument.(string))
		case "wildcard":
			return isText && wild(argument.(string), text)
		}
		t.Fatalf("no operator that the rules use: %v", want)
	}
	return false
}

// wild matches * as any text.
func wild(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		at := strings.Index(text, p)
		if at < 0 {
			return false
		}
		text = text[at+len(p):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

func eventOf(t *testing.T, text string) any {
	t.Helper()
	var event any
	must(t, json.Unmarshal([]byte(text), &event))
	return event
}

func TestTheMatcherMatchesAsEventBridgeDoes(t *testing.T) {
	pattern := eventOf(t, `{"source":[{"prefix":"aws."}],"detail":{"error":[{"exists":false}],"$or":[{"name":["a",{"wildcard":"*:x:b*"}]},{"names":["c"]}]}}`)
	for event, want := range map[string]bool{
		`{"source":"aws.kms","detail":{"name":"a"}}`:             true,
		`{"source":"aws.kms","detail":{"name":"arn:x:by"}}`:      true,
		`{"source":"aws.kms","detail":{"names":["z","c"]}}`:      true,
		`{"source":"aws.kms","detail":{"name":"b"}}`:             false,
		`{"source":"mine.aws.","detail":{"name":"a"}}`:           false,
		`{"source":"aws.kms","detail":{"name":"a","error":"e"}}`: false,
		`{"source":"aws.kms","detail":{}}`:                       false,
		`{"detail":{"name":"a"}}`:                                false,
	} {
		if got := matches(t, pattern, eventOf(t, event)); got != want {
			t.Errorf("%s: %v", event, got)
		}
	}
}
