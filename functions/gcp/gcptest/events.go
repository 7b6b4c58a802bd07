package gcptest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

// Event is one entry of the admin activity audit log.
type Event struct {
	Service, Method, Resource string
	Failed                    bool
	// Log is the node whose log holds it, such as projects/acme-prod. A sink of
	// the project sees only what is in the project's own.
	Log string
	// Entry is the LogEntry, and At its timestamp.
	Entry []byte
	At    time.Time
	// InsertID is part of what identifies the entry.
	InsertID string
}

// Events lists every event so far, oldest first.
func (c *Cloud) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// log makes the entries of a call, for one that failed as well
// (https://docs.cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog).
// A long-running method has two: one when it begins, one when it has ended.
func (c *Cloud) log(k *call, f *failure) []Event {
	if !k.route.long || f != nil {
		return []Event{c.entry(k, f, nil, k.request, k.response)}
	}
	id := k.resource + "/operations/1"
	operation := func(end string) map[string]any {
		return map[string]any{"id": id, "producer": k.route.service, end: true}
	}
	return []Event{c.entry(k, nil, operation("first"), k.request, nil), c.entry(k, nil, operation("last"), nil, k.response)}
}

func (c *Cloud) entry(k *call, f *failure, operation, request, response map[string]any) Event {
	at := c.opts.Now().UTC()
	e := Event{Service: k.route.service, Method: k.method(), Resource: k.resource, Failed: f != nil, Log: c.logOf(k.resource), At: at}
	c.serial++
	e.InsertID = fmt.Sprintf("%014x", chaostest.Hash(c.opts.Seed, "insert", k.resource, c.serial)>>8)
	payload := map[string]any{
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "status": map[string]any{}, "serviceName": e.Service,
		"methodName": e.Method, "resourceName": e.Resource, "authenticationInfo": k.who.logged(),
		"authorizationInfo": []map[string]any{{"resource": k.resource, "permission": k.route.permission(k), "permissionType": "ADMIN_WRITE",
			"granted": f == nil || f.status != "PERMISSION_DENIED", "resourceAttributes": map[string]any{}}},
		"requestMetadata": map[string]any{"callerIp": k.who.address(), "callerSuppliedUserAgent": k.who.Agent,
			"requestAttributes": map[string]any{"time": at.Format(time.RFC3339Nano), "auth": map[string]any{}}, "destinationAttributes": map[string]any{}},
	}
	if request != nil {
		payload["request"] = request
	}
	if f != nil {
		payload["status"] = map[string]any{"code": codes[f.status], "message": f.message}
	} else if response != nil {
		payload["response"] = response
	}
	if k.service != nil && f == nil {
		payload["serviceData"] = k.service
	}
	kind, labels := monitored(k)
	entry := map[string]any{
		"protoPayload": payload, "insertId": e.InsertID, "resource": map[string]any{"type": kind, "labels": labels},
		"timestamp": at.Format(time.RFC3339Nano), "receiveTimestamp": at.Add(1500 * time.Millisecond).Format(time.RFC3339Nano),
		"severity": "NOTICE", "logName": e.Log + "/logs/cloudaudit.googleapis.com%2Factivity",
	}
	if f != nil {
		entry["severity"] = "ERROR"
	}
	if operation != nil {
		entry["operation"] = operation
	}
	body, err := json.Marshal(entry)
	if err != nil {
		panic(err) // plain values of our own always marshal
	}
	e.Entry = body
	return e
}

// method is how the log names an operation. Resource Manager has one route for
// what are three services there.
func (k *call) method() string {
	kind, _, _ := strings.Cut(k.resource, "/")
	service := map[string]string{"folders": "Folders", "organizations": "Organizations"}[kind]
	if k.route.service == crmService && service != "" {
		return strings.Replace(k.route.op, "Projects", service, 1)
	}
	return k.route.op
}

// logOf is the node in whose log a change is.
func (c *Cloud) logOf(resource string) string {
	if isDeny.MatchString(resource) {
		return attached(resource)
	}
	if p := projectOf(resource); p != "" {
		return p
	}
	return strings.Join(strings.SplitN(resource, "/", 3)[:2], "/")
}

// logged is the authenticationInfo of an entry.
func (w Caller) logged() map[string]any {
	if w.Subject != "" {
		return map[string]any{"principalSubject": w.Subject}
	}
	_, address, _ := strings.Cut(w.Member, ":")
	return map[string]any{"principalEmail": address, "principalSubject": w.Member}
}

func (w Caller) address() string {
	if w.Address == "" {
		return "192.0.2.1"
	}
	return w.Address
}

// monitored is the monitored resource of an entry
// (https://docs.cloud.google.com/logging/docs/api/v2/resource-list).
func monitored(k *call) (string, map[string]string) {
	labels := map[string]string{}
	if p := projectOf(k.resource); p != "" {
		labels["project_id"] = last(p)
	}
	parts := strings.Split(k.resource, "/")
	for i, name := range []string{"", "location", "key_ring_id", "crypto_key_id", "crypto_key_version_id"} {
		if k.route.service == kmsService && name != "" && len(parts) > 2*i+1 {
			labels[name] = parts[2*i+1]
		}
	}
	switch {
	case isVersion.MatchString(k.resource):
		return "cloudkms_cryptokeyversion", labels
	case isKey.MatchString(k.resource):
		return "cloudkms_cryptokey", labels
	case isRing.MatchString(k.resource):
		return "cloudkms_keyring", labels
	case isCustom.MatchString(k.resource):
		labels["role_name"] = k.resource
		return "iam_role", labels
	case isDeny.MatchString(k.resource):
		labels["service"], labels["method"] = k.route.service, k.route.op
		return "audited_resource", labels
	}
	kind := strings.TrimSuffix(parts[0], "s")
	labels[kind+"_id"] = parts[1]
	return kind, labels
}
