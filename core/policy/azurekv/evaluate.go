package azurekv

import (
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/truth"
	"byokwatch/core/policy/wording"
)

// court is one policy before its judge: what is prepared once for all
// requirements.
type court struct {
	file *file
	key  core.Key
	at   time.Time
	// timeless: conditions name more dates than can be judged.
	timeless        bool
	confluent, self *brief
	conditions      map[[2]string]*condition // by text and version of the syntax
	roles           map[string]*definition
	rightsAssumed   bool // a right of the watchdog is taken for granted
}

// subject is whose access is asked about, by object ID, folded.
type subject struct {
	id  string
	own bool // it is the watchdog
}

// brief is all that concerns one subject.
type brief struct {
	subject  subject
	gifts    []gift
	bans     []ban
	policies []*accessPolicy // that name the subject
	groups   map[string]bool // that it is in, as far as Azure told
	// listed says that Azure listed all that is assigned to the subject.
	listed bool
	// given says that there was any list of assignments in which it could stand.
	given bool
	// unread says why the list of the subject's assignments can't be read.
	unread string
}

// gift is an assignment to a subject, or one that may be.
type gift struct {
	roster         *roster
	item           *assignment
	who            truth.Truth
	onKey, onVault bool // it reaches the key, the vault
	condition      *condition
}

// definition is a role with its conditions parsed.
type definition struct {
	*role
	conditions []*condition // of its permissions, nil where there is none
	// What of all that is asked of Confluent, or of the watchdog, it gives, in one
	// spelling; "" until somebody asks.
	spelling, ownSpelling string
}

// ask is one request that is judged: may a subject do an action?
type ask struct {
	action  string // folded
	data    bool   // it is a data action, else one of management
	onKey   bool   // on the key, else on the vault
	request map[string]string
}

func newCourt(f *file, q core.Question) *court {
	c := &court{file: f, key: q.Key, at: q.At, conditions: map[[2]string]*condition{}, roles: map[string]*definition{}}
	c.confluent = c.brief(subject{id: wording.Lower(q.Key.Needs.Principal)})
	c.self = c.brief(subject{id: wording.Lower(q.Self), own: true})
	c.timeless = len(c.dates()) > maxDates
	return c
}

// brief gathers what concerns a subject, once.
func (c *court) brief(s subject) *brief {
	b := &brief{subject: s, groups: map[string]bool{}}
	if s.id == "" {
		return b
	}
	for i := range c.file.rosters {
		r := &c.file.rosters[i]
		b.listed = b.listed || r.of == s.id
		b.given = b.given || r.of == s.id || r.of == ""
		for j := range r.items {
			c.addGift(b, r, &r.items[j])
		}
	}
	for _, d := range c.file.blind {
		if d.Kind == core.RoleAssignments && (assignedTo(d.ID) == s.id || assignedTo(d.ID) == "") {
			b.unread = d.Unreadable
		}
	}
	b.bans = c.bansFor(b)
	if v := c.file.vault; v != nil {
		for i := range v.Policies {
			if v.Policies[i].object == s.id {
				b.policies = append(b.policies, &v.Policies[i])
			}
		}
	}
	return b
}

func (c *court) addGift(b *brief, r *roster, a *assignment) {
	who := b.subject.among(r, a)
	if who == truth.No {
		return
	}
	if r.of == b.subject.id && a.principal != b.subject.id {
		b.groups[a.principal] = true
	}
	g := gift{roster: r, item: a, who: who, onKey: c.file.key == "" || reaches(a.scope, c.file.key), onVault: c.file.vaultID == "" || reaches(a.scope, c.file.vaultID)}
	if who == truth.Unknown && !g.onKey {
		return
	}
	g.condition = c.condition(a.Condition, a.ConditionVersion)
	b.gifts = append(b.gifts, g)
}

// among says whether an assignment is one to the subject. In a list of what is
// assigned to it every one is; in a list of everybody's, a group's may be, since
// nothing tells who is in it.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest
func (s subject) among(r *roster, a *assignment) truth.Truth {
	switch {
	case r.of == s.id || a.principal == s.id:
		return truth.Yes
	case r.of == "" && mayBeGroup(wording.Lower(a.PrincipalType)):
		return truth.Unknown
	}
	return truth.No
}

// mayBeGroup says that a principal of a type may hold others. Old versions of
// Azure's API print no type.
func mayBeGroup(kind string) bool {
	switch kind {
	case "user", "serviceprincipal", "device":
		return false
	}
	return true
}

// condition is parsed once for all assignments that have it.
func (c *court) condition(text, version string) *condition {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	key := [2]string{text, version}
	out, ok := c.conditions[key]
	if !ok {
		out = parseCondition(text, version)
		c.conditions[key] = out
	}
	return out
}

// role is what an assignment gives; nil where nobody knows.
func (c *court) role(guid string) *definition {
	if d, ok := c.roles[guid]; ok {
		return d
	}
	var out *definition
	if r, ok := c.file.role(guid); ok {
		out = &definition{role: &r}
		for _, p := range r.Permissions {
			out.conditions = append(out.conditions, c.condition(p.Condition, p.ConditionVersion))
		}
	}
	c.roles[guid] = out
	return out
}

// decision is what the policy says of one request of one subject.
type decision struct {
	allowed  truth.Truth
	allows   []judged[gift]
	policies []judged[*accessPolicy]
	denies   []judged[ban]
}

// judged is what may decide, and whether it does.
type judged[T any] struct {
	of T
	is truth.Truth
}

// decide evaluates deny and role assignments: a deny wins, else an assignment is
// needed. Nothing is left out once a result is found, but for assignments that
// may or may not be the subject's where another one surely is: they add nothing.
// Data actions are decided by access policies alone where the vault has those.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource
func (c *court) decide(b *brief, a ask) decision {
	if a.data && !c.file.rbac() {
		return c.decideByPolicies(b, a)
	}
	var d decision
	denied, given := truth.No, truth.No
	for _, x := range b.bans {
		if is := c.applies(x, a); is != truth.No {
			denied = denied.Or(is)
			d.denies = append(d.denies, judged[ban]{x, is})
		}
	}
	for _, who := range []truth.Truth{truth.Yes, truth.Unknown} {
		for _, g := range b.gifts {
			if g.who != who || who == truth.Unknown && given == truth.Yes {
				continue
			}
			if is := c.gives(g, a); is != truth.No {
				given = given.Or(is)
				d.allows = append(d.allows, judged[gift]{g, is})
			}
		}
	}
	if b.unread != "" {
		given = given.Or(truth.Unknown)
	}
	d.allowed = given.And(denied.Not())
	return d
}

// gives says whether an assignment gives an action: it reaches the resource, its
// role has the action, and the conditions hold.
func (c *court) gives(g gift, a ask) truth.Truth {
	if a.onKey && !g.onKey || !a.onKey && !g.onVault {
		return truth.No
	}
	has := c.roleGives(g.item.role, a)
	if has == truth.No {
		return truth.No
	}
	return g.who.And(has).And(g.condition.holds(c.facts(a)))
}

// roleGives says whether a role has an action. Each entry of its permissions
// gives what its actions cover and its notActions do not; entries add up.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/role-definitions#notactions
func (c *court) roleGives(guid string, a ask) truth.Truth {
	d := c.role(guid)
	if d == nil {
		return truth.Unknown
	}
	out := truth.No
	for i := range d.Permissions {
		if !d.Permissions[i].covers(a) {
			continue
		}
		holds := d.conditions[i].holds(c.facts(a))
		if d.conditions[i] == nil && d.veiled && a.request != nil {
			holds = truth.Unknown
		}
		out = out.Or(holds)
	}
	return out
}

// covers says that a permission is about an action. Management and data actions
// never mix.
func (p *permission) covers(a ask) bool {
	yes, no := p.Actions, p.NotActions
	if a.data {
		yes, no = p.DataActions, p.NotDataActions
	}
	return anyCovers(yes, a.action) && !anyCovers(no, a.action)
}

func anyCovers(patterns []string, action string) bool {
	for _, p := range patterns {
		if covered(p, action) {
			return true
		}
	}
	return false
}

func (c *court) facts(a ask) facts {
	return facts{action: a.action, at: c.at, timeless: c.timeless, request: a.request}
}

// needed are the requests of Confluent that are judged, in the order of
// [confluent.AzurePermissions].
func needed() []ask {
	var out []ask
	for _, p := range confluent.AzurePermissions() {
		out = append(out, confluentAsk(p.Name))
	}
	return out
}

// confluentAsk is a request by Confluent: a data action on the key, or the one
// management action, on the vault.
func confluentAsk(permission string) ask {
	data := permission != confluent.AzureVaultRead
	return ask{action: wording.Lower(permission), data: data, onKey: data}
}
