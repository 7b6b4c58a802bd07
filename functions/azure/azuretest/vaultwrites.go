package azuretest

import (
	"maps"
	"net/http"
	"strings"
)

// patchVault is an update: what it names is replaced, access policies and
// networkAcls as a whole, and all else stays
// (https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update).
func patchVault(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	v := c.vaults[k.id]
	old := v.now()
	var in vaultBody
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	next := old
	if in.Tags != nil {
		next.tags = maps.Clone(*in.Tags)
	}
	if p := in.Properties; p != nil {
		if f := p.admissible(c, &old); f != nil {
			return nil, f
		}
		if f := c.switching(k, v, p.EnableRbac); f != nil {
			return nil, f
		}
		next = p.over(next)
	}
	c.change(k, v, next)
	return v.show(next), nil
}

// over is a content with what the properties name.
func (p *vaultProperties) over(v content) content {
	if p.TenantID != "" {
		v.tenant = p.TenantID
	}
	if p.EnableRbac != nil {
		v.rbac = *p.EnableRbac
	}
	if p.AccessPolicies != nil {
		v.policies = *p.AccessPolicies
	}
	if p.NetworkAcls != nil {
		v.network = p.NetworkAcls.complete()
	}
	if p.PublicNetworkAccess != "" {
		v.public = p.PublicNetworkAccess
	}
	if p.EnablePurgeProtection != nil {
		v.purge = true
	}
	return v
}

// putVault makes a vault, replaces one, or recovers one that was deleted. What
// it does not name is gone afterwards, except the permission model and purge
// protection, which updates never change by themselves
// (https://learn.microsoft.com/azure/key-vault/general/access-control-default).
func putVault(c *Cloud, k *call) (any, *Failure) {
	if group := up(k.id, 4); c.groups[group] == "" {
		return nil, absent("ResourceGroupNotFound", "Resource group '%s' could not be found.", last(group))
	}
	var in vaultBody
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	p := in.Properties
	if p == nil {
		return nil, invalid("InvalidRequestContent", "The properties of the vault are required.")
	}
	if strings.EqualFold(p.CreateMode, "recover") {
		return c.recoverVault(k)
	}
	v := c.vaults[k.id]
	if v == nil && c.deleted[k.id] != nil {
		return nil, fail(http.StatusConflict, "ConflictError", "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.")
	}
	if p.TenantID == "" || p.Sku == nil {
		return nil, invalid("BadRequest", "Invalid value found at properties.tenantId or properties.sku: they are required.")
	}
	var old *content
	next := content{tenant: p.TenantID, public: "Enabled", policies: []policyBody{}, rbac: k.query.Get("api-version") >= "2026-02-01"}
	if v != nil {
		now := v.now()
		old = &now
		next.rbac, next.purge = old.rbac, old.purge
	}
	if f := p.admissible(c, old); f != nil {
		return nil, f
	}
	if in.Tags != nil {
		next.tags = maps.Clone(*in.Tags)
	}
	if v == nil {
		if in.Location == "" {
			return nil, invalid("LocationRequired", "The location property is required for this definition.")
		}
		next = p.over(next)
		next.modified, next.modifier = c.opts.Now(), k.who.ObjectID
		v = c.newVault(last(c.groups[up(k.id, 4)]), last(k.path), in.Location, next, k.who.ObjectID)
		c.wrote(k, k.id, nil, v.show(next))
		k.status = http.StatusCreated
		return v.show(next), nil
	}
	if f := c.switching(k, v, p.EnableRbac); f != nil {
		return nil, f
	}
	c.change(k, v, p.over(next))
	return v.show(v.now()), nil
}

// deleteVault deletes a vault softly. Its role assignments are gone for good
// (https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview).
func deleteVault(c *Cloud, k *call) (any, *Failure) {
	v := c.vaults[k.id]
	if v == nil {
		k.status = http.StatusNoContent
		return nil, nil
	}
	c.wrote(k, k.id, v.show(v.now()), nil)
	v.gone = c.opts.Now()
	delete(c.vaults, k.id)
	c.deleted[k.id] = v
	for _, e := range c.assignments {
		if g := e.history.Now(); g != nil && strings.HasPrefix(fold(g.scope)+"/", k.id+"/") {
			e.history.Set(nil, c.opts.Now())
		}
	}
	return nil, nil
}

func (c *Cloud) recoverVault(k *call) (any, *Failure) {
	v := c.deleted[k.id]
	if v == nil {
		return nil, absent("ResourceNotFound", "There is no deleted vault '%s' to recover.", last(k.id))
	}
	delete(c.deleted, k.id)
	c.vaults[k.id] = v
	c.wrote(k, k.id, nil, v.show(v.now()))
	return v.show(v.now()), nil
}

func (c *Cloud) showDeleted(v *vault) any {
	at := v.now()
	p := map[string]any{"vaultId": v.id, "location": v.location, "deletionDate": v.gone.UTC().Format("2006-01-02T15:04:05Z"),
		"scheduledPurgeDate": v.gone.AddDate(0, 0, 90).UTC().Format("2006-01-02T15:04:05Z"), "tags": at.tags}
	if at.purge {
		p["purgeProtectionEnabled"] = true
	}
	return map[string]any{"id": c.Subscription() + "/providers/Microsoft.KeyVault/locations/" + v.location + "/deletedVaults/" + v.name, "name": v.name,
		"type": "Microsoft.KeyVault/deletedVaults", "properties": p}
}

func listDeleted(c *Cloud, k *call) (any, *Failure) {
	list := []any{}
	for _, id := range sortedKeys(c.deleted) {
		list = append(list, c.showDeleted(c.deleted[id]))
	}
	return k.page(c, list, 200), nil
}

// deletedIn finds a deleted vault by its name and location.
func (c *Cloud) deletedIn(id string) *vault {
	for _, v := range c.deleted {
		if fold(v.location) == "/"+last(up(id, 2)) && fold(v.name) == "/"+last(id) {
			return v
		}
	}
	return nil
}

func getDeleted(c *Cloud, k *call) (any, *Failure) {
	v := c.deletedIn(k.id)
	if v == nil {
		return nil, absent("DeletedVaultNotFound", "The specified deleted vault '%s' does not exist.", last(k.id))
	}
	return c.showDeleted(v), nil
}

func purgeVault(c *Cloud, k *call) (any, *Failure) {
	v := c.deletedIn(up(k.id, 1))
	switch {
	case v == nil:
		return nil, absent("DeletedVaultNotFound", "The specified deleted vault '%s' does not exist.", last(up(k.id, 1)))
	case v.now().purge:
		return nil, invalid("MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
	}
	c.wrote(k, fold(v.id), c.showDeleted(v), nil)
	delete(c.deleted, fold(v.id))
	return nil, nil
}

// tagsBody is the set of a resource's tags
// (https://learn.microsoft.com/rest/api/resources/tags/update-at-scope).
type tagsBody struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Type       string `json:"type,omitempty"`
	Operation  string `json:"operation,omitempty"`
	Properties struct {
		Tags map[string]string `json:"tags"`
	} `json:"properties"`
}

func showTags(v *vault, at content) tagsBody {
	b := tagsBody{ID: v.id + "/providers/Microsoft.Resources/tags/default", Name: "default", Type: "Microsoft.Resources/tags"}
	b.Properties.Tags = maps.Clone(at.tags)
	return b
}

func getTags(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	v := c.vaults[scopeOf(k.id)]
	return showTags(v, c.seenVault(k, v)), nil
}

// patchTags merges tags into those of a vault, puts them in their place, or
// deletes those of the same name and value. The case of names does not count
// (https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources).
func patchTags(c *Cloud, k *call) (any, *Failure) {
	if f := c.present(k.id); f != nil {
		return nil, f
	}
	v := c.vaults[scopeOf(k.id)]
	var in tagsBody
	if f := k.decode(&in); f != nil {
		return nil, f
	}
	next := v.now()
	next.tags = maps.Clone(next.tags)
	if next.tags == nil || strings.EqualFold(in.Operation, "Replace") {
		next.tags = map[string]string{}
	}
	find := func(name string) string {
		for own := range next.tags {
			if strings.EqualFold(own, name) {
				return own
			}
		}
		return name
	}
	for name, value := range in.Properties.Tags {
		switch own := find(name); {
		case len(name) > 512 || len(value) > 256:
			return nil, invalid("TagTooLong", "A tag name has at most 512 characters, and its value 256.")
		case strings.EqualFold(in.Operation, "Merge"), strings.EqualFold(in.Operation, "Replace"):
			next.tags[own] = value
		case !strings.EqualFold(in.Operation, "Delete"):
			return nil, invalid("InvalidTagsOperation", "The operation '%s' is not one of Replace, Merge and Delete.", in.Operation)
		case next.tags[own] == value:
			delete(next.tags, own)
		}
	}
	if len(next.tags) > 50 {
		return nil, invalid("TooManyTags", "A resource has at most 50 tags.")
	}
	c.change(k, v, next)
	return showTags(v, next), nil
}
