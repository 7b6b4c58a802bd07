package alert

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
)

// permissions says in a few lines which requirements of whom, the way a person
// would: "all 10 permissions of cc-kafka-d45e…" and not ten lines.
func (v view) permissions(reqs []core.Requirement) []Line {
	if len(reqs) == 0 {
		return nil
	}
	order := principals(reqs)
	if all := v.Facts.Total; len(reqs) == all && all > maxNamed && len(order) <= maxPrincipals {
		l := Line{{fmt.Sprintf("all %d permissions of ", all), Ours}}
		for i, p := range order {
			if i > 0 {
				l = append(l, Span{", ", Ours})
			}
			l = append(l, Span{shortPrincipal(p, order), Foreign})
		}
		return []Line{l}
	}
	var out []Line
	for i, p := range order {
		if i == maxPrincipals {
			return append(out, more(len(order)-i, "principal"))
		}
		var of []core.Requirement
		for _, r := range reqs {
			if r.Principal == p {
				of = append(of, r)
			}
		}
		out = append(out, ofPrincipal(of, shortPrincipal(p, order)))
	}
	return out
}

// principals lists who the requirements are for, each once, in their order.
func principals(reqs []core.Requirement) []string {
	var out []string
	for _, r := range reqs {
		if !slices.Contains(out, r.Principal) {
			out = append(out, r.Principal)
		}
	}
	return out
}

func ofPrincipal(reqs []core.Requirement, name string) Line {
	var l Line
	shown := reqs
	if len(reqs) > maxNamed {
		l = append(l, Span{fmt.Sprintf("%d permissions: ", len(reqs)), Ours})
		shown = reqs[:maxNamed-1]
	}
	for i, r := range shown {
		if i > 0 {
			l = append(l, Span{", ", Ours})
		}
		l = append(l, Span{Clean(r.Permission, maxName), Foreign})
	}
	if n := len(reqs) - len(shown); n > 0 {
		l = append(l, Span{fmt.Sprintf(" and %d more", n), Ours})
	}
	if name != "" {
		l = append(l, Span{" of ", Ours}, Span{name, Foreign})
	}
	return l
}

// shortPrincipal is the part of a principal's ID that people know it by, cut
// where the rest is only an identifier, unless two would then read the same.
func shortPrincipal(p string, all []string) string {
	short := shorten(p)
	for _, other := range all {
		if other != p && shorten(other) == short {
			return Clean(p, 2*maxName)
		}
	}
	return Clean(short, maxName)
}

func shorten(p string) string {
	if account, ok := strings.CutSuffix(p, ":root"); ok {
		return "account " + account[strings.LastIndex(account, ":")+1:]
	}
	if strings.Contains(p, "@") && !strings.Contains(p, "/") {
		return p // an address is only known whole
	}
	return cut(p[strings.LastIndex(p, "/")+1:], 14)
}
