package keyvault

import (
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

// printed renders an answer with its members sorted, two spaces a level, and no
// escapes that only HTML needs. What it holds stays as it is.
func printed(answer []byte) (string, error) {
	if err := strict.Check(answer); err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	v := jsontext.Value(answer).Clone()
	err := v.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(false), jsontext.EscapeForHTML(false), jsontext.EscapeForJS(false),
		jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false), jsontext.Multiline(true), jsontext.WithIndent("  "))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	return string(v), nil
}

// printedList is printed for the items of a list.
func printedList(items []json.RawMessage) (string, error) {
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return printed(append(out, ']'))
}

// flat puts what Azure Resource Manager has within properties beside id, name and
// type, as az prints it. Members that az calls otherwise are renamed, and those in
// empty are null where they are missing.
func flat(item json.RawMessage, renamed map[string]string, empty ...string) (json.RawMessage, error) {
	o, err := rawjson.ReadObject(string(item))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	properties, err := rawjson.CutObject(o.Get("properties"))
	if err != nil {
		return nil, fmt.Errorf("%w: its properties: %w", errAnswer, err)
	}
	out := o.Without("properties")
	for _, m := range properties.Members {
		name := rawjson.Unquote(m.Name)
		if to := renamed[name]; to != "" {
			name = to
		}
		if out.Get(name) != "" {
			return nil, fmt.Errorf("%w: it says %.40q twice", errAnswer, name)
		}
		out = out.With(name, m.Value)
	}
	for _, name := range empty {
		if out.Get(name) == "" {
			out = out.With(name, "null")
		}
	}
	return json.RawMessage(out.String()), nil
}
