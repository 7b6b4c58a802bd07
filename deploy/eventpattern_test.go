package deploy_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// matches says whether an event pattern of EventBridge takes an event. What is
// not known here is an error and never a guess.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func matches(pattern, event map[string]any) (bool, error) {
	for name, want := range pattern {
		ok, err := matchesMember(name, want, event)
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

func matchesMember(name string, want any, event map[string]any) (bool, error) {
	got, there := event[name]
	switch want := want.(type) {
	case map[string]any:
		inner, _ := got.(map[string]any)
		return matches(want, inner) // exists:false holds where the whole object is absent
	case []any:
		if name == "$or" {
			return either(want, event)
		}
		if len(want) == 0 {
			return false, fmt.Errorf("an empty list is no pattern")
		}
		for _, w := range want {
			ok, err := matchesLeaf(w, got, there)
			if ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("%v is neither an object nor a list", want)
}

func either(patterns []any, event map[string]any) (bool, error) {
	one := false
	for _, p := range patterns {
		p, ok := p.(map[string]any)
		if !ok {
			return false, fmt.Errorf("%v is no pattern", p)
		}
		ok, err := matches(p, event)
		if err != nil {
			return false, err
		}
		one = one || ok
	}
	return one, nil
}

// matchesLeaf tries one element of a pattern's list. Of an event's list it is
// enough if one element matches.
func matchesLeaf(want, got any, there bool) (bool, error) {
	operator, ok := want.(map[string]any)
	if ok {
		if len(operator) != 1 {
			return false, fmt.Errorf("%v is no operator", want)
		}
		if exists, ok := operator["exists"].(bool); ok {
			_, object := got.(map[string]any) // only leaves exist
			return exists == (there && !object), nil
		}
	}
	if list, ok := got.([]any); ok {
		for _, g := range list {
			ok, err := matchesLeaf(want, g, true)
			if ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	if operator == nil {
		return there && reflect.DeepEqual(want, got), nil
	}
	for name, value := range operator {
		if name == "anything-but" {
			if !there {
				return false, nil
			}
			ok, err := matchesAny(value, got)
			return !ok, err
		}
		return hasPrefix(name, value, got)
	}
	return false, nil
}

func matchesAny(values, got any) (bool, error) {
	list, ok := values.([]any)
	if !ok {
		list = []any{values}
	}
	for _, v := range list {
		ok, err := matchesLeaf(v, got, true)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func hasPrefix(operator string, value, got any) (bool, error) {
	prefix, ok := value.(string)
	if operator != "prefix" || !ok {
		return false, fmt.Errorf("operator %s with %v is not known here", operator, value)
	}
	text, ok := got.(string)
	return ok && strings.HasPrefix(text, prefix), nil
}

// object is JSON as the maps of this package.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func TestEventPatterns(t *testing.T) {
	const event = `{"source":"aws.kms","detail":{"eventName":"PutKeyPolicy","n":3,"no":null,"tags":["a","b"],"in":{"x":"/p/q"}}}`
	for pattern, want := range map[string]string{
		`{"source":["aws.kms"]}`:                                                    "yes",
		`{"source":["aws.s3","aws.kms"]}`:                                           "yes",
		`{"source":["AWS.KMS"]}`:                                                    "no",
		`{"source":["aws.kms"],"detail":{"eventName":["DisableKey"]}}`:              "no",
		`{"detail":{"n":[3],"no":[null],"tags":["b"]}}`:                             "yes",
		`{"detail":{"n":["3"]}}`:                                                    "no",
		`{"detail":{"errorCode":[null]}}`:                                           "no",
		`{"detail":{"errorCode":[{"exists":false}]}}`:                               "yes",
		`{"detail":{"errorCode":[{"exists":true}]}}`:                                "no",
		`{"detail":{"eventName":[{"exists":true}],"in":{"y":[{"exists":false}]}}}`:  "yes",
		`{"other":{"errorCode":[{"exists":false}]}}`:                                "yes",
		`{"detail":{"eventName":[{"prefix":"Put"}]}}`:                               "yes",
		`{"detail":{"eventName":[{"prefix":"Key"}]}}`:                               "no",
		`{"detail":{"eventName":[{"anything-but":["DisableKey","EnableKey"]}]}}`:    "yes",
		`{"detail":{"eventName":[{"anything-but":"PutKeyPolicy"}]}}`:                "no",
		`{"detail":{"eventName":[{"anything-but":{"prefix":"Put"}}]}}`:              "no",
		`{"detail":{"gone":[{"anything-but":"a"}]}}`:                                "no",
		`{"$or":[{"source":["aws.s3"]},{"detail":{"n":[3]}}]}`:                      "yes",
		`{"detail":{"$or":[{"n":[4]},{"no":["x"]}]}}`:                               "no",
		`{"source":["aws.kms"],"$or":[{"source":["aws.s3"]},{"detail":{"n":[4]}}]}`: "no",
		`{"detail":{"n":[{"numeric":["=",3]}]}}`:                                    "error",
		`{"detail":{"eventName":[{"prefix":{"equals-ignore-case":"put"}}]}}`:        "error",
		`{"source":"aws.kms"}`:                                                      "error",
		`{"detail":{"eventName":[]}}`:                                               "error",
		`{"detail":{"eventName":[{"cidr":"10.0.0.0/8"}]}}`:                          "error",
		`{"detail":{"tags":[{"prefix":"b"}]}}`:                                      "yes",
		`{"detail":{"eventName":[{"wildcard":"Put*"}]}}`:                            "error",
	} {
		ok, err := matches(object(t, pattern), object(t, event))
		got := map[bool]string{true: "yes", false: "no"}[ok]
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", pattern, got, err, want)
		}
	}
}
