package cloudkms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/api/cloudkms/v1"

	"byokwatch/core"
	"byokwatch/core/pattern"
	"byokwatch/core/strict"
	"byokwatch/functions/adapter"
)

// Apply runs one step on one key: SetIamPolicy, or UpdateCryptoKeyVersion to
// enable a version. core.ErrRejected: Google Cloud will not have this from
// anybody. core.ErrDenied: not from us. core.ErrConflict: the policy, or the
// version's state, is not the one that the step was made for. Any other error
// leaves open whether the step was done.
func (k *Keeper) Apply(ctx context.Context, key core.Key, s core.Step) error {
	if !keyName.MatchString(key.ID) {
		return notOurs(key.ID)
	}
	var err error
	switch s.Op {
	case "SetIamPolicy":
		err = k.setPolicy(ctx, key.ID, s)
	case "UpdateCryptoKeyVersion":
		err = k.enable(ctx, key.ID, s)
	default:
		err = adapter.Unsent("no such step on Google Cloud")
	}
	return adapter.Done(s, err)
}

// updateMask leaves audit configurations alone
// (https://docs.cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/setIamPolicy).
const updateMask = "bindings,etag"

// setBody is the body of a SetIamPolicy step, member by member the API's own.
type setBody struct {
	Policy     policyBody `json:"policy"`
	UpdateMask string     `json:"updateMask"`
}

type policyBody struct {
	Bindings []bindingBody `json:"bindings"`
	Etag     string        `json:"etag"`
	Version  int64         `json:"version"`
	// AuditConfigs may be in the policy that was read. They are not written.
	AuditConfigs json.RawMessage `json:"auditConfigs"`
}

type bindingBody struct {
	Role      string         `json:"role"`
	Members   []string       `json:"members"`
	Condition *conditionBody `json:"condition"`
}

type conditionBody struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Expression  string `json:"expression"`
	Location    string `json:"location"`
}

// setPolicy writes the key's policy. Two ways of writing would lose what others
// did, and are refused: without the etag of the policy that was read, and in a
// version that has no conditions.
func (k *Keeper) setPolicy(ctx context.Context, id string, s core.Step) error {
	var b setBody
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return adapter.Unsent("body: %w", err)
	}
	switch {
	case s.ID != id:
		return adapter.Unsent("the step is for another resource than %s", id)
	case b.UpdateMask != updateMask:
		return adapter.Unsent("the body must have the mask %q", updateMask)
	case b.Policy.Etag == "":
		return adapter.Unsent("the policy must have the etag of the one that it replaces")
	case b.Policy.Version != policyVersion:
		return adapter.Unsent("the policy must have version %d", policyVersion)
	}
	in := &cloudkms.SetIamPolicyRequest{Policy: b.Policy.request(), UpdateMask: updateMask}
	_, err := try(ctx, k.opts, k.opts.Reserve, func(ctx context.Context) (*cloudkms.Policy, error) {
		return k.api.KMS.Projects.Locations.KeyRings.CryptoKeys.SetIamPolicy(id, in).Context(ctx).Do()
	})
	if errors.Is(err, core.ErrConflict) && k.stands(ctx, id, in.Policy) {
		return nil
	}
	return err
}

// stands says whether the live policy is the one to be written: an etag is stale
// as well if our own write came through and its answer did not.
func (k *Keeper) stands(ctx context.Context, id string, want *cloudkms.Policy) bool {
	live, err := k.policyOf(ctx, id, k.opts.Reserve)
	return err == nil && slices.Equal(bindingsOf(live), bindingsOf(want))
}

// bindingsOf lists who has which role under which condition, in order and
// whatever way it is grouped.
func bindingsOf(p *cloudkms.Policy) []string {
	var out []string
	for _, b := range p.Bindings {
		condition := ""
		if c := b.Condition; c != nil {
			condition = fmt.Sprintf("%q %q %q %q", c.Expression, c.Title, c.Description, c.Location)
		}
		for _, m := range b.Members {
			out = append(out, fmt.Sprintf("%q %q %s", b.Role, strings.ToLower(m), condition))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (b policyBody) request() *cloudkms.Policy {
	p := &cloudkms.Policy{Etag: b.Etag, Version: b.Version}
	for _, from := range b.Bindings {
		to := &cloudkms.Binding{Role: from.Role, Members: from.Members}
		if c := from.Condition; c != nil {
			to.Condition = &cloudkms.Expr{Title: c.Title, Description: c.Description, Expression: c.Expression, Location: c.Location}
		}
		p.Bindings = append(p.Bindings, to)
	}
	return p
}

var versionNumber = pattern.New(`^[1-9][0-9]{0,18}$`)

// enable turns a key version on. That is the only state that is ever written.
func (k *Keeper) enable(ctx context.Context, id string, s core.Step) error {
	var b struct {
		State string `json:"state"`
	}
	if err := strict.Unmarshal(s.Body, &b); err != nil {
		return adapter.Unsent("body: %w", err)
	}
	number, ok := strings.CutPrefix(s.ID, id+"/cryptoKeyVersions/")
	if !ok || !versionNumber.MatchString(number) {
		return adapter.Unsent("the step is for another resource than a version of %s", id)
	}
	if b.State != "ENABLED" {
		return adapter.Unsent("a version may only be enabled")
	}
	in := &cloudkms.CryptoKeyVersion{State: b.State}
	_, err := try(ctx, k.opts, k.opts.Reserve, func(ctx context.Context) (*cloudkms.CryptoKeyVersion, error) {
		return k.api.KMS.Projects.Locations.KeyRings.CryptoKeys.CryptoKeyVersions.Patch(s.ID, in).UpdateMask("state").Context(ctx).Do()
	})
	return err
}
