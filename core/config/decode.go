package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decoder walks the tree and collects every fault instead of stopping at the
// first, so that one run tells all that is to be mended.
type decoder struct {
	faults Faults
}

func (d *decoder) fault(line int, field, format string, args ...any) {
	d.faults = append(d.faults, Fault{Line: line, Field: field, Text: fmt.Sprintf(format, args...)})
}

// fields reads an object by what each of its fields is for, and returns the
// line of each that is there, or nil if n is no object. A field that into does
// not name is a fault.
func (d *decoder) fields(n *node, field string, into map[string]func(n *node, field string)) map[string]int {
	if n.kind != object {
		d.fault(n.line, field, "must be fields (%s), not %s", nameFields(into), n.describe())
		return nil
	}
	lines := map[string]int{}
	for _, m := range n.members {
		name := join(field, m.name)
		read, known := into[m.name]
		switch {
		case !known:
			d.fault(m.line, join(field, quoteName(m.name)), "unknown field; known here: %s", nameFields(into))
		case lines[m.name] != 0:
			d.fault(m.line, name, "stands here twice, first on line %d", lines[m.name])
		default:
			lines[m.name] = m.line
			read(m.value, name)
		}
	}
	return lines
}

// need faults fields that are not there. line is that of their object, lines
// what fields returned for it.
func (d *decoder) need(lines map[string]int, line int, field string, names ...string) {
	for _, name := range names {
		if lines != nil && lines[name] == 0 {
			d.fault(line, join(field, name), "is missing")
		}
	}
}

// each reads a list of at least one item.
func (d *decoder) each(n *node, field string, read func(n *node, field string)) {
	if n.kind != list {
		d.fault(n.line, field, "must be a list, not %s", n.describe())
		return
	}
	if len(n.items) == 0 {
		d.fault(n.line, field, "is an empty list")
	}
	for i, item := range n.items {
		read(item, fmt.Sprintf("%s[%d]", field, i))
	}
}

// maxText bounds a text in characters; no ID of a cloud is longer.
const maxText = 2048

// text reads a string that may appear in messages and logs.
func (d *decoder) text(n *node, field string) (string, bool) {
	s, hint := n.text, ""
	if n.kind == plain && !n.empty() || n.kind == object {
		hint = "; put it in quotes"
	}
	switch {
	case n.kind != text:
		d.fault(n.line, field, "must be text, not %s%s", n.describe(), hint)
		return "", false
	case s == "":
		d.fault(n.line, field, "is empty")
		return "", false
	case strings.Contains(s, "${"):
		d.fault(n.line, field, "${…} stands only in a secret field (the url of a channel or of the heartbeat)")
		return "", false
	case utf8.RuneCountInString(s) > maxText:
		d.fault(n.line, field, "is longer than %d characters", maxText)
		return "", false
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		d.fault(n.line, field, "holds a line break or an invisible character: %s", quote(s))
		return "", false
	case strings.TrimSpace(s) != s:
		d.fault(n.line, field, "begins or ends with a space: %s", quote(s))
		return "", false
	}
	return s, true
}

// parsed reads a string through the grammar of its field.
func parsed[T any](d *decoder, into *T, parse func(string) (T, error)) func(*node, string) {
	return func(n *node, field string) {
		s, ok := d.text(n, field)
		if !ok {
			return
		}
		v, err := parse(s)
		if err != nil {
			d.fault(n.line, field, "%v", err)
			return
		}
		*into = v
	}
}

// one reads one of a few words.
func one[T ~string](d *decoder, into *T, words ...T) func(*node, string) {
	return parsed(d, into, func(s string) (T, error) {
		if slices.Contains(words, T(s)) {
			return T(s), nil
		}
		return "", fmt.Errorf("must be %s, not %s", orList(words), quote(s))
	})
}

// texts reads a list of different strings through the grammar of its items.
func texts(d *decoder, into *[]string, parse func(string) (string, error)) func(*node, string) {
	return func(n *node, field string) {
		lines := map[string]int{}
		d.each(n, field, func(n *node, field string) {
			var s string
			parsed(d, &s, parse)(n, field)
			if s == "" {
				return
			}
			if first := lines[s]; first != 0 {
				d.fault(n.line, field, "stands here twice, first on line %d", first)
				return
			}
			lines[s] = n.line
			*into = append(*into, s)
		})
	}
}

// free accepts any text up to a length that fits into a chat message.
func free(s string) (string, error) {
	const most = 200
	if utf8.RuneCountInString(s) > most {
		return "", fmt.Errorf("is longer than %d characters", most)
	}
	return s, nil
}

func (n *node) describe() string {
	switch n.kind {
	case text:
		return "text"
	case list:
		return "a list"
	case object:
		return "fields"
	case plain:
		if n.empty() {
			return "nothing"
		}
		return quote(n.text)
	}
	return "something else"
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

// quoteName shows the name of an unknown field: bare if it looks like one, else
// only its beginning, for it may be a secret in the wrong place.
func quoteName(name string) string {
	const most = 12
	if fieldName.MatchString(name) {
		return name
	}
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return quote(name)
}

func nameFields[V any](into map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(into)), ", ")
}

func orList[T ~string](words []T) string {
	var out strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			out.WriteString(" or ")
		case i > 0:
			out.WriteString(", ")
		}
		out.WriteString(string(w))
	}
	return out.String()
}
