package awstest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"byokwatch/core/watchdog/chaostest"
)

// show prints a stored policy as GetKeyPolicy does: re-serialised with a space
// before each colon, lists of one element as a string, and the principals of a
// list in an order that differs from call to call
// (github.com/aws/aws-cli/issues/9456,
// github.com/hashicorp/terraform-provider-aws/issues/39788). turn chooses that
// order. Call with the lock held.
func (c *Cloud) show(doc *document, turn uint64) string {
	root := &object{}
	root.text("Version", doc.Version)
	root.text("Id", doc.ID)
	var list []any
	for _, s := range doc.Statement {
		list = append(list, c.showStatement(s, turn))
	}
	root.add("Statement", list)
	var b strings.Builder
	layout(&b, root, 0)
	return b.String()
}

func (c *Cloud) showStatement(s *statement, turn uint64) *object {
	o := &object{}
	o.text("Sid", s.Sid)
	o.text("Effect", s.Effect)
	for _, p := range []struct {
		name string
		*principals
	}{{"Principal", s.Principal}, {"NotPrincipal", s.NotPrincipal}} {
		if p.principals == nil {
			continue
		}
		who := &object{}
		for _, kind := range slices.Sorted(maps.Keys(p.who)) {
			var names []string
			for _, n := range p.who[kind] {
				names = append(names, c.iam.show(n))
			}
			slices.SortFunc(names, func(a, b string) int {
				x, y := chaostest.Hash(c.opts.Seed, "order", a, turn), chaostest.Hash(c.opts.Seed, "order", b, turn)
				if x < y {
					return -1
				}
				return 1
			})
			who.list(kind, names)
		}
		o.add(p.name, who)
	}
	o.list("Action", s.Action)
	o.list("NotAction", s.NotAction)
	o.list("Resource", s.Resource)
	if len(s.Condition) > 0 {
		o.add("Condition", showConditions(s.Condition))
	}
	return o
}

func showConditions(all conditions) *object {
	o := &object{}
	for _, op := range slices.Sorted(maps.Keys(all)) {
		keys := &object{}
		for _, k := range slices.Sorted(maps.Keys(all[op])) {
			var values []string
			for _, v := range all[op][k] {
				values = append(values, string(v))
			}
			if len(values) == 0 {
				keys.add(k, []any{})
			}
			keys.list(k, values)
		}
		o.add(op, keys)
	}
	return o
}

// object is a JSON object in order.
type object struct {
	names  []string
	values []any // string, []any or *object
}

func (o *object) add(name string, v any) {
	o.names, o.values = append(o.names, name), append(o.values, v)
}

func (o *object) text(name, v string) {
	if v != "" {
		o.add(name, v)
	}
}

func (o *object) list(name string, v []string) {
	if len(v) == 1 {
		o.add(name, v[0])
	} else if len(v) > 1 {
		all := make([]any, len(v))
		for i := range v {
			all[i] = v[i]
		}
		o.add(name, all)
	}
}

// layout writes JSON in the layout of GetKeyPolicy's answers.
func layout(b *strings.Builder, v any, depth int) {
	indent := func(n int) { b.WriteString("\n" + strings.Repeat("  ", n)) }
	switch v := v.(type) {
	case string:
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // a string always marshals
		}
		b.Write(text)
	case []any:
		b.WriteString("[ ")
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			layout(b, e, depth)
		}
		b.WriteString(" ]")
	case *object:
		b.WriteString("{")
		for i, name := range v.names {
			if i > 0 {
				b.WriteString(",")
			}
			indent(depth + 1)
			layout(b, name, depth)
			b.WriteString(" : ")
			layout(b, v.values[i], depth+1)
		}
		indent(depth)
		b.WriteString("}")
	}
}
