package azurekv

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// way is a set of parts, as bits, and how much of the lost it brings back.
type way struct {
	set    uint
	gained int
}

// ways lists the sets of parts that are worth writing, the best first: those of
// which each part brings something back that the others do not.
func (b bench) ways() ([]way, error) {
	gains := make([]int, 1<<len(b.parts))
	var out []way
	for set := uint(1); set < uint(len(gains)); set++ {
		gained, ok, err := b.try(b.joined(set))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		gains[set] = gained
		idle := false
		for i := range b.parts {
			less := set &^ (1 << i)
			idle = idle || less != set && gains[less] >= gained
		}
		if !idle {
			out = append(out, way{set, gained})
		}
	}
	slices.SortStableFunc(out, func(x, y way) int {
		return cmp.Or(cmp.Compare(y.gained, x.gained), cmp.Compare(bits.OnesCount(x.set), bits.OnesCount(y.set)))
	})
	return slices.DeleteFunc(out, func(w way) bool { return b.odd(w.set, out[0].set) }), nil
}

// odd is a set of parts that is not worth a try of its own: half of the access
// together with something else.
func (b bench) odd(set, best uint) bool {
	access := b.access(set)
	return access != 0 && access != set && access != b.access(best)
}

// access is what of a set of parts gives access.
func (b bench) access(set uint) uint {
	for i, p := range b.parts {
		if !p.access {
			set &^= 1 << i
		}
	}
	return set
}

// joined is what a set of parts writes.
func (b bench) joined(set uint) writes {
	var w writes
	for i, p := range b.parts {
		if set&(1<<i) == 0 {
			continue
		}
		w.grants = append(w.grants, p.grants...)
		w.keys = append(w.keys, p.keys...)
		w.versions = append(w.versions, p.versions...)
		if p.opening != (opening{}) {
			w.opening = p.opening
		}
	}
	return w
}

// renamed is what the best way writes with the derived names in the place of the
// snapshot's, and whether those differ.
func (b bench) renamed(ways []way) (w writes, differ bool) {
	if len(ways) > 0 {
		w = b.joined(ways[0].set)
	}
	for i, g := range w.grants {
		w.grants[i].name = derivedName(b.at.vaultID, b.principal, g.role)
		differ = differ || w.grants[i].name != g.name
	}
	return w, differ
}

// name says what a set of parts gives back, in no more words than it takes to
// tell it from the others.
func (b bench) name(set, best uint) string {
	var access, whole, other []string
	for i, p := range b.parts {
		if p.access && best&(1<<i) != 0 {
			whole = append(whole, p.name)
		}
		switch {
		case set&(1<<i) == 0:
		case p.access:
			access = append(access, p.name)
		default:
			other = append(other, p.name)
		}
	}
	head, rest := namePatch, strings.Join(other, " and ")
	if len(whole) > 0 && !slices.Equal(access, whole) {
		head += " (" + strings.Join(access, ", ") + " alone)"
	}
	switch {
	case len(access) == 0:
		return rest
	case rest == "":
		return head
	}
	return head + " with " + rest
}
