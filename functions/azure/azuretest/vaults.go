package azuretest

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// vault is a key vault. Its content is replaced, never changed.
type vault struct {
	id, group, name, location string // as they are spelled
	created                   time.Time
	creator                   string
	history                   chaostest.History[content]
	keys                      map[string]*key
	gone                      time.Time // when it was soft-deleted
}

type content struct {
	tags     map[string]string
	tenant   string
	rbac     bool
	policies []policyBody
	network  *networkBody
	public   string
	purge    bool // protected from purging
	modified time.Time
	modifier string
}

func (v *vault) now() content { return v.history.Now() }

// vaultBody is a vault on the wire
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get).
type vaultBody struct {
	ID         string             `json:"id,omitempty"`
	Name       string             `json:"name,omitempty"`
	Type       string             `json:"type,omitempty"`
	Location   string             `json:"location,omitempty"`
	Tags       *map[string]string `json:"tags,omitempty"`
	SystemData json.RawMessage    `json:"systemData,omitempty"`
	Properties *vaultProperties   `json:"properties,omitempty"`
}

type vaultProperties struct {
	Sku                   *skuBody      `json:"sku,omitempty"`
	TenantID              string        `json:"tenantId,omitempty"`
	AccessPolicies        *[]policyBody `json:"accessPolicies,omitempty"`
	NetworkAcls           *networkBody  `json:"networkAcls,omitempty"`
	EnabledForDeployment  *bool         `json:"enabledForDeployment,omitempty"`
	EnabledForDisks       *bool         `json:"enabledForDiskEncryption,omitempty"`
	EnabledForTemplates   *bool         `json:"enabledForTemplateDeployment,omitempty"`
	EnableSoftDelete      *bool         `json:"enableSoftDelete,omitempty"`
	SoftDeleteRetention   *int          `json:"softDeleteRetentionInDays,omitempty"`
	EnableRbac            *bool         `json:"enableRbacAuthorization,omitempty"`
	EnablePurgeProtection *bool         `json:"enablePurgeProtection,omitempty"`
	CreateMode            string        `json:"createMode,omitempty"`
	VaultURI              string        `json:"vaultUri,omitempty"`
	ProvisioningState     string        `json:"provisioningState,omitempty"`
	PublicNetworkAccess   string        `json:"publicNetworkAccess,omitempty"`
}

type skuBody struct {
	Family string `json:"family"`
	Name   string `json:"name"`
}

type policyBody struct {
	TenantID      string         `json:"tenantId"`
	ObjectID      string         `json:"objectId"`
	ApplicationID string         `json:"applicationId,omitempty"`
	Permissions   permissionSets `json:"permissions"`
}

type permissionSets struct {
	Keys         []string `json:"keys,omitempty"`
	Secrets      []string `json:"secrets,omitempty"`
	Certificates []string `json:"certificates,omitempty"`
	Storage      []string `json:"storage,omitempty"`
}

type networkBody struct {
	Bypass              string       `json:"bypass,omitempty"`
	DefaultAction       string       `json:"defaultAction,omitempty"`
	IPRules             []ipRule     `json:"ipRules"`
	VirtualNetworkRules []subnetRule `json:"virtualNetworkRules"`
}

type ipRule struct {
	Value string `json:"value"`
}

type subnetRule struct {
	ID               string `json:"id"`
	IgnoreMissing    *bool  `json:"ignoreMissingVnetServiceEndpoint,omitempty"`
	ActionOfOldTimes string `json:"action,omitempty"`
	StateOfOldTimes  string `json:"state,omitempty"`
}

var vaultName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{2,23}$`)

// AddVault makes a vault by hand, and its resource group where that does not
// exist. It returns the vault's ID.
func (c *Cloud) AddVault(s VaultSpec) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !vaultName.MatchString(s.Name) {
		panic("azuretest: " + s.Name + " is no name of a vault")
	}
	if s.ResourceGroup == "" {
		s.ResourceGroup = "rg-kafka"
	}
	if s.Location == "" {
		s.Location = DefaultLocation
	}
	if s.Public == "" {
		s.Public = "Enabled"
	}
	v := content{tags: maps.Clone(s.Tags), tenant: c.opts.Tenant, rbac: s.RBAC, public: s.Public, purge: !s.Purgeable, modified: c.opts.Now(), policies: []policyBody{}}
	for _, p := range s.Policies {
		v.policies = append(v.policies, c.policyBody(p))
	}
	if n := s.Network; n != nil {
		v.network = networkOf(*n)
	}
	return c.newVault(s.ResourceGroup, s.Name, s.Location, v, "").id
}

func networkOf(n Network) *networkBody {
	b := &networkBody{Bypass: n.Bypass, DefaultAction: n.DefaultAction, IPRules: []ipRule{}, VirtualNetworkRules: []subnetRule{}}
	for _, ip := range n.IPs {
		b.IPRules = append(b.IPRules, ipRule{Value: ip})
	}
	for _, s := range n.Subnets {
		b.VirtualNetworkRules = append(b.VirtualNetworkRules, subnetRule{ID: s})
	}
	return b.complete()
}

// complete fills in what Azure does
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get#networkruleset).
func (n networkBody) complete() *networkBody {
	if n.Bypass == "" {
		n.Bypass = "AzureServices"
	}
	if n.DefaultAction == "" {
		n.DefaultAction = "Allow"
	}
	rules := []ipRule{}
	for _, r := range n.IPRules {
		if p, err := r.prefix(); err == nil {
			r.Value = p.String()
		}
		rules = append(rules, r)
	}
	n.IPRules = rules
	if n.VirtualNetworkRules == nil {
		n.VirtualNetworkRules = []subnetRule{}
	}
	return &n
}

func (c *Cloud) policyBody(p AccessPolicy) policyBody {
	if p.TenantID == "" {
		p.TenantID = c.opts.Tenant
	}
	return policyBody{TenantID: p.TenantID, ObjectID: p.ObjectID, ApplicationID: p.ApplicationID,
		Permissions: permissionSets{Keys: p.Keys, Secrets: p.Secrets, Certificates: p.Certificates, Storage: p.Storage}}
}

func (c *Cloud) newVault(group, name, location string, v content, creator string) *vault {
	rg := c.Subscription() + "/resourceGroups/" + group
	if c.groups[fold(rg)] == "" {
		c.groups[fold(rg)] = rg
	}
	out := &vault{id: c.groups[fold(rg)] + "/providers/Microsoft.KeyVault/vaults/" + name, group: last(c.groups[fold(rg)]), name: name, location: location,
		created: c.opts.Now(), creator: creator, keys: map[string]*key{}}
	out.history.Set(v, c.opts.Now())
	c.vaults[fold(out.id)] = out
	return out
}

// byName finds a vault by its name, which is unique in the world. Call with the
// lock held.
func (c *Cloud) byName(name string) *vault {
	for _, v := range c.vaults {
		if strings.EqualFold(v.name, name) {
			return v
		}
	}
	return nil
}

// present refuses what is about a resource group or a vault that is not there.
func (c *Cloud) present(id string) *Failure {
	chain := c.chain(id)
	for i := len(chain) - 1; i >= 0; i-- {
		switch {
		case groupID.MatchString(chain[i]) && c.groups[chain[i]] == "":
			return absent("ResourceGroupNotFound", "Resource group '%s' could not be found.", last(chain[i]))
		case isVault.MatchString(chain[i]) && c.vaults[chain[i]] == nil:
			return absent("ResourceNotFound", "The Resource 'Microsoft.KeyVault/vaults/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", last(chain[i]), last(up(chain[i], 4)))
		}
	}
	return nil
}

var groupID = regexp.MustCompile(`^` + groupForm + `$`)

// Vault is what a read of a vault's newest state shows.
func (c *Cloud) Vault(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.vaults[fold(id)]
	if v == nil {
		return ""
	}
	return string(text(v.show(v.now())))
}

func (v *vault) show(at content) vaultBody {
	yes, days, tags := true, 90, maps.Clone(at.tags)
	if tags == nil {
		tags = map[string]string{}
	}
	policies := at.policies
	p := &vaultProperties{Sku: &skuBody{"A", "premium"}, TenantID: at.tenant, AccessPolicies: &policies, NetworkAcls: at.network, EnableSoftDelete: &yes,
		EnabledForDeployment: new(bool), SoftDeleteRetention: &days, EnableRbac: &at.rbac, VaultURI: "https://" + strings.ToLower(v.name) + ".vault.azure.net/",
		ProvisioningState: "Succeeded", PublicNetworkAccess: at.public}
	if at.purge {
		p.EnablePurgeProtection = &yes
	}
	system := text(map[string]string{"createdBy": v.creator, "createdByType": "User", "createdAt": v.created.UTC().Format("2006-01-02T15:04:05.000Z"),
		"lastModifiedBy": at.modifier, "lastModifiedByType": "User", "lastModifiedAt": at.modified.UTC().Format("2006-01-02T15:04:05.000Z")})
	return vaultBody{ID: v.id, Name: v.name, Type: "Microsoft.KeyVault/vaults", Location: v.location, Tags: &tags, SystemData: system, Properties: p}
}

func (c *Cloud) seenVault(k *call, v *vault) content {
	return v.history.At(c.opts.Now(), k.fate.Kind == chaostest.Stale)
}

func getVault(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	v := c.vaults[k.id]
	return v.show(c.seenVault(k, v)), nil
}

func listVaults(c *Cloud, k *call) (any, *Failure) {
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(c.vaults)) {
		if strings.HasPrefix(id, strings.TrimSuffix(k.id, "/providers/microsoft.keyvault/vaults")+"/") {
			list = append(list, c.vaults[id].show(c.seenVault(k, c.vaults[id])))
		}
	}
	return k.page(c, list, 200), nil
}

// change puts a changed content in place, and says what an event of Key Vault
// itself has to tell.
func (c *Cloud) change(k *call, v *vault, next content) {
	old := v.now()
	next.modified, next.modifier = c.opts.Now(), k.who.ObjectID
	c.wrote(k, fold(v.id), v.show(old), v.show(next))
	v.history.Set(next, c.seenFrom(k))
	if old.rbac != next.rbac || string(text(old.policies)) != string(text(next.policies)) {
		c.tellPolicyChanged(k, v)
	}
}

// switching guards the switch between the permission models, which takes the
// right to make any role assignment
// (https://learn.microsoft.com/azure/key-vault/general/rbac-guide#enable-azure-rbac-permissions-on-key-vault).
func (c *Cloud) switching(k *call, v *vault, to *bool) *Failure {
	if to == nil || *to == v.now().rbac {
		return nil
	}
	return c.authorize(k, question{who: k.who.ObjectID, action: "Microsoft.Authorization/roleAssignments/write", resource: fold(v.id), anyway: true})
}

// admissible checks what a PUT and a PATCH have in common.
func (p *vaultProperties) admissible(c *Cloud, old *content) *Failure {
	if p.EnableSoftDelete != nil && !*p.EnableSoftDelete {
		return invalid("BadRequest", "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.")
	}
	if old != nil && old.purge && p.EnablePurgeProtection != nil && !*p.EnablePurgeProtection {
		return invalid("BadRequest", "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.")
	}
	if p.EnablePurgeProtection != nil && !*p.EnablePurgeProtection {
		return invalid("BadRequest", "The property \"enablePurgeProtection\" cannot be set to false.")
	}
	if p.PublicNetworkAccess != "" && !slices.ContainsFunc([]string{"Enabled", "Disabled", "SecuredByPerimeter"}, func(s string) bool { return strings.EqualFold(s, p.PublicNetworkAccess) }) {
		return invalid("BadRequest", "Invalid value '%s' for publicNetworkAccess.", p.PublicNetworkAccess)
	}
	if n := p.NetworkAcls; n != nil {
		if f := n.admissible(); f != nil {
			return f
		}
	}
	if p.AccessPolicies == nil {
		return nil
	}
	tenant := p.TenantID
	if tenant == "" && old != nil {
		tenant = old.tenant
	}
	return admissiblePolicies(*p.AccessPolicies, tenant)
}

var _ http.Handler = (*Cloud)(nil)
