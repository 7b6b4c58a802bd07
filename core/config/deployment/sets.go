package deployment

import (
	"maps"
	"slices"
)

// sets are sets of texts by name; the zero value has none.
type sets map[string]map[string]bool

func (s *sets) add(name, value string) {
	if *s == nil {
		*s = sets{}
	}
	if (*s)[name] == nil {
		(*s)[name] = map[string]bool{}
	}
	(*s)[name][value] = true
}

// list is one set in order. An empty one is a list as well: null would be one
// more case for whoever reads it.
func (s sets) list(name string) []string {
	return append([]string{}, slices.Sorted(maps.Keys(s[name]))...)
}

func (s sets) named(names ...string) map[string][]string {
	out := map[string][]string{}
	for _, name := range names {
		out[name] = s.list(name)
	}
	return out
}
