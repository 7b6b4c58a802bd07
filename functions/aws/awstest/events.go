package awstest

import (
	"encoding/json"
	"strings"
	"time"
)

// Event is one EventBridge event, as it would be handed to a function.
type Event struct {
	Region string
	Name   string // of the operation, such as PutKeyPolicy
	Data   []byte
}

// Events lists every event so far, oldest first.
func (c *Cloud) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Event(nil), c.events...)
}

func (c *Cloud) deliver(e *Event) {
	if e != nil && c.opts.Events != nil {
		c.opts.Events(e.Region, e.Data)
	}
}

// event makes the record that CloudTrail sends by way of EventBridge, for calls
// that failed as well
// (https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html,
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
func (c *Cloud) event(k *call, f *failure) *Event {
	owner := accountOf(k.arn)
	if owner == "" {
		owner = k.who.Account()
	}
	at := c.opts.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	address, agent := k.who.Address, k.who.Agent
	if address == "" {
		address = "192.0.2.0"
	}
	if agent == "" {
		agent = "AWS Internal"
	}
	if k.who.Via != "" {
		address, agent = k.who.Via, k.who.Via
	}
	detail := map[string]any{
		"eventVersion": "1.11", "userIdentity": k.who.identity(owner), "eventTime": at, "eventSource": "kms.amazonaws.com",
		"eventName": k.name, "awsRegion": k.region, "sourceIPAddress": address, "userAgent": agent,
		"requestParameters": nil, "responseElements": nil, "requestID": k.id, "eventID": c.nextIDLocked("event"),
		"readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": owner, "eventCategory": "Management",
	}
	if k.who.Console {
		detail["sessionCredentialFromConsole"] = "true"
	}
	if k.who.Account() != owner {
		detail["sharedEventID"] = c.nextIDLocked("shared")
	}
	if f != nil {
		detail["errorCode"], detail["errorMessage"] = errorCode(f.code), cut(f.message, 1024)
	} else {
		detail["requestParameters"] = k.parameters()
		if k.extra != nil {
			detail["responseElements"] = k.extra
		}
		detail["resources"] = []map[string]string{{"accountId": owner, "type": "AWS::KMS::Key", "ARN": k.arn}}
	}
	data, err := json.Marshal(map[string]any{
		"version": "0", "id": c.nextIDLocked("envelope"), "detail-type": "AWS API Call via CloudTrail", "source": "aws.kms",
		"account": owner, "time": at, "region": k.region, "resources": []string{}, "detail": detail,
	})
	if err != nil {
		panic(err) // plain maps of strings always marshal
	}
	return &Event{Region: k.region, Name: k.name, Data: data}
}

// errorCode is how CloudTrail names an error: a refusal loses its suffix.
func errorCode(code string) string {
	if code == "AccessDeniedException" {
		return "AccessDenied"
	}
	return code
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// identity is the userIdentity of a record
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html).
// A caller of another account shows no more than that account.
func (w Caller) identity(owner string) map[string]any {
	account := w.Account()
	id := map[string]any{"accountId": account, "accessKeyId": w.AccessKey, "arn": w.ARN()}
	if w.Via != "" {
		id["invokedBy"] = w.Via
	}
	name := w.Principal[strings.LastIndexByte(w.Principal, '/')+1:]
	switch {
	case account != owner:
		return map[string]any{"type": "AWSAccount", "principalId": w.id + ":" + w.Session, "accountId": account}
	case w.id == "":
		id["type"], id["principalId"] = "Root", account
	case w.Session == "":
		id["type"], id["principalId"], id["userName"] = "IAMUser", w.id, name
	default:
		id["type"], id["principalId"] = "AssumedRole", w.id+":"+w.Session
		session := map[string]any{
			"sessionIssuer": map[string]string{"type": "Role", "principalId": w.id, "arn": w.Principal, "accountId": account, "userName": name},
			"attributes":    map[string]string{"creationDate": "2026-03-02T09:58:41Z", "mfaAuthenticated": "false"},
		}
		if w.SourceIdentity != "" {
			session["sourceIdentity"] = w.SourceIdentity
		}
		id["sessionContext"] = session
	}
	return id
}

// parameters are the requestParameters of a record: what the caller sent, in
// lower camel case.
func (k *call) parameters() map[string]any {
	in := k.in
	switch k.name {
	case "PutKeyPolicy":
		return map[string]any{"keyId": in.KeyId, "policyName": policyName, "policy": in.Policy, "bypassPolicyLockoutSafetyCheck": in.BypassPolicyLockoutSafetyCheck}
	case "ScheduleKeyDeletion":
		p := map[string]any{"keyId": in.KeyId}
		if in.PendingWindowInDays != nil {
			p["pendingWindowInDays"] = *in.PendingWindowInDays
		}
		return p
	case "RevokeGrant":
		return map[string]any{"keyId": in.KeyId, "grantId": in.GrantId}
	case "CreateGrant":
		return map[string]any{"keyId": in.KeyId, "operations": in.Operations, "granteePrincipal": in.GranteePrincipal, "constraints": in.Constraints}
	case "ReplicateKey":
		return map[string]any{"keyId": in.KeyId, "replicaRegion": in.ReplicaRegion, "bypassPolicyLockoutSafetyCheck": in.BypassPolicyLockoutSafetyCheck, "description": in.Description}
	case "CreateKey":
		return map[string]any{"keySpec": in.KeySpec, "multiRegion": in.MultiRegion, "description": in.Description}
	}
	return map[string]any{"keyId": in.KeyId}
}

// Tick is the event of the schedule
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html).
func (c *Cloud) Tick(region string) []byte {
	data, err := json.Marshal(map[string]any{
		"version": "0", "id": c.nextID("tick"), "detail-type": "Scheduled Event", "source": "aws.events", "account": c.opts.Account,
		"time": c.opts.Now().UTC().Truncate(time.Second).Format(time.RFC3339), "region": region,
		"resources": []string{"arn:aws:events:" + region + ":" + c.opts.Account + ":rule/byokwatch-sweep"}, "detail": map[string]any{},
	})
	if err != nil {
		panic(err) // plain maps of strings always marshal
	}
	return data
}
