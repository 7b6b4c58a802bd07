package keyvault

import (
	"context"
	"net/http"
	"strings"

	"byokwatch/core"
	"byokwatch/functions/adapter"
)

// Operator is a Keeper that also takes access away and marks a vault. It is the
// command line's, which a person runs with their own rights: the watchdog has
// none of these.
type Operator struct{ *Keeper }

// Operator returns one.
func (k *Keeper) Operator() *Operator { return &Operator{k} }

// Apply is [Keeper.Apply], and besides the steps of a revocation and of its end:
// tags of the vault, and the end of a role assignment or an access policy of
// Confluent's.
func (o *Operator) Apply(ctx context.Context, key core.Key, s core.Step) error {
	at, err := addressOf(key)
	if err != nil {
		return err
	}
	w, err := o.arm()
	if err != nil {
		return err
	}
	j := job{o.Keeper, at, w, key.Needs.Principal, s}
	const remove = "/accessPolicies/remove"
	switch {
	case s.Op == opTags:
		err = j.tag(ctx)
	case s.Op == opUnassign:
		err = j.unassign(ctx)
	case s.Op == opPolicies && strings.EqualFold(s.ID, at.vault+remove):
		err = j.removePolicies(ctx, at.vault+remove)
	default:
		return o.Keeper.Apply(ctx, key, s)
	}
	return adapter.Done(s, err)
}

// tagPrefix begins the names of the tags that are ours to change.
const tagPrefix = "byokwatch-"

// tag merges our own tags into those of the vault, or takes them away
// (https://learn.microsoft.com/rest/api/resources/tags/update-at-scope).
func (j job) tag(ctx context.Context) error {
	const tags = "/providers/Microsoft.Resources/tags/default"
	var b struct {
		Operation  string `json:"operation"`
		Properties struct {
			Tags map[string]string `json:"tags"`
		} `json:"properties"`
	}
	if err := j.body(&b); err != nil {
		return err
	}
	if !strings.EqualFold(j.step.ID, j.at.vault+tags) {
		return adapter.Unsent("the step is for another resource than the tags of %s", j.at.vault)
	}
	if b.Operation != "Merge" && b.Operation != "Delete" || len(b.Properties.Tags) == 0 {
		return adapter.Unsent("tags are merged or deleted, not %.40q", b.Operation)
	}
	for name := range b.Properties.Tags {
		if below(name, tagPrefix) == "" {
			return adapter.Unsent("the tag %.100q is not ours", name)
		}
	}
	return j.send(ctx, http.MethodPatch, j.at.vault+tags, tagsAPI)
}

// unassign deletes a role assignment at the key or at its vault. One that is gone
// is deleted
// (https://learn.microsoft.com/rest/api/authorization/role-assignments/delete).
func (j job) unassign(ctx context.Context) error {
	if len(j.step.Body) > 0 {
		return adapter.Unsent("a deletion has no body")
	}
	for _, scope := range []string{j.at.key, j.at.vault} {
		if name := below(j.step.ID, scope+ofAssignments); guid.MatchString(name) {
			return j.send(ctx, http.MethodDelete, scope+ofAssignments+name, rightsAPI)
		}
	}
	return adapter.Unsent("the step is for another resource than a role assignment at %s or its vault", j.at.key)
}

// removePolicies takes away what Confluent's own access policies give.
func (j job) removePolicies(ctx context.Context, path string) error {
	var b policiesBody
	if err := j.body(&b); err != nil {
		return err
	}
	if len(b.Properties.AccessPolicies) == 0 {
		return adapter.Unsent("no access policy is named")
	}
	for _, p := range b.Properties.AccessPolicies {
		if err := j.isConfluent(strings.ToLower(p.ObjectID)); err != nil {
			return err
		}
	}
	return j.send(ctx, http.MethodPut, path, vaultAPI)
}
