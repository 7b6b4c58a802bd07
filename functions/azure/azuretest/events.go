package azuretest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Event is one event as Event Grid's system topics have it: of the subscription
// for what Azure Resource Manager did, of the vault for what Key Vault itself
// tells.
type Event struct {
	ID       string
	Type     string // such as Microsoft.Resources.ResourceWriteSuccess
	Topic    string // ID of the source
	Subject  string
	Op       string // of Resource Manager's: the operation, such as Microsoft.KeyVault/vaults/write
	Resource string // ID of what the operation was on, as it was spelled
	Caller   string // object ID; empty where the event does not tell it
	At       time.Time
	Data     json.RawMessage
}

// Grid is the event in Event Grid's own schema, one object
// (https://learn.microsoft.com/azure/event-grid/event-schema).
func (e Event) Grid() []byte {
	version := "2"
	if strings.HasPrefix(e.Type, "Microsoft.KeyVault.") {
		version = "1"
	}
	return text(struct {
		Subject         string          `json:"subject"`
		EventType       string          `json:"eventType"`
		ID              string          `json:"id"`
		Data            json.RawMessage `json:"data"`
		DataVersion     string          `json:"dataVersion"`
		MetadataVersion string          `json:"metadataVersion"`
		EventTime       string          `json:"eventTime"`
		Topic           string          `json:"topic"`
	}{e.Subject, e.Type, e.ID, e.Data, version, "1", stamp(e.At), e.Topic})
}

// Cloud is the event as a CloudEvent 1.0
// (https://learn.microsoft.com/azure/event-grid/cloud-event-schema).
func (e Event) Cloud() []byte {
	return text(struct {
		ID          string          `json:"id"`
		Source      string          `json:"source"`
		Subject     string          `json:"subject"`
		Type        string          `json:"type"`
		Time        string          `json:"time"`
		SpecVersion string          `json:"specversion"`
		Data        json.RawMessage `json:"data"`
	}{e.ID, e.Topic, e.Subject, e.Type, stamp(e.At), "1.0", e.Data})
}

// The names of claims of a token that are no plain words.
const (
	claimObject = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	claimTenant = "http://schemas.microsoft.com/identity/claims/tenantid"
	claimUPN    = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
	claimName   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
)

// tell keeps the event of a write by Azure Resource Manager
// (https://learn.microsoft.com/azure/event-grid/event-schema-subscriptions).
// Topics are of subscriptions: what happens above them raises none.
func (c *Cloud) tell(k *call) {
	if !strings.HasPrefix(k.id, "/subscriptions/") {
		return
	}
	kind := "Write"
	switch k.method {
	case http.MethodDelete:
		kind = "Delete"
	case http.MethodPost:
		kind = "Action"
	}
	e := c.event("Microsoft.Resources.Resource"+kind+"Success", c.Subscription(), k.path)
	e.Op, e.Resource, e.Caller = k.route.op, k.path, k.who.ObjectID
	provider, _, _ := strings.Cut(k.route.op, "/")
	data := map[string]any{
		"authorization": map[string]any{"scope": k.path, "action": k.route.op, "evidence": c.evidence(k)},
		"claims":        c.claims(k.who), "correlationId": c.guid("correlation"),
		"resourceProvider": provider, "resourceUri": k.path, "operationName": k.route.op, "status": "Succeeded",
		"subscriptionId": c.opts.Subscription, "tenantId": c.opts.Tenant,
	}
	if k.status != http.StatusCreated { // "only included when updating an existing resource or deleting"
		data["httpRequest"] = map[string]any{"clientRequestId": c.guid("client"), "clientIpAddress": k.who.Address, "method": k.method,
			"url": "https://management.azure.com" + k.path + "?" + k.rawQuery}
	}
	e.Data = text(data)
	k.events = append(k.events, e)
}

func (c *Cloud) event(kind, topic, subject string) Event {
	return Event{ID: c.guid("event"), Type: kind, Topic: topic, Subject: subject, At: c.opts.Now().UTC()}
}

// evidence is the assignment that let a call pass.
func (c *Cloud) evidence(k *call) map[string]any {
	if k.by == nil {
		return map[string]any{}
	}
	plain := func(id string) string { return strings.ReplaceAll(id, "-", "") }
	return map[string]any{"role": c.role(k.by.role).Name, "roleAssignmentScope": k.by.scope, "roleAssignmentId": plain(last(k.by.id)),
		"roleDefinitionId": plain(k.by.role), "principalId": plain(k.by.principal), "principalType": k.by.kind}
}

// claims are those of the caller's token: of a user the name and address, of a
// service principal the application.
func (c *Cloud) claims(w Caller) map[string]string {
	m := c.members[w.ObjectID]
	now := c.opts.Now()
	at := func(d time.Duration) string { return string(text(now.Add(d).Unix())) }
	issuer := "https://sts.windows.net/" + c.opts.Tenant + "/"
	out := map[string]string{"aud": "https://management.core.windows.net/", "iss": issuer, "iat": at(-5 * time.Minute), "nbf": at(-5 * time.Minute),
		"exp": at(time.Hour), "ipaddr": w.Address, "uti": last(issuer + w.ObjectID)[:8], "ver": "1.0", claimObject: w.ObjectID, claimTenant: c.opts.Tenant}
	if m.Type == User {
		out["appid"], out["appidacr"] = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "2" // Azure portal
		out["name"], out[claimUPN], out[claimName] = m.Name, m.UPN, m.UPN
		return out
	}
	out["appid"], out["appidacr"], out["idtyp"] = m.AppID, "2", "app"
	return out
}

// tellPolicyChanged keeps Key Vault's own event of a change of access policies,
// or of the permission model. It does not say who did it
// (https://learn.microsoft.com/azure/event-grid/event-schema-key-vault).
func (c *Cloud) tellPolicyChanged(k *call, v *vault) {
	e := c.event("Microsoft.KeyVault.VaultAccessPolicyChanged", v.id, v.name)
	e.Data = text(map[string]any{"Id": "https://" + strings.ToLower(v.name) + ".vault.azure.net/", "VaultName": v.name, "ObjectType": "Vault", "ObjectName": v.name,
		"Version": "", "NBF": nil, "EXP": nil})
	k.events = append(k.events, e)
}

// tellNewVersion keeps the only event that a change on the data plane raises.
func (c *Cloud) tellNewVersion(k *call, v *vault, of *key, ver version) {
	e := c.event("Microsoft.KeyVault.KeyNewVersionCreated", v.id, of.name)
	data := map[string]any{"Id": "https://" + strings.ToLower(v.name) + ".vault.azure.net/keys/" + of.name + "/" + ver.id, "VaultName": v.name, "ObjectType": "Key",
		"ObjectName": of.name, "Version": ver.id, "NBF": nil, "EXP": nil}
	if !ver.begins.IsZero() {
		data["NBF"] = ver.begins.Unix()
	}
	if !ver.ends.IsZero() {
		data["EXP"] = ver.ends.Unix()
	}
	e.Data = text(data)
	k.events = append(k.events, e)
}
