package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

// giver is one binding of the snapshot that reaches Confluent's group, on the
// key or above it, and what it gave by itself, everything else of the snapshot
// taken away but what denies.
type giver struct {
	level     string // the resource that it is bound on
	role      string
	condition string
	named     bool // it names the group, as opposed to everybody
	findings  []core.Finding
}

// gives says that the group had a permission through this binding alone.
func (g giver) gives(permission string) bool {
	return slices.ContainsFunc(g.findings, func(f core.Finding) bool {
		return f.Aspect == core.Access && f.Permission == permission && f.Result == core.Met
	})
}

// givesSomething says that the binding gave a permission, or may have.
func (g giver) givesSomething() bool {
	return slices.ContainsFunc(g.findings, func(f core.Finding) bool {
		return f.Aspect == core.Access && f.Result != core.Missing
	})
}

// within says that whatever holds under one condition held under another: they
// are the same, or the other is none.
func within(condition, wide string) bool { return wide == "" || sameCondition(condition, wide) }

// givers judges the snapshot binding by binding. Bindings that don't parse give
// nothing.
func givers(good core.Policy, q core.Question) []giver {
	bare := bared(good)
	var out []giver
	for _, d := range good {
		if d.Kind != core.IAMPolicy || d.Unreadable != "" {
			continue
		}
		s, err := readSheet(d.Text)
		if err != nil {
			continue
		}
		for i, g := range s.grants {
			if !slices.ContainsFunc(g.members, func(m string) bool { return covers(m, q.Key.Needs.Group) }) {
				continue
			}
			alone := s.object.With("bindings", "["+s.list.Elements[i].Value+"]").String()
			out = append(out, giver{
				level: d.ID, role: g.role, condition: g.condition,
				named:    slices.ContainsFunc(g.members, func(m string) bool { return isGroup(m, q.Key.Needs.Group) }),
				findings: Judge(withText(bare, core.IAMPolicy, d.ID, alone), q).Findings,
			})
		}
	}
	return out
}

// bared is a policy without any binding.
func bared(p core.Policy) core.Policy {
	out := slices.Clone(p)
	for i, d := range out {
		if d.Kind != core.IAMPolicy || d.Unreadable != "" {
			continue
		}
		if o, err := rawjson.ReadObject(d.Text); err == nil {
			out[i].Text = o.With("bindings", "[]").String()
		}
	}
	return out
}

// roleText is what is read of a role to compare it with itself.
// Source: https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles#Role
type roleText struct {
	IncludedPermissions []string `json:"includedPermissions"`
	Stage               string   `json:"stage"`
	Deleted             bool     `json:"deleted"`
}

func readRole(p core.Policy, name string) (roleText, error) {
	var r roleText
	doc, err := documentOf(p, core.Role, name)
	if err != nil {
		return r, err
	}
	if err := strict.UnmarshalOpen([]byte(doc.Text), &r); err != nil {
		return r, fmt.Errorf("role %s: %w", name, err)
	}
	return r, nil
}

// custom says that a role belongs to a project or an organisation, which may
// change it at any time.
func custom(role string) bool { return !strings.HasPrefix(role, "roles/") }

// roleAsBefore is an error if giving a role again would not give what the
// snapshot gave with it, or more. A custom role that live does not show is
// taken for the snapshot's.
func roleAsBefore(live, good core.Policy, role string) error {
	if !custom(role) {
		return nil
	}
	before, err := readRole(good, role)
	if err != nil {
		return errors.New("nobody knows what its role gave when the snapshot was taken")
	}
	now, err := readRole(live, role)
	switch {
	case errors.Is(err, errNoDocument):
		return nil
	case err != nil:
		return errors.New("its role can't be read")
	case now.Deleted:
		return errors.New("its role is deleted")
	case now.Stage == "DISABLED":
		return errors.New("its role is disabled")
	}
	for _, p := range now.IncludedPermissions {
		if !slices.Contains(before.gives(), p) {
			return fmt.Errorf("its role gives more than when the snapshot was taken, such as %q", p)
		}
	}
	return nil
}
