package azuretest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Person acts by the API as somebody who was logged in. Faults spare people: they
// are for the program under test. But what people write, too, may be seen late.
// Errors of the service are of type *Failure.
type Person struct {
	c     *Cloud
	token string
}

// As acts as whoever was logged in by a token.
func (c *Cloud) As(token string) Person { return Person{c, token} }

// spared marks requests of people.
type spared struct{}

// Do sends one request. A path without a host goes to Azure Resource Manager, in
// the newest version of the API where it names none.
func (p Person) Do(method, path string, body any) ([]byte, error) {
	var content []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		content = b
	case string:
		content = []byte(b)
	default:
		content = text(b)
	}
	if strings.HasPrefix(path, "/") {
		path = "https://management.azure.com" + path
	}
	if !strings.Contains(path, "api-version=") {
		sign := "?"
		if strings.Contains(path, "?") {
			sign = "&"
		}
		path += sign + "api-version=" + newest(path)
	}
	r, err := http.NewRequestWithContext(context.WithValue(context.Background(), spared{}, true), method, path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := p.c.RoundTripper().RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		return out.Bytes(), nil
	}
	var e struct {
		Error struct {
			Code, Message string
			InnerError    struct{ Code string }
		}
	}
	f := &Failure{Status: resp.StatusCode}
	if err := json.Unmarshal(out.Bytes(), &e); err != nil {
		return nil, errors.Join(f, err)
	}
	f.Code, f.Message, f.Inner = e.Error.Code, e.Error.Message, e.Error.InnerError.Code
	return nil, f
}

// newest is the version of the API that belongs to a URL.
func newest(target string) string {
	u, err := url.Parse(target)
	switch {
	case err == nil && vaultHost.MatchString(u.Host):
		return keyAPI[len(keyAPI)-1]
	case strings.Contains(fold(target), authorization):
		return "2022-04-01"
	case strings.Contains(fold(target), "/providers/microsoft.resources/tags"):
		return "2021-04-01"
	}
	return VaultAPIVersion
}

func (p Person) run(method, path string, body any) error {
	_, err := p.Do(method, path, body)
	return err
}

// AssignRole makes a role assignment and returns its ID.
func (p Person) AssignRole(a Assignment) (string, error) {
	p.c.mu.Lock()
	if a.Name == "" {
		a.Name = p.c.guid("assignment")
	}
	role := a.Role
	if r := builtin(role); r != nil {
		role = r.GUID
	}
	p.c.mu.Unlock()
	properties := map[string]any{"roleDefinitionId": p.c.RoleID(last(role)), "principalId": a.Principal}
	for name, value := range map[string]string{"principalType": a.Type, "condition": a.Condition, "description": a.Description} {
		if value != "" {
			properties[name] = value
		}
	}
	if a.Condition != "" {
		properties["conditionVersion"] = "2.0"
	}
	id := strings.TrimSuffix(a.Scope, "/") + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name
	return id, p.run(http.MethodPut, id, map[string]any{"properties": properties})
}

// DeleteAssignment deletes a role assignment.
func (p Person) DeleteAssignment(id string) error { return p.run(http.MethodDelete, id, nil) }

// PutRole makes or replaces a custom role.
func (p Person) PutRole(r Role) error {
	if r.Scopes == nil {
		r.Scopes = []string{p.c.Subscription()}
	}
	properties := map[string]any{"roleName": r.Name, "type": "CustomRole", "assignableScopes": r.Scopes, "permissions": showPermissions(r.Permissions)}
	return p.run(http.MethodPut, p.c.RoleID(r.GUID), map[string]any{"properties": properties})
}

// DeleteRole deletes a custom role.
func (p Person) DeleteRole(guid string) error {
	return p.run(http.MethodDelete, p.c.RoleID(guid), nil)
}

// SetAccessPolicies puts a whole list of access policies in place by PUT, as the
// deployment of a template does: with all else of the vault as it is.
func (p Person) SetAccessPolicies(vault string, list ...AccessPolicy) error {
	data, err := p.Do(http.MethodGet, vault, nil)
	if err != nil {
		return err
	}
	var body vaultBody
	if err := json.Unmarshal(data, &body); err != nil {
		return err
	}
	body.Properties.AccessPolicies = p.policies(list)
	return p.run(http.MethodPut, vault, body)
}

func (p Person) policies(list []AccessPolicy) *[]policyBody {
	out := []policyBody{}
	for _, entry := range list {
		out = append(out, p.c.policyBody(entry))
	}
	return &out
}

// EditAccessPolicies runs one of the operations add, replace and remove.
func (p Person) EditAccessPolicies(vault, kind string, list ...AccessPolicy) error {
	return p.run(http.MethodPut, vault+"/accessPolicies/"+kind, map[string]any{"properties": map[string]any{"accessPolicies": p.policies(list)}})
}

// UpdateVault changes properties of a vault by PATCH.
func (p Person) UpdateVault(vault string, properties map[string]any) error {
	return p.run(http.MethodPatch, vault, map[string]any{"properties": properties})
}

// SetNetwork changes a vault's networkAcls, and its publicNetworkAccess unless
// that is empty.
func (p Person) SetNetwork(vault string, n Network, public string) error {
	properties := map[string]any{"networkAcls": networkOf(n)}
	if public != "" {
		properties["publicNetworkAccess"] = public
	}
	return p.UpdateVault(vault, properties)
}

// DeleteVault deletes a vault softly.
func (p Person) DeleteVault(vault string) error { return p.run(http.MethodDelete, vault, nil) }

// RecoverVault recovers a vault that was deleted.
func (p Person) RecoverVault(vault string) error {
	properties := map[string]any{"createMode": "recover", "tenantId": p.c.opts.Tenant, "sku": skuBody{"A", "premium"}}
	return p.run(http.MethodPut, vault, map[string]any{"location": DefaultLocation, "properties": properties})
}

// PurgeVault deletes a deleted vault for good.
func (p Person) PurgeVault(vault string) error {
	p.c.mu.Lock()
	location := DefaultLocation
	if v := p.c.deleted[fold(vault)]; v != nil {
		location = v.location
	}
	p.c.mu.Unlock()
	return p.run(http.MethodPost, p.c.Subscription()+"/providers/Microsoft.KeyVault/locations/"+location+"/deletedVaults/"+last(vault)+"/purge", nil)
}

// TagVault runs one of the operations Merge, Replace and Delete on a vault's
// tags.
func (p Person) TagVault(vault, operation string, tags map[string]string) error {
	return p.run(http.MethodPatch, vault+"/providers/Microsoft.Resources/tags/default",
		map[string]any{"operation": operation, "properties": map[string]any{"tags": tags}})
}

// onKey is the URL of a key on the data plane.
func onKey(key, kind, more string) string {
	return "https://" + strings.ToLower(last(up(key, 2))) + ".vault.azure.net/" + kind + "/" + last(key) + more
}

// SetKeyEnabled enables or disables a version of a key, "" being the current one.
func (p Person) SetKeyEnabled(key, version string, enabled bool) error {
	return p.UpdateKey(key, version, map[string]any{"enabled": enabled})
}

// UpdateKey changes attributes of a version of a key: enabled, nbf, exp.
func (p Person) UpdateKey(key, version string, attributes map[string]any) error {
	return p.run(http.MethodPatch, onKey(key, "keys", "/"+version), map[string]any{"attributes": attributes})
}

// SetKeyOps changes what a version of a key may be used for.
func (p Person) SetKeyOps(key, version string, ops ...string) error {
	return p.run(http.MethodPatch, onKey(key, "keys", "/"+version), map[string]any{"key_ops": ops})
}

// NewKeyVersion rotates a key, and returns the ID of the new version.
func (p Person) NewKeyVersion(key string) (string, error) {
	data, err := p.Do(http.MethodPost, onKey(key, "keys", "/rotate"), nil)
	if err != nil {
		return "", err
	}
	var b struct{ Key struct{ Kid string } }
	err = json.Unmarshal(data, &b)
	return last(b.Key.Kid), err
}

// DeleteKey deletes a key softly.
func (p Person) DeleteKey(key string) error {
	return p.run(http.MethodDelete, onKey(key, "keys", ""), nil)
}

// RecoverKey recovers a key that was deleted.
func (p Person) RecoverKey(key string) error {
	return p.run(http.MethodPost, onKey(key, "deletedkeys", "/recover"), nil)
}
