package gcptest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"byokwatch/core/watchdog/chaostest"
)

// policy is an allow policy as it is stored: members by unique ID.
type policy struct {
	generation uint64
	bindings   []binding
	audit      json.RawMessage
}

type binding struct {
	Role      string     `json:"role"`
	Members   []string   `json:"members"`
	Condition *condition `json:"condition,omitempty"`
}

type condition struct {
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Expression  string `json:"expression"`
	Location    string `json:"location,omitempty"`
}

// document is a policy on the wire
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/Policy).
type document struct {
	Version      int             `json:"version,omitempty"`
	Bindings     []binding       `json:"bindings,omitempty"`
	AuditConfigs json.RawMessage `json:"auditConfigs,omitempty"`
	Etag         string          `json:"etag,omitempty"`
}

// Limits of an allow policy (https://docs.cloud.google.com/iam/quotas).
const (
	maxPrincipals = 1500
	maxGroups     = 250
)

// noEtag is that of a policy that nobody ever set.
const noEtag = "ACAB"

func (p *policy) etag() string {
	if p == nil {
		return noEtag
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, 0x0705_e1a8_355b_0000+p.generation))
}

func (p *policy) conditional() bool {
	return p != nil && slices.ContainsFunc(p.bindings, func(b binding) bool { return b.Condition != nil })
}

// render shows a policy to somebody who asked for a version. Below 3 a policy
// with conditions comes without them, under role names that are none
// (https://docs.cloud.google.com/iam/docs/policies#specifying-version-get).
func (c *Cloud) render(p *policy, version int) document {
	d := document{Etag: p.etag()}
	if p == nil {
		return d
	}
	d.Version, d.AuditConfigs = 1, p.audit
	if p.conditional() && version == 3 {
		d.Version = 3
	}
	for _, b := range p.bindings {
		shown := binding{Role: b.Role, Condition: b.Condition}
		if b.Condition != nil && version != 3 {
			shown.Role = fmt.Sprintf("%s_withcond_%020x", b.Role, chaostest.Hash(0, b.Condition.Expression, b.Condition.Title, 0))
			shown.Condition = nil
		}
		for _, m := range b.Members {
			shown.Members = append(shown.Members, c.show(m))
		}
		slices.Sort(shown.Members)
		d.Bindings = append(d.Bindings, shown)
	}
	return d
}

func getPolicy(c *Cloud, k *call) (any, *failure) {
	asked := k.query.Get("options.requestedPolicyVersion")
	if k.route.service == crmService {
		var in struct {
			Options struct {
				RequestedPolicyVersion json.Number `json:"requestedPolicyVersion"`
			} `json:"options"`
		}
		if f := k.decode(&in); f != nil {
			return nil, f
		}
		asked = in.Options.RequestedPolicyVersion.String()
	}
	version, err := strconv.Atoi(asked)
	if asked != "" && (err != nil || !slices.Contains([]int{0, 1, 3}, version)) {
		return nil, invalid("Invalid policy version %s: it must be 0, 1 or 3.", asked)
	}
	h := c.policies[k.resource]
	if h == nil {
		h = &chaostest.History[*policy]{}
	}
	return c.render(h.At(c.opts.Now(), k.fate.Kind == chaostest.Stale), version), nil
}

func setPolicy(c *Cloud, k *call) (any, *failure) {
	var in struct {
		Policy     *document `json:"policy"`
		UpdateMask string    `json:"updateMask"`
	}
	f := k.decode(&in)
	k.request = map[string]any{"@type": "type.googleapis.com/google.iam.v1.SetIamPolicyRequest", "resource": k.resource}
	if k.route.service == crmService {
		k.request["resource"] = last(k.resource)
	}
	if in.UpdateMask != "" {
		k.request["updateMask"] = in.UpdateMask
	}
	if f != nil {
		return nil, f
	}
	if in.Policy == nil {
		return nil, invalid("Policy is required.")
	}
	k.request["policy"] = in.Policy
	before := c.policies[k.resource]
	if before == nil {
		before = &chaostest.History[*policy]{}
	}
	next, f := c.replace(k.resource, before.Now(), *in.Policy, in.UpdateMask)
	if f != nil {
		return nil, f
	}
	old := before.Now()
	c.store(k, k.resource, next)
	w := Write{Resource: k.resource, Caller: k.who.Member, At: c.opts.Now(), Before: text(c.render(old, 3)), After: text(c.render(next, 3))}
	c.writes = append(c.writes, w)
	if k.route.service == crmService {
		k.service = map[string]any{"@type": "type.googleapis.com/google.iam.v1.logging.AuditData", "policyDelta": map[string]any{"bindingDeltas": deltas(c.render(old, 3), c.render(next, 3))}}
		k.response = map[string]any{"@type": "type.googleapis.com/google.iam.v1.Policy", "bindings": c.render(next, 3).Bindings, "etag": next.etag()}
	}
	return c.render(next, in.Policy.Version), nil
}

func (c *Cloud) store(k *call, resource string, p *policy) {
	if c.policies[resource] == nil {
		c.policies[resource] = &chaostest.History[*policy]{}
		c.policies[resource].Set(nil, c.opts.Now())
	}
	c.policies[resource].Set(p, c.seenFrom(k))
}

// replace makes the policy that follows live, or says why it may not
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/Policy).
func (c *Cloud) replace(resource string, live *policy, in document, mask string) (*policy, *failure) {
	fields := strings.Split(mask, ",")
	if mask == "" {
		fields = []string{"bindings", "etag"}
	}
	for _, field := range fields {
		if !slices.Contains([]string{"bindings", "etag", "version", "auditConfigs"}, field) {
			return nil, invalid("Invalid field %s in update mask.", field)
		}
	}
	if in.Etag != "" {
		if _, err := base64.StdEncoding.DecodeString(in.Etag); err != nil {
			return nil, invalid("Invalid value at 'policy.etag' (TYPE_BYTES), Base64 decoding failed for %q", in.Etag)
		}
		if in.Etag != live.etag() {
			return nil, aborted()
		}
		if live.conditional() && in.Version != 3 {
			return nil, invalid("The policy contains conditions: set policy version 3 to change it.")
		}
	}
	c.serial++
	next := &policy{generation: c.serial}
	if live != nil {
		next.bindings, next.audit = live.bindings, live.audit
	}
	if slices.Contains(fields, "auditConfigs") {
		next.audit = in.AuditConfigs
	}
	if slices.Contains(fields, "bindings") {
		var f *failure
		if next.bindings, f = c.admitBindings(resource, live, in); f != nil {
			return nil, f
		}
	}
	return next, nil
}

func (c *Cloud) admitBindings(resource string, live *policy, in document) ([]binding, *failure) {
	if !slices.Contains([]int{0, 1, 3}, in.Version) {
		return nil, invalid("Invalid policy version %d: it must be 0, 1 or 3.", in.Version)
	}
	merged := map[string]*binding{}
	for _, b := range in.Bindings {
		if f := c.admitRole(resource, b.Role, live); f != nil {
			return nil, f
		}
		name := b.Role
		if b.Condition != nil {
			if in.Version != 3 {
				return nil, invalid("Policy version must be 3 to set a condition, but is %d.", in.Version)
			}
			if err := compiles(b.Condition.Expression); err != nil {
				return nil, invalid("Condition expression compilation failed: %v", err)
			}
			name += "\x00" + text(b.Condition)
		}
		to := merged[name]
		if to == nil {
			to = &binding{Role: b.Role, Condition: b.Condition}
		}
		for _, m := range b.Members {
			stored, f := c.admit(m)
			if f != nil {
				return nil, f
			}
			if !slices.Contains(to.Members, stored) {
				to.Members = append(to.Members, stored)
			}
		}
		if len(to.Members) > 0 { // a binding of nobody is dropped
			merged[name] = to
		}
	}
	var out []binding
	for _, name := range sortedKeys(merged) {
		out = append(out, *merged[name])
	}
	return out, c.consistent(in.Bindings, out)
}

// consistent refuses a deleted member beside a living one of the same address,
// and too many.
func (c *Cloud) consistent(sent, stored []binding) *failure {
	said := map[string]string{}
	for _, b := range sent {
		for _, m := range b.Members {
			address := strings.ToLower(strings.TrimPrefix(m, "deleted:"))
			address, _, _ = strings.Cut(address, "?")
			alive := !strings.HasPrefix(m, "deleted:")
			if other, ok := said[address]; ok && strings.HasPrefix(other, "deleted:") == alive {
				return invalid("Inconsistent representation of deleted member: '%s' and '%s'", other, m)
			}
			said[address] = m
		}
	}
	all, groups := map[string]bool{}, map[string]bool{}
	for _, b := range stored {
		for _, m := range b.Members {
			all[m] = true
			if strings.HasPrefix(m, "group:") {
				groups[m] = true
			}
		}
	}
	if len(all) > maxPrincipals {
		return invalid("The number of members in the policy (%d) is larger than the maximum allowed size %d.", len(all), maxPrincipals)
	}
	if len(groups) > maxGroups {
		return invalid("The number of groups in the policy (%d) is larger than the maximum allowed size %d.", len(groups), maxGroups)
	}
	return nil
}

// deltas is what the audit log of Resource Manager says of a change.
func deltas(from, to document) []map[string]string {
	var out []map[string]string
	for _, side := range []struct {
		action string
		a, b   document
	}{{"REMOVE", from, to}, {"ADD", to, from}} {
		have := pairs(side.b)
		for _, p := range sortedKeys(pairs(side.a)) {
			if role, member, _ := strings.Cut(p, "\x00"); !have[p] {
				out = append(out, map[string]string{"action": side.action, "role": role, "member": member})
			}
		}
	}
	return out
}

func pairs(d document) map[string]bool {
	out := map[string]bool{}
	for _, b := range d.Bindings {
		for _, m := range b.Members {
			out[b.Role+"\x00"+m] = true
		}
	}
	return out
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values of our own always marshal
	}
	return string(b)
}

// SetPolicy puts a policy in place by hand: no event, no rights, no etag.
// Members must exist.
func (c *Cloud) SetPolicy(resource, policy string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var d document
	if err := json.Unmarshal([]byte(policy), &d); err != nil {
		return fmt.Errorf("policy of %s: %w", resource, err)
	}
	d.Etag = ""
	next, f := c.replace(resource, c.live(resource), d, "bindings,etag,auditConfigs")
	if f != nil {
		return fmt.Errorf("policy of %s: %s", resource, f.message)
	}
	c.store(nil, resource, next)
	return nil
}

func (c *Cloud) live(resource string) *policy {
	if h := c.policies[resource]; h != nil {
		return h.Now()
	}
	return nil
}

// Policy is what a read of a resource's newest policy in version 3 shows.
func (c *Cloud) Policy(resource string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return text(c.render(c.live(resource), 3))
}

var _ http.Handler = (*Cloud)(nil)
