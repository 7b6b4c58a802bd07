package azurekv

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

var (
	// ErrRevoked: the vault already carries a revocation tag that names the key.
	ErrRevoked = errors.New("already revoked")
	// ErrNotRevoked: no revocation tag of the vault names the key.
	ErrNotRevoked = errors.New("not revoked")
)

// maxTag is how long a tag's value may be.
// Source: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations
const maxTag = 256

// Revoke marks a key as revoked, by its name in the vault's tag
// byokwatch-revoked and the reason in a second one, and then takes away what is
// Confluent's own: its role assignments at the key and at the vault, and its
// access policy, whichever of the two is in force, so that turning the switch
// gives nothing back. The tags go first: a watchdog that looks in between must
// not give back. What Confluent has from above the vault or through a group
// stays, and Left says so: that is other people's access as well.
func Revoke(live core.Policy, q core.Question, reason string) (core.Candidate, error) {
	c, err := revoke(live, q, reason)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("revoke %s: %w", q.Key.Name(), err)
	}
	return c, nil
}

func revoke(live core.Policy, q core.Question, reason string) (core.Candidate, error) {
	c := core.Candidate{Name: "revoke"}
	at, err := addressOf(q.Key)
	if err != nil {
		return c, err
	}
	principal, err := principalOf(q.Key)
	if err != nil {
		return c, err
	}
	s, err := sheetOf(live, at.vaultID)
	switch {
	case err != nil:
		return c, err
	case s.deleted:
		return c, errGone
	case s.revokes(at.key):
		return c, ErrRevoked
	}
	step, s, err := s.marked(at, reason)
	if err != nil {
		return c, err
	}
	c.Steps = append(c.Steps, step)
	taken, s, err := s.taken(at, principal)
	if err != nil {
		return c, err
	}
	c.Result = withText(live, core.Vault, at.vaultID, s.text())
	unassigned, result, err := unassign(c.Result, at, principal)
	if err != nil {
		return c, err
	}
	c.Result = result
	if s.rbac() {
		c.Steps = append(append(c.Steps, unassigned...), taken...)
	} else {
		c.Steps = append(append(c.Steps, taken...), unassigned...)
	}
	for _, f := range Judge(c.Result, q).Findings {
		if f.Aspect == core.Access && f.Result != core.Missing {
			c.Left = append(c.Left, fmt.Sprintf("%s still has %s, by an assignment above the vault or one that is not its own: take it away there.", f.Principal, f.Permission))
		}
	}
	return c, nil
}

// Reinstate takes the key's name out of the revocation tag, and the tags away
// once no name is left, and nothing else: the watchdog gives Confluent back what
// the snapshot shows it to have had.
func Reinstate(live core.Policy, q core.Question) (core.Candidate, error) {
	c, err := reinstate(live, q)
	if err != nil {
		return core.Candidate{}, fmt.Errorf("reinstate %s: %w", q.Key.Name(), err)
	}
	return c, nil
}

func reinstate(live core.Policy, q core.Question) (core.Candidate, error) {
	c := core.Candidate{Name: "reinstate"}
	at, err := addressOf(q.Key)
	if err != nil {
		return c, err
	}
	s, err := sheetOf(live, at.vaultID)
	switch {
	case err != nil:
		return c, err
	case !s.revokes(at.key):
		return c, ErrNotRevoked
	}
	name, value, _ := s.tag(revocationTag)
	words := tagged(value)
	rest := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return wording.Same(w, at.key) })
	if len(words) == 0 || slices.ContainsFunc(words, everyKey) {
		rest = nil
		c.Left = append(c.Left, "The tag stood for every key of the vault, and goes for all of them. Each other key stays revoked to its watchdog until it is reinstated as well.")
	}
	var step core.Step
	if len(rest) > 0 {
		value := strings.Join(rest, " ")
		if step, err = at.tagStep("Merge", tags{{name, value}}, tags{{revocationTag, value}}); err != nil {
			return c, err
		}
		s = s.withTag(name, value)
	} else {
		gone := tags{{name, value}}
		command := tags{{revocationTag, strings.Join(words, " ")}}
		if other, why, ok := s.tag(reasonTag); ok {
			gone, command = append(gone, tag{other, why}), append(command, tag{reasonTag, cleanReason(why)})
		}
		if step, err = at.tagStep("Delete", gone, command); err != nil {
			return c, err
		}
		for _, t := range gone {
			s = s.withoutTag(t.name)
		}
	}
	c.Steps = []core.Step{step}
	c.Result = withText(live, core.Vault, at.vaultID, s.text())
	return c, nil
}

// tag is one tag of a resource.
type tag struct{ name, value string }

type tags []tag

// tagBody is the body of a step that changes tags.
//
// Source: https://learn.microsoft.com/rest/api/resources/tags/update-at-scope
type tagBody struct {
	Operation  string `json:"operation"`
	Properties struct {
		Tags map[string]string `json:"tags"`
	} `json:"properties"`
}

// tagStep changes tags of the vault. Of what the tags say only what is known to
// be harmless enters the command.
func (a address) tagStep(operation string, change, command tags) (core.Step, error) {
	b := tagBody{Operation: operation}
	b.Properties.Tags = map[string]string{}
	for _, t := range change {
		if len([]rune(t.value)) > maxTag {
			return core.Step{}, fmt.Errorf("the tag %s would be longer than the %d characters that a tag may have", t.name, maxTag)
		}
		b.Properties.Tags[t.name] = t.value
	}
	words := []string{"az", "tag", "update", "--resource-id", a.vaultID, "--operation", operation, "--tags"}
	for _, t := range command {
		words = append(words, t.name+"="+t.value)
	}
	return newStep(opTags, a.vaultID+"/providers/Microsoft.Resources/tags/default", b, line(words...))
}

// tag finds a tag, whose name knows no case.
func (s sheet) tag(name string) (spelling, value string, ok bool) {
	o, err := rawjson.CutObject(s.object.Get("tags"))
	if err != nil {
		return name, "", false
	}
	for _, m := range o.Members {
		if spelling = rawjson.Unquote(m.Name); wording.Same(spelling, name) {
			return spelling, rawjson.Unquote(m.Value), true
		}
	}
	return name, "", false
}

func (s sheet) withTag(name, value string) sheet {
	o, err := rawjson.CutObject(s.object.Get("tags"))
	if err != nil {
		o = rawjson.Object{}
	}
	s.object = s.object.With("tags", o.With(name, rawjson.Quote(value)).String())
	return s
}

func (s sheet) withoutTag(name string) sheet {
	if o, err := rawjson.CutObject(s.object.Get("tags")); err == nil {
		s.object = s.object.With("tags", o.Without(name).String())
	}
	return s
}

// revokes says that the vault's tag names the key.
func (s sheet) revokes(key string) bool {
	_, value, ok := s.tag(revocationTag)
	return ok && names(value, key)
}

// marked adds the key to the vault's tag, and the reason. What other people wrote
// into it stays.
func (s sheet) marked(at address, reason string) (core.Step, sheet, error) {
	name, value, _ := s.tag(revocationTag)
	why, _, _ := s.tag(reasonTag)
	words := append(tagged(value), at.key)
	value = strings.TrimSpace(value + " " + at.key)
	reason = cleanReason(reason)
	step, err := at.tagStep("Merge", tags{{name, value}, {why, reason}}, tags{{revocationTag, strings.Join(words, " ")}, {reasonTag, reason}})
	return step, s.withTag(name, value).withTag(why, reason), err
}

// cleanReason writes a reason in characters that are harmless wherever a tag is
// shown, and in a command.
func cleanReason(reason string) string {
	plain := strings.Map(func(r rune) rune {
		if r <= 0xffff && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".,:_-", r)) {
			return r
		}
		return ' '
	}, reason)
	runes := []rune(strings.Join(strings.Fields(plain), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), maxTag)]))
}

// taken takes Confluent's own access policies away. Azure asks for all that they
// give, as it is written there.
//
// Source: https://github.com/hashicorp/terraform-provider-azurerm/blob/main/internal/services/keyvault/key_vault_access_policy_resource.go
func (s sheet) taken(at address, principal string) ([]core.Step, sheet, error) {
	kept := rawjson.List{Tail: s.list.Tail}
	var entries []string
	for i, e := range s.entries {
		if e.is(s.tenant(), principal) {
			entries = append(entries, e.object.Only("tenantId", "objectId", "permissions").String())
			continue
		}
		kept.Elements = append(kept.Elements, s.list.Elements[i])
	}
	if len(entries) == 0 {
		return nil, s, nil
	}
	s.properties = s.properties.With("accessPolicies", kept.String())
	body := json.RawMessage(`{"properties":{"accessPolicies":[` + strings.Join(entries, ",") + `]}}`)
	step, err := newStep(opPolicies, at.vaultID+"/accessPolicies/remove", body, at.az("delete-policy", "--object-id", principal))
	return []core.Step{step}, s, err
}

// unassign takes away what is assigned to Confluent itself at the key and the
// vault. In a vault with access policies the list may not have been read.
func unassign(p core.Policy, at address, principal string) ([]core.Step, core.Policy, error) {
	id := core.AssignedTo(at.id, principal)
	l, err := ledgerOf(p, id)
	if err != nil {
		if s, unread := sheetOf(p, at.vaultID); unread == nil && !s.rbac() {
			return nil, p, nil
		}
		return nil, p, err
	}
	kept := rawjson.List{Tail: l.list.Tail}
	var out []core.Step
	for i, r := range l.rows {
		if r.principal != principal || r.scope != at.id && r.scope != at.vaultID || r.id != wording.Lower(assignmentID(r.scope, r.name())) {
			kept.Elements = append(kept.Elements, l.list.Elements[i])
			continue
		}
		full := assignmentID(r.scope, r.name())
		out = append(out, core.Step{Op: opUnassign, ID: full, Command: line("az", "role", "assignment", "delete", "--ids", full)})
	}
	if len(out) == 0 {
		return nil, p, nil
	}
	return out, withText(p, core.RoleAssignments, id, l.with(kept)), nil
}
