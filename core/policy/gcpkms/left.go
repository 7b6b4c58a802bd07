package gcpkms

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
)

const deadGroup = "IAM shows Confluent's group as deleted. The restore names the group in its place, which IAM takes only if Confluent has made it anew; if it refuses, open a Confluent ticket."

// left says what a candidate leaves out and why: bindings of the snapshot,
// custom roles that an administrator can repair, and what stays lost because it
// is not the watchdog's to write.
func (b bench) left(result core.Policy, additions []addition) ([]string, error) {
	if len(additions) == 0 {
		return b.stays(result), nil
	}
	var out []string
	for _, g := range b.before.grants {
		a := addition{g.role, g.condition}
		if !slices.ContainsFunc(g.members, func(m string) bool { return isGroup(m, b.group) }) || b.policy.has(a, b.group) || slices.ContainsFunc(additions, g.is) {
			continue
		}
		helps, err := b.helps(nil, a)
		if err != nil {
			return nil, err
		}
		changed := roleAsBefore(b.live, b.good, a.role)
		switch {
		case changed != nil:
			out = append(out, fmt.Sprintf("The binding of %s is left out: %v.", a.role, changed))
		case helps:
			out = append(out, fmt.Sprintf("The binding of %s is left out: the predefined roles stand in for it.", a.role))
		default:
			out = append(out, fmt.Sprintf("The binding of %s is left out: it gives nothing that is lost, or no longer.", a.role))
		}
	}
	for _, line := range b.repairs() {
		out = append(out, "Custom roles are never written; an administrator repairs this one by: "+line)
	}
	if b.policy.dead(b.group) {
		out = append(out, deadGroup)
	}
	return append(out, b.stays(result)...), nil
}

// repairs lists the commands for custom roles that gave the group what is lost.
func (b bench) repairs() []string {
	u := &unlocker{q: b.q, live: b.live}
	for _, s := range []sheet{b.policy, b.before} {
		for _, g := range s.grants {
			if slices.ContainsFunc(g.members, func(m string) bool { return isGroup(m, b.group) }) {
				u.role(g.role, b.lost)
			}
		}
	}
	return slices.DeleteFunc(u.lines, func(l string) bool { return strings.HasPrefix(l, "#") })
}

// stays says what of the lost is not back, where the reason is a thing that is
// never written.
func (b bench) stays(result core.Policy) []string {
	var out []string
	rows, _, err := rowsOf(result, b.q.Key.ID)
	for _, f := range Judge(result, b.q).Findings {
		if f.Result != core.Missing || !slices.Contains(b.lost, f.Requirement) {
			continue
		}
		if f.Aspect == core.Access && denied(b.live, []core.Requirement{f.Requirement}) {
			out = append(out, fmt.Sprintf("%s may stay lost to a deny policy, which is never written.", f.Permission))
		}
		for _, r := range rows {
			if err != nil || f.Aspect != core.Property || !strings.HasPrefix(f.Permission, "version:"+r.number+":") {
				continue
			}
			switch {
			case r.state == stateDisabled && b.q.Key.KeyState == core.CareRestore:
				out = append(out, "Key version "+r.number+" stays disabled: this way leaves it out, should enabling it be refused.")
			case r.state == stateDisabled:
				out = append(out, "Key version "+r.number+" stays disabled, as the setting key_state says.")
			case r.state == stateScheduled:
				out = append(out, "Key version "+r.number+" stays scheduled for destruction, which only an administrator may end.")
			}
		}
	}
	return out
}
