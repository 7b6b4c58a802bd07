package awskms

import (
	"strings"

	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// expand resolves the policy variables of a text for one request. like says
// that the text's own * and ? are wildcards; what a variable stands for is
// always literal, and so are ${*}, ${?} and ${$}.
//
// The truth says whether the text could be resolved: no for a variable without
// a value or default, which then matches nothing, unknown for a value that we
// don't know.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (r request) expand(text string, like bool) (pattern, truth.Truth) {
	read := literal
	if like {
		read = globOf
	}
	var p pattern
	resolved := truth.Yes
	for {
		before, rest, found := strings.Cut(text, "${")
		p = append(p, read(before)...)
		if !found {
			return p, resolved
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, truth.Unknown
		}
		v, ok := r.variable(name)
		resolved = resolved.And(ok)
		p = append(p, literal(v)...)
		text = after
	}
}

// variable is the value of what stands between ${ and }.
func (r request) variable(name string) (string, truth.Truth) {
	switch name {
	case "*", "?", "$":
		return name, truth.Yes
	}
	key, fallback, hasFallback := cutDefault(name)
	if key == "" || !strings.Contains(key, ":") {
		return "", truth.Unknown
	}
	f := r.fact(wording.Lower(key))
	switch {
	case f.instant:
		return "", truth.Unknown
	case len(f.present) == 0 && hasFallback:
		return fallback, truth.Yes
	case len(f.present) == 0:
		return "", truth.No
	case f.absent || len(f.present) > 1 || len(f.present[0]) != 1 || f.present[0][0].open || f.present[0][0].org:
		return "", truth.Unknown
	}
	return f.present[0][0].text, truth.Yes
}

// cutDefault splits aws:username, 'somebody' into the key and its default.
func cutDefault(name string) (key, fallback string, ok bool) {
	key, quoted, found := strings.Cut(name, ",")
	key = strings.TrimSpace(key)
	if !found {
		return key, "", false
	}
	quoted = strings.TrimSpace(quoted)
	if len(quoted) < 2 || quoted[0] != '\'' || quoted[len(quoted)-1] != '\'' {
		return "", "", false
	}
	return key, quoted[1 : len(quoted)-1], true
}
