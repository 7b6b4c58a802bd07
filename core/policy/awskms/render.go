package awskms

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"byokwatch/core/rawjson"
)

// maxPolicy is the size limit of a key policy in bytes; it can't be raised.
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
const maxPolicy = 32768

var errTooLarge = errors.New("the policy would be larger than KMS takes")

// draft is a policy being edited. A statement that nobody changed keeps its own
// bytes, so that an edit can be read as what it is.
type draft struct {
	version, id string
	statements  []statement
}

func draftOf(p policy) draft {
	return draft{version: p.Version, id: p.ID, statements: append([]statement(nil), p.Statements...)}
}

// policy is the draft as parse would read it.
func (d draft) policy() policy {
	return policy{Version: d.version, ID: d.id, Statements: d.statements}
}

// text writes the draft: readable where that fits KMS's limit, else compact.
func (d draft) text() (string, error) {
	var b strings.Builder
	b.WriteString("{\n")
	if d.version != "" {
		fmt.Fprintf(&b, "  \"Version\": %s,\n", rawjson.Quote(d.version))
	}
	if d.id != "" {
		fmt.Fprintf(&b, "  \"Id\": %s,\n", rawjson.Quote(d.id))
	}
	b.WriteString("  \"Statement\": [")
	for i, s := range d.statements {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n    ")
		b.Write(s.text("    "))
	}
	b.WriteString("\n  ]\n}")
	if b.Len() <= maxPolicy {
		return b.String(), nil
	}
	v := jsontext.Value(b.String())
	if err := v.Compact(); err != nil {
		return "", fmt.Errorf("write policy: %w", err)
	}
	if len(v) > maxPolicy {
		return "", fmt.Errorf("%w: %d bytes, at most %d", errTooLarge, len(v), maxPolicy)
	}
	return string(v), nil
}

// text writes one statement: its own bytes, or, after a change (raw is nil), in
// the order of AWS's examples, indented for the given margin.
func (s statement) text(margin string) []byte {
	if s.raw != nil {
		return s.raw
	}
	var members []string
	add := func(name, value string) { members = append(members, rawjson.Quote(name)+": "+value) }
	if s.Sid != "" {
		add("Sid", rawjson.Quote(s.Sid))
	}
	add("Effect", rawjson.Quote(s.Effect))
	if s.Principal != nil {
		add("Principal", s.Principal.text())
	}
	if s.NotPrincipal != nil {
		add("NotPrincipal", s.NotPrincipal.text())
	}
	for _, m := range []struct {
		name string
		list []string
	}{{"Action", s.Action}, {"NotAction", s.NotAction}, {"Resource", s.Resource}, {"NotResource", s.NotResource}} {
		if m.list != nil {
			add(m.name, listText(m.list))
		}
	}
	if len(s.Conditions) > 0 {
		add("Condition", conditionsText(s.Conditions))
	}
	v := jsontext.Value("{" + strings.Join(members, ", ") + "}")
	// What was just written with quote is well-formed, so that indenting it
	// can't fail.
	_ = v.Indent(jsontext.WithIndentPrefix(margin), jsontext.WithIndent("  "))
	return v
}

// text writes Principal as a map even for everyone: KMS has been seen to refuse
// a bare "*". Source: https://github.com/aws/aws-cdk/issues/12511
func (p principals) text() string {
	var kinds []string
	for _, k := range []struct {
		name string
		list []string
	}{{"AWS", p.AWS}, {"Federated", p.Federated}, {"Service", p.Service}, {"CanonicalUser", p.Canonical}} {
		if len(k.list) > 0 {
			kinds = append(kinds, rawjson.Quote(k.name)+": "+listText(k.list))
		}
	}
	return "{" + strings.Join(kinds, ", ") + "}"
}

// conditionsText writes each operator once, with all of its keys, in the order
// of their first appearance.
func conditionsText(conditions []condition) string {
	var operators []string
	keys := map[string][]string{}
	for _, c := range conditions {
		if keys[c.Operator] == nil {
			operators = append(operators, c.Operator)
		}
		keys[c.Operator] = append(keys[c.Operator], rawjson.Quote(c.Key)+": "+listText(c.Values))
	}
	for i, o := range operators {
		operators[i] = rawjson.Quote(o) + ": {" + strings.Join(keys[o], ", ") + "}"
	}
	return "{" + strings.Join(operators, ", ") + "}"
}

func listText(list []string) string {
	if len(list) == 1 {
		return rawjson.Quote(list[0])
	}
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = rawjson.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
