package cloudtrail

import "byokwatch/core"

// Event is one kind of event that Decode understands.
type Event struct {
	Source     string // EventBridge's source
	DetailType string
	Name       string // CloudTrail's eventName; empty where there is no such record
	Kind       core.ChangeKind
	// Takes says that the operation by its nature takes access away from the
	// keys that it names. A revoked grant takes it depending on who did it.
	Takes bool
	// AllKeys marks events that name no key although they may touch any.
	AllKeys bool
	// Elsewhere marks events of another account and Region that are forwarded
	// to this bus.
	Elsewhere bool
}

const (
	call    = "AWS API Call via CloudTrail"
	service = "AWS Service Event via CloudTrail"

	kms           = "aws.kms"
	organizations = "aws.organizations"
	events        = "aws.events"
)

// Events is everything that Decode makes Changes of. The deployment's rules
// match exactly this.
//
//   - KMS calls: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-kms.html
//   - KMS's own events, which need no trail: https://docs.aws.amazon.com/kms/latest/developerguide/kms-events.html
//   - Aliases and tags matter to policies with kms:ResourceAliases or aws:ResourceTag
//     (https://docs.aws.amazon.com/kms/latest/developerguide/abac.html). An UpdateAlias record
//     does not name the key that the alias left; the sweep sees that one.
//   - Policies of an organisation can deny Confluent, but are neither readable nor seen in a member
//     account; they come from a rule in the management account
//     (https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-organizations.html).
//   - The tick: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
//
// StateChange is kept for what by itself enables or disables the key that it
// names, because the last of these explains a key's state. What may touch a key
// in other ways is a PolicyChange that shows no policy: nobody is named for it.
var Events = []Event{
	{Source: kms, DetailType: call, Name: "PutKeyPolicy", Kind: core.PolicyChange},

	{Source: kms, DetailType: call, Name: "DisableKey", Kind: core.StateChange, Takes: true},
	{Source: kms, DetailType: call, Name: "ScheduleKeyDeletion", Kind: core.StateChange, Takes: true},
	{Source: kms, DetailType: call, Name: "DeleteImportedKeyMaterial", Kind: core.StateChange, Takes: true},
	{Source: kms, DetailType: call, Name: "EnableKey", Kind: core.StateChange},
	{Source: kms, DetailType: call, Name: "CancelKeyDeletion", Kind: core.StateChange},
	{Source: kms, DetailType: call, Name: "ImportKeyMaterial", Kind: core.StateChange},

	{Source: kms, DetailType: call, Name: "CreateAlias", Kind: core.PolicyChange},
	{Source: kms, DetailType: call, Name: "UpdateAlias", Kind: core.PolicyChange},
	{Source: kms, DetailType: call, Name: "DeleteAlias", Kind: core.PolicyChange},
	{Source: kms, DetailType: call, Name: "TagResource", Kind: core.PolicyChange},
	{Source: kms, DetailType: call, Name: "UntagResource", Kind: core.PolicyChange},

	{Source: kms, DetailType: call, Name: "ConnectCustomKeyStore", Kind: core.PolicyChange, AllKeys: true},
	{Source: kms, DetailType: call, Name: "DisconnectCustomKeyStore", Kind: core.PolicyChange, AllKeys: true},
	{Source: kms, DetailType: call, Name: "UpdateCustomKeyStore", Kind: core.PolicyChange, AllKeys: true},

	{Source: kms, DetailType: call, Name: "RevokeGrant", Kind: core.GrantRevoked},
	{Source: kms, DetailType: call, Name: "RetireGrant", Kind: core.GrantRevoked},

	{Source: kms, DetailType: service, Name: "DeleteKey", Kind: core.StateChange, Takes: true},
	{Source: kms, DetailType: service, Name: "DeleteExpiredKeyMaterial", Kind: core.StateChange, Takes: true},
	{Source: kms, DetailType: "KMS CMK Deletion", Kind: core.StateChange, Takes: true},
	{Source: kms, DetailType: "KMS Imported Key Material Expiration", Kind: core.StateChange, Takes: true},

	{Source: organizations, DetailType: call, Name: "AttachPolicy", Kind: core.PolicyChange, AllKeys: true, Elsewhere: true},
	{Source: organizations, DetailType: call, Name: "DetachPolicy", Kind: core.PolicyChange, AllKeys: true, Elsewhere: true},
	{Source: organizations, DetailType: call, Name: "UpdatePolicy", Kind: core.PolicyChange, AllKeys: true, Elsewhere: true},
	{Source: organizations, DetailType: call, Name: "EnablePolicyType", Kind: core.PolicyChange, AllKeys: true, Elsewhere: true},
	{Source: organizations, DetailType: call, Name: "DisablePolicyType", Kind: core.PolicyChange, AllKeys: true, Elsewhere: true},
	{Source: organizations, DetailType: call, Name: "MoveAccount", Kind: core.PolicyChange, AllKeys: true, Elsewhere: true},

	{Source: events, DetailType: "Scheduled Event", Kind: core.Tick, AllKeys: true},
}

// op is the cloud's name of what happened.
func (e Event) op() string {
	if e.Name != "" {
		return e.Name
	}
	return e.DetailType
}

// lookup finds an event in the table. Only CloudTrail's events have names.
func lookup(source, detailType, name string) (Event, bool) {
	if detailType != call && detailType != service {
		name = ""
	}
	for _, e := range Events {
		if e.Source == source && e.DetailType == detailType && e.Name == name {
			return e, true
		}
	}
	return Event{}, false
}
