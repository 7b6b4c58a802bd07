package gcptest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// role is a custom role.
type role struct {
	title       string
	permissions []string
	stage       string
	deleted     time.Time
	etag        string
}

// predefined are Google's own roles as far as anything here turns on them
// (https://docs.cloud.google.com/iam/docs/roles-permissions/cloudkms); "*" is a
// stand-in for the thousands of permissions that the owner has.
var predefined = map[string][]string{
	"roles/owner":                                {"*"},
	"roles/editor":                               {"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeyVersions.get", "cloudkms.cryptoKeys.update", "cloudkms.cryptoKeyVersions.update", "cloudkms.keyRings.getIamPolicy", "cloudkms.cryptoKeys.getIamPolicy", "resourcemanager.projects.get"},
	"roles/viewer":                               {"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeyVersions.get", "resourcemanager.projects.get"},
	"roles/cloudkms.viewer":                      {"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.list", "cloudkms.cryptoKeyVersions.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.keyRings.get", "resourcemanager.projects.get"},
	"roles/cloudkms.cryptoKeyEncrypter":          {"cloudkms.cryptoKeyVersions.useToEncrypt", "resourcemanager.projects.get"},
	"roles/cloudkms.cryptoKeyDecrypter":          {"cloudkms.cryptoKeyVersions.useToDecrypt", "resourcemanager.projects.get"},
	"roles/cloudkms.cryptoKeyEncrypterDecrypter": {"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "resourcemanager.projects.get"},
	"roles/cloudkms.admin": {"cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeys.update", "cloudkms.cryptoKeyVersions.get", "cloudkms.cryptoKeyVersions.list",
		"cloudkms.cryptoKeyVersions.update", "cloudkms.cryptoKeyVersions.destroy", "cloudkms.cryptoKeyVersions.restore", "cloudkms.keyRings.get", "cloudkms.keyRings.getIamPolicy", "cloudkms.keyRings.setIamPolicy", "resourcemanager.projects.get"},
	"roles/iam.securityReviewer":  {"cloudkms.cryptoKeys.getIamPolicy", "cloudkms.keyRings.getIamPolicy", "iam.roles.get", "iam.denypolicies.list", "iam.denypolicies.get", "resourcemanager.projects.getIamPolicy", "resourcemanager.folders.getIamPolicy", "resourcemanager.organizations.getIamPolicy"},
	"roles/storage.objectViewer":  {"storage.objects.get", "storage.objects.list"},
	"roles/storage.objectCreator": {"storage.objects.create"},
	"roles/storage.objectUser":    {"storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete", "storage.objects.update"},
}

var (
	label      = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	labelValue = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)
	permission = regexp.MustCompile(`^[a-z]+\.[A-Za-z]+\.[A-Za-z]+$`)
)

// AddRole makes a custom role, such as projects/P/roles/byok.
func (c *Cloud) AddRole(name string, permissions ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isCustom.MatchString(name) {
		panic("gcptest: " + name + " is no custom role")
	}
	c.roles[name] = &chaostest.History[*role]{}
	c.putRole(nil, name, &role{title: last(name), permissions: permissions, stage: "GA"})
}

func (c *Cloud) putRole(k *call, name string, r *role) *role {
	c.serial++
	r.etag = (&policy{generation: c.serial}).etag()
	c.roles[name].Set(r, c.seenFrom(k))
	return r
}

func (c *Cloud) customRole(name string) *role {
	if h := c.roles[name]; h != nil {
		return h.Now()
	}
	return nil
}

// grants says whether a role gives a permission at present. One that was
// deleted or disabled gives nothing, whatever is bound to it
// (https://docs.cloud.google.com/iam/docs/creating-custom-roles#disabling-custom-role).
func (c *Cloud) grants(name, permission string) bool {
	if p, ok := predefined[name]; ok {
		return slices.Contains(p, permission) || slices.Contains(p, "*")
	}
	r := c.customRole(name)
	return r != nil && r.deleted.IsZero() && r.stage != "DISABLED" && slices.Contains(r.permissions, permission)
}

// admitRole refuses a role that can't be bound to a resource. A deleted one may
// stay where it is bound already
// (https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.roles/delete).
func (c *Cloud) admitRole(resource, name string, live *policy) *failure {
	if predefined[name] != nil {
		return nil
	}
	r := c.customRole(name)
	within := slices.Contains(c.chain(resource), up(name, 2)) // a project's or an organisation's own
	if r == nil || !within {
		return invalid("Role %s does not exist in the resource's hierarchy.", name)
	}
	bound := live != nil && slices.ContainsFunc(live.bindings, func(b binding) bool { return b.Role == name })
	if !r.deleted.IsZero() && !bound {
		return invalid("Role %s is deleted: it cannot be bound.", name)
	}
	return nil
}

func (c *Cloud) showRole(name string, r *role) map[string]any {
	out := map[string]any{"name": name, "title": r.title, "includedPermissions": r.permissions, "etag": r.etag}
	if r.stage != "" && r.stage != "ALPHA" { // the zero value is left out
		out["stage"] = r.stage
	}
	if !r.deleted.IsZero() {
		out["deleted"] = true
	}
	return out
}

func getRole(c *Cloud, k *call) (any, *failure) {
	if p, ok := predefined[k.resource]; ok {
		return map[string]any{"name": k.resource, "title": k.resource, "includedPermissions": p, "stage": "GA", "etag": "AA=="}, nil
	}
	h := c.roles[k.resource]
	if h == nil || h.Now() == nil {
		return nil, absent("The role named %s was not found.", k.resource)
	}
	return c.showRole(k.resource, h.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)), nil
}

// current finds the role that a call changes, and checks its etag.
func (c *Cloud) current(k *call, etag string) (*role, *failure) {
	r := c.customRole(k.resource)
	if r == nil {
		return nil, absent("The role named %s was not found.", k.resource)
	}
	if etag != "" && etag != r.etag {
		return nil, aborted()
	}
	next := *r
	return &next, nil
}

func updateRole(c *Cloud, k *call) (any, *failure) {
	var in struct {
		Name                string   `json:"name"`
		Title               string   `json:"title"`
		Description         string   `json:"description"`
		IncludedPermissions []string `json:"includedPermissions"`
		Stage               string   `json:"stage"`
		Etag                string   `json:"etag"`
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	mask := strings.Split(k.query.Get("updateMask"), ",")
	logged := map[string]any{"etag": in.Etag}
	k.request = map[string]any{"@type": adminType("UpdateRoleRequest"), "name": k.resource, "role": logged, "update_mask": map[string]any{"paths": mask}}
	r, f := c.current(k, in.Etag)
	if f != nil {
		return nil, f
	}
	if !r.deleted.IsZero() {
		return nil, precondition("You can't update role %s: it was deleted.", k.resource)
	}
	before := r.permissions
	for _, field := range mask {
		switch field {
		case "includedPermissions", "included_permissions":
			for _, p := range in.IncludedPermissions {
				if !permission.MatchString(p) {
					return nil, invalid("Permission %s is not valid.", p)
				}
			}
			r.permissions, logged["included_permissions"] = in.IncludedPermissions, in.IncludedPermissions
		case "stage":
			n := slices.Index(stages, in.Stage)
			if n < 0 || in.Stage == "" {
				return nil, invalid("Invalid stage %q.", in.Stage)
			}
			r.stage, logged["stage"] = in.Stage, n
		case "title":
			r.title, logged["title"] = in.Title, in.Title
		default:
			return nil, invalid("Invalid field %q in update mask.", field)
		}
	}
	return c.finishRole(k, r, before, r.permissions)
}

// stages by their number in the audit log.
var stages = []string{"ALPHA", "BETA", "GA", "", "DEPRECATED", "DISABLED", "EAP"}

func adminType(name string) string { return "type.googleapis.com/google.iam.admin.v1." + name }

func (c *Cloud) finishRole(k *call, r *role, before, after []string) (any, *failure) {
	c.putRole(k, k.resource, r)
	delta := map[string]any{}
	for _, side := range []struct {
		name string
		a, b []string
	}{{"addedPermissions", after, before}, {"removedPermissions", before, after}} {
		var list []string
		for _, p := range side.a {
			if !slices.Contains(side.b, p) {
				list = append(list, p)
			}
		}
		if list != nil {
			delta[side.name] = list
		}
	}
	if len(delta) > 0 {
		k.service = map[string]any{"@type": adminType("AuditData"), "permissionDelta": delta}
	}
	k.response = map[string]any{"@type": adminType("Role"), "name": k.resource, "title": r.title, "included_permissions": r.permissions, "etag": r.etag, "stage": slices.Index(stages, r.stage)}
	if !r.deleted.IsZero() {
		k.response["deleted"] = true
	}
	return c.showRole(k.resource, r), nil
}

func deleteRole(c *Cloud, k *call) (any, *failure) {
	k.request = map[string]any{"@type": adminType("DeleteRoleRequest"), "name": k.resource}
	r, f := c.current(k, k.query.Get("etag"))
	if f != nil {
		return nil, f
	}
	if !r.deleted.IsZero() {
		return nil, precondition("The role %s is deleted already.", k.resource)
	}
	r.deleted = c.opts.Now()
	return c.finishRole(k, r, r.permissions, nil)
}

func undeleteRole(c *Cloud, k *call) (any, *failure) {
	var in struct {
		Etag string `json:"etag"`
	}
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	k.request = map[string]any{"@type": adminType("UndeleteRoleRequest"), "name": k.resource}
	r, f := c.current(k, in.Etag)
	if f != nil {
		return nil, f
	}
	if r.deleted.IsZero() {
		return nil, precondition("The role %s is not deleted.", k.resource)
	}
	r.deleted = time.Time{}
	return c.finishRole(k, r, nil, r.permissions)
}

// undeletable is how long a deleted role can be had back; then its bindings go
// as well (https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.roles/delete).
const undeletable = 7 * 24 * time.Hour

// purge lets go of roles that were deleted long ago. Call with the lock held.
func (c *Cloud) purge() {
	for _, name := range sortedKeys(c.roles) {
		r := c.customRole(name)
		if r == nil || r.deleted.IsZero() || c.opts.Now().Sub(r.deleted) < undeletable {
			continue
		}
		c.roles[name].Set(nil, c.opts.Now())
		for _, resource := range sortedKeys(c.policies) {
			p := c.live(resource)
			if p == nil || !slices.ContainsFunc(p.bindings, func(b binding) bool { return b.Role == name }) {
				continue
			}
			c.serial++
			next := &policy{generation: c.serial, audit: p.audit}
			for _, b := range p.bindings {
				if b.Role != name {
					next.bindings = append(next.bindings, b)
				}
			}
			c.store(nil, resource, next)
		}
	}
}

// Role is what a read of a custom role's newest state shows.
func (c *Cloud) Role(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purge()
	r := c.customRole(name)
	if r == nil {
		return fmt.Sprintf("role %s does not exist", name)
	}
	return text(c.showRole(name, r))
}
