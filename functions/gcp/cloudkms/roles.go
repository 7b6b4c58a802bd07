package cloudkms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iam/v1"

	"byokwatch/core"
	"byokwatch/core/share"
	"byokwatch/core/strict"
)

// bound is what is read of a policy to find the roles that matter.
type bound struct {
	Bindings []struct {
		Role    string   `json:"role"`
		Members []string `json:"members"`
	} `json:"bindings"`
}

// concerns says whether a member may be Confluent's group, however it is spelled
// and even if it is deleted, or our own service account, or everybody.
func (r *reading) concerns(member string) bool {
	for _, address := range []string{r.key.Needs.Group, r.opts.Self} {
		if address != "" && strings.Contains(strings.ToLower(member), strings.ToLower(address)) {
			return true
		}
	}
	for _, prefix := range []string{"allUsers", "allAuthenticatedUsers", "principalSet:"} {
		if strings.HasPrefix(member, prefix) {
			return true
		}
	}
	return false
}

// rolesOf reads the roles that are bound, in a policy, to whoever matters, and
// those that once were: a restore must know what such a role gives by now,
// although nothing binds it any more.
func (r *reading) rolesOf(ctx context.Context, p core.Policy) (core.Policy, error) {
	var names []string
	for _, d := range p {
		var b bound
		if d.Kind != core.IAMPolicy || strict.UnmarshalOpen([]byte(d.Text), &b) != nil {
			continue // what can't be read is said where it is judged
		}
		for _, binding := range b.Bindings {
			if slices.ContainsFunc(binding.Members, r.concerns) {
				names = append(names, binding.Role)
			}
		}
	}
	names = r.Remember(r.key, names...)
	out := make(core.Policy, len(names))
	var all errgroup.Group
	all.SetLimit(8)
	for i, name := range names {
		all.Go(func() (err error) { out[i], err = r.readRole(ctx, name); return err })
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// Remember makes every later read of a key bring these roles with it, for
// example those of its snapshot. It returns all that are read with it, sorted.
func (k *Keeper) Remember(key core.Key, roles ...string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.roles[key.ID] == nil {
		k.roles[key.ID] = map[string]bool{}
	}
	for _, name := range roles {
		if roleName.MatchString(name) && !k.opts.Builtin(name) {
			k.roles[key.ID][name] = true
		}
	}
	return slices.Sorted(maps.Keys(k.roles[key.ID]))
}

// readRole reads a role. A predefined one takes no right
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/roles/get).
func (r *reading) readRole(ctx context.Context, name string) (core.Document, error) {
	return share.Once(ctx, r.view, "role "+name, func(ctx context.Context) (core.Document, error) {
		out, err := try(ctx, r.opts, 0, func(ctx context.Context) (*iam.Role, error) {
			switch kindOf(name) {
			case "projects":
				return r.api.Roles.Projects.Roles.Get(name).Context(ctx).Do()
			case "organizations":
				return r.api.Roles.Organizations.Roles.Get(name).Context(ctx).Do()
			}
			return r.api.Roles.Roles.Get(name).Context(ctx).Do()
		})
		text := ""
		if errors.Is(err, core.ErrNotFound) {
			// A refusal is a 403, so this one is gone for good: a deleted role is
			// served, with its mark, for seven days, and its bindings outlive it.
			// https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles/delete
			out, err = &iam.Role{Name: name, Deleted: true}, nil
		}
		if err == nil {
			if out.Name != name {
				return core.Document{}, fmt.Errorf("role %s: the answer is about another role", name)
			}
			text, err = printed(out)
		}
		return maybe(core.Role, name, "iam.roles.get", text, err)
	})
}
