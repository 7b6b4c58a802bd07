package azurekv

import (
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// unlocker collects command lines.
type unlocker struct {
	address
	q         core.Question
	live      core.Policy
	principal string // Confluent's
	now       sheet  // the vault's description
	known     bool   // the vault's description could be read
	lines     []string
}

func (u *unlocker) add(lines ...string) {
	for _, l := range lines {
		if !slices.Contains(u.lines, l) {
			u.lines = append(u.lines, l)
		}
	}
}

// Unlock lists the commands that an administrator runs to repair what the
// watchdog must not or can't: a deleted vault or key, the switch between Azure
// RBAC and access policies, its own rights, assignments where none was restored,
// custom roles, deny assignments, network rules and key versions. A line that
// begins with # says what to do by hand, or what the next ones are for. Only
// values that pass the grammar of their ID enter a line: for a key without a
// proper ID there is nothing that could be run safely.
func Unlock(live core.Policy, q core.Question, missing []core.Requirement) []string {
	at, err := addressOf(q.Key)
	if err != nil {
		return nil
	}
	u := &unlocker{address: at, q: q, live: live}
	if principal, err := principalOf(q.Key); err == nil {
		u.principal = principal
	}
	if s, err := sheetOf(live, at.vaultID); err == nil {
		u.now, u.known = s, true
	}
	if u.known && u.now.deleted {
		u.recover(missing)
		return u.lines
	}
	u.tenant(missing)
	u.rights(missing)
	u.key(missing)
	u.access(missing)
	u.network(missing)
	return u.lines
}

// property finds a requirement on vault or key among others.
func property(name string) func(core.Requirement) bool {
	return func(r core.Requirement) bool { return r.Aspect == core.Property && r.Permission == name }
}

// recover brings a deleted vault back. What is assigned below a vault goes with
// it; access policies are part of it.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
func (u *unlocker) recover(missing []core.Requirement) {
	u.add("# The vault is deleted. Recovering it brings back its keys and access policies, but neither role assignments nor event subscriptions:", u.az("recover"),
		"# Then apply the watchdog's deployment again.")
	if asksForRBAC(u.q, missing) {
		u.add("# And for Confluent:")
		u.assign(confluent.AzureRoles())
	}
}

// tenant tells what a vault in another tenant means.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/move-subscription
func (u *unlocker) tenant(missing []core.Requirement) {
	if !slices.ContainsFunc(missing, property(vaultTenant)) {
		return
	}
	u.add("# The vault is in another tenant than is configured: no role assignment and no access policy of the old tenant counts in it.",
		"# If its subscription was moved by mistake, move it back first. Then:")
	if guidGrammar.MatchString(u.q.Key.Needs.Tenant) {
		u.add(u.az("update", "--set", "properties.tenantId="+u.q.Key.Needs.Tenant))
	}
}

// access repairs what gave Confluent its access, under the permission model that
// the snapshot had.
func (u *unlocker) access(missing []core.Requirement) {
	lacks := slices.DeleteFunc(slices.Clone(missing), func(r core.Requirement) bool { return r.Aspect != core.Access || r.Principal != u.principal })
	if len(lacks) == 0 || u.principal == "" {
		return
	}
	rbac := asksForRBAC(u.q, missing)
	if u.known && u.now.rbac() != rbac {
		was, is := "access policies", "Azure RBAC"
		if rbac {
			was, is = is, was
		}
		u.add(fmt.Sprintf("# The vault was switched from %s to %s. To switch it back, as an owner:", was, is),
			u.az("update", "--enable-rbac-authorization", fmt.Sprint(rbac)),
			"# Or, to stay with "+is+":")
		rbac = !rbac
	}
	u.denies(lacks, u.principal, "Confluent's service principal")
	if u.known && u.now.rbac() == rbac {
		lacks = u.ungiven(lacks)
	}
	if rbac {
		u.byRoles(lacks)
		return
	}
	if lacksKeyPermission(u.principal, lacks) {
		u.add(u.setPolicy(u.principal, confluent.AzureAccessPolicy(), u.now.keys(u.principal)))
	}
	vaultRead := func(r core.Requirement) bool { return r.Permission == confluent.AzureVaultRead }
	if rest := slices.DeleteFunc(lacks, func(r core.Requirement) bool { return !vaultRead(r) }); len(rest) > 0 {
		u.byRoles(rest)
	}
}

// ungiven lists what of the missing nothing gives, whatever is denied.
func (u *unlocker) ungiven(missing []core.Requirement) []core.Requirement {
	allowed := Judge(slices.DeleteFunc(slices.Clone(u.live), func(d core.Document) bool { return d.Kind == core.DenyAssignments }), u.q)
	return slices.DeleteFunc(slices.Clone(missing), func(r core.Requirement) bool {
		return slices.ContainsFunc(allowed.Findings, func(f core.Finding) bool { return f.Requirement == r && f.Result == core.Met })
	})
}

// byRoles gives what is missing by role assignments. Custom roles through which
// Confluent has something are repaired first.
func (u *unlocker) byRoles(lacks []core.Requirement) {
	before := len(u.lines)
	roles := lackingRoles(u.principal, lacks)
	l, err := ledgerOf(u.live, core.AssignedTo(u.id, u.principal))
	if err != nil {
		u.assign(roles)
		return
	}
	for _, r := range l.rows {
		u.role(r.role, lacks)
	}
	if len(u.lines) > before {
		u.add("# Or, in the place of the custom role:")
	}
	for _, role := range roles {
		if r, there := l.find(u.vaultID, u.principal, role.ID); there && r.when.text != "" && r.id == wording.Lower(assignmentID(u.vaultID, r.name())) {
			u.add("# Confluent's assignment of this role has a condition now. Assign it anew without:",
				line("az", "role", "assignment", "delete", "--ids", assignmentID(u.vaultID, r.name())))
		}
	}
	u.assign(roles)
}

func (u *unlocker) assign(roles []confluent.AzureRole) {
	for _, role := range roles {
		if u.principal != "" {
			u.add(u.azAssign(role.ID, u.principal))
		}
	}
}

// role repairs a custom role through which Confluent is to have what is missing.
//
// Source: https://learn.microsoft.com/azure/role-based-access-control/custom-roles-cli
func (u *unlocker) role(guid string, missing []core.Requirement) {
	if !guidGrammar.MatchString(guid) || Builtin(guid) {
		return
	}
	doc, err := documentOf(u.live, core.RoleDefinitions, "/providers/microsoft.authorization/roledefinitions/"+guid)
	if err != nil {
		return
	}
	list, err := parseRoles(doc.Text)
	if err != nil {
		return
	}
	i := slices.IndexFunc(list, func(r role) bool { return r.ID == guid })
	if i < 0 {
		u.add("# The custom role " + guid + " is deleted, which can't be undone.")
		return
	}
	var data, management []string
	for _, r := range missing {
		a := confluentAsk(r.Permission)
		switch given := slices.ContainsFunc(list[i].Permissions, func(p permission) bool { return p.covers(a) }); {
		case given || !isNeeded(r.Permission):
		case a.data:
			data = append(data, r.Permission)
		default:
			management = append(management, r.Permission)
		}
	}
	if len(data)+len(management) == 0 {
		return
	}
	u.add(line("az", "role", "definition", "list", "--name", guid, "--subscription", u.subscription, "--query", "[0]", "--output", "json") + " > role.json")
	tell := func(to string, list []string) {
		if len(list) > 0 {
			u.add("# In role.json, add to " + to + ", and take out of what is excluded there: " + strings.Join(list, ", "))
		}
	}
	tell("dataActions", data)
	tell("actions", management)
	u.add(line("az", "role", "definition", "update", "--role-definition", "role.json"))
}

// isNeeded says that a permission is one of Confluent's, which are constants and
// may enter a line.
func isNeeded(permission string) bool {
	return slices.ContainsFunc(confluent.AzurePermissions(), func(p confluent.Permission) bool { return p.Name == permission })
}

// denies tells how to find the deny assignments that take what is missing.
// Nobody writes one: Azure makes them for whoever deploys something managed.
//
// Sources: https://learn.microsoft.com/azure/role-based-access-control/deny-assignments,
// https://learn.microsoft.com/azure/azure-resource-manager/bicep/deployment-stacks#protect-managed-resources
func (u *unlocker) denies(missing []core.Requirement, principal, who string) {
	if !deniesAny(Judge(u.live, u.q), missing) {
		return
	}
	if guidGrammar.MatchString(principal) {
		who += ", " + principal
	}
	u.add("# A deny assignment takes it from "+who+". Role assignments don't help against it, and no administrator can edit it:",
		"# only the owner of the deployment stack or managed application that made it can, who excludes this principal there or lifts the denial. To find it:",
		line("az", "rest", "--method", "get", "--url", u.vaultID+"/providers/Microsoft.Authorization/denyAssignments?api-version=2022-04-01"),
		line("az", "stack", "group", "list", "--resource-group", u.group, "--subscription", u.subscription),
		line("az", "stack", "sub", "list", "--subscription", u.subscription))
}

func deniesAny(j core.Judgement, missing []core.Requirement) bool {
	return slices.ContainsFunc(j.Findings, func(f core.Finding) bool {
		return f.Result != core.Met && slices.Contains(missing, f.Requirement) && deniedBy(f)
	})
}

// network opens the vault as far as Confluent's kind of cluster needs it.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/network-security
func (u *unlocker) network(missing []core.Requirement) {
	if !slices.ContainsFunc(missing, property(vaultNetwork)) || !u.known {
		return
	}
	gate := u.now.gate()
	if gate.public == "" {
		u.add("# The vault is secured by a network security perimeter, whose rules stand above its own: let Confluent in there, or take the vault out of it.")
		return
	}
	whole := opening{action: actions[0], public: publics[0]}
	switch u.q.Key.Needs.Cluster {
	case confluent.AzureDedicated:
		u.add("# Confluent's dedicated clusters come as a trusted Microsoft service:", u.open(opening{bypass: bypasses[0]}))
	case confluent.AzureEnterprise:
		u.add("# Confluent's enterprise clusters come over public addresses, which all must be let in:", u.open(whole))
	default:
		u.add("# For a dedicated cluster:", u.open(opening{bypass: bypasses[0]}), "# For an enterprise cluster:", u.open(whole))
	}
}

// key repairs the key and its versions.
func (u *unlocker) key(missing []core.Requirement) {
	doc, err := documentOf(u.live, core.VaultKey, u.id)
	if err != nil {
		return
	}
	o, err := rawjson.ReadObject(doc.Text)
	if err != nil {
		return
	}
	if o.Get("error") != "" {
		if slices.ContainsFunc(missing, func(r core.Requirement) bool { return r.Aspect == core.Property }) {
			u.add("# The key is deleted. If it can't be recovered it is purged, and what it encrypted is lost: open a Confluent ticket.", u.azKey("recover"))
		}
		return
	}
	u.states(missing, u.versionIn(o))
	if slices.ContainsFunc(missing, property(keyOperations)) {
		u.operations(o)
	}
	if slices.ContainsFunc(missing, property(keyType)) {
		u.add("# The type of a key can't be changed: it is not the key of a Confluent cluster.")
	}
	if slices.ContainsFunc(missing, property(keyValidity)) {
		u.add("# Outside its dates a key still decrypts, but encrypts nothing new. Give it another end: " + u.azKey("set-attributes", "--expires", "YYYY-MM-DDThh:mm:ssZ"))
	}
	if slices.ContainsFunc(missing, property(vaultPurge)) {
		u.add("# Purge protection can't be turned off again:", u.az("update", "--enable-purge-protection", "true"))
	}
}

// states enables versions. current is the key's current version.
func (u *unlocker) states(missing []core.Requirement, current string) {
	editions, _, err := editionsOf(u.live, u.address)
	if err != nil {
		return
	}
	for _, r := range missing {
		number, ok := strings.CutPrefix(r.Permission, versionPrefix)
		number, ended := strings.CutSuffix(number, enabledSuffix)
		switch {
		case r.Aspect == core.Property && r.Permission == keyEnabled:
			number = current
		case r.Aspect != core.Property || !ok || !ended:
			continue
		}
		i := slices.IndexFunc(editions, func(e edition) bool { return e.number == number })
		switch {
		case !versionGrammar.MatchString(number):
		case i < 0:
			u.add("# Version " + number + " is gone, and what only it can decrypt with it: open a Confluent ticket.")
		case editions[i].disabled():
			u.add(u.enable(number))
		}
	}
}

// operations adds to what the key permits what Confluent needs.
//
// Source: https://learn.microsoft.com/cli/azure/keyvault/key#az-keyvault-key-set-attributes
func (u *unlocker) operations(key rawjson.Object) {
	var all []string
	for _, within := range []string{"key", "properties"} {
		o, err := rawjson.CutObject(key.Get(within))
		if err != nil {
			continue
		}
		for _, name := range []string{"keyOps", "key_ops"} {
			if list, err := wordsOf(o.Get(name)); err == nil {
				all = append(all, list...)
			}
		}
	}
	var ops []string
	for _, op := range []string{"decrypt", "encrypt", "export", "import", "sign", "unwrapKey", "verify", "wrapKey"} {
		if holds(all, op) || slices.Contains(confluent.AzureKeyOperations(), op) {
			ops = append(ops, op)
		}
	}
	u.add(u.azKey("set-attributes", append([]string{"--ops"}, ops...)...))
}
