package auditlog

import (
	"strings"

	"byokwatch/core"
)

// Event is one kind of log entry that Decode understands: a method of a
// service. Both must match, because bare method names such as SetIamPolicy are
// used by several services.
type Event struct {
	Service string // protoPayload.serviceName, exactly
	// Method is protoPayload.methodName, or the end of it after a dot: SetIamPolicy
	// is also google.cloud.resourcemanager.v3.Projects.SetIamPolicy, and
	// Policies.CreatePolicy that of every version of the API.
	Method string
	Kind   core.ChangeKind
	// Takes says that the method by its nature takes access away from the key
	// that it names.
	Takes bool
	// Wide marks events about what stands above keys, in a form that is not
	// documented by a sample: one whose resource is not understood may touch
	// every key.
	Wide bool
}

const (
	kms           = "cloudkms.googleapis.com"
	projects      = "cloudresourcemanager.googleapis.com"
	iam           = "iam.googleapis.com"
	serviceUsage  = "serviceusage.googleapis.com"
	setIAMPolicy  = "SetIamPolicy"
	updateVersion = "UpdateCryptoKeyVersion"
)

// Events is everything that Decode makes Changes of. The log sink's filter
// matches exactly this.
//
//   - Cloud KMS, whose methods are logged by their bare names: https://docs.cloud.google.com/kms/docs/audit-logging.
//     Labels of a key hold the owner's revocation, so UpdateCryptoKey counts; a primary version may be one
//     that is disabled.
//   - Resource Manager, https://docs.cloud.google.com/resource-manager/docs/audit-logging: version 1 logs bare
//     names. What is moved inherits from elsewhere.
//   - Custom roles and deny policies: https://docs.cloud.google.com/iam/docs/audit-logging. The methods of deny
//     policies are long-running and logged twice; both entries count.
//   - An API that is switched off answers nobody: https://docs.cloud.google.com/service-usage/docs/audit-logging.
//
// Perimeters of VPC Service Controls, principal access boundaries and
// organisation policies are not here: the function reads none of them, so that
// there would be nothing to look at.
//
// StateChange is kept for what by itself enables or disables a version of the
// key that it names, because the last of these explains a key's state. What may
// touch a key in other ways is a PolicyChange: nobody is named for it unless it
// shows a policy.
var Events = []Event{
	{Service: kms, Method: setIAMPolicy, Kind: core.PolicyChange},
	{Service: kms, Method: "UpdateCryptoKey", Kind: core.PolicyChange},
	{Service: kms, Method: "UpdateCryptoKeyPrimaryVersion", Kind: core.PolicyChange},
	{Service: kms, Method: updateVersion, Kind: core.PolicyChange}, // StateChange where it sets the state
	{Service: kms, Method: "DestroyCryptoKeyVersion", Kind: core.StateChange, Takes: true},
	{Service: kms, Method: "RestoreCryptoKeyVersion", Kind: core.StateChange},
	{Service: kms, Method: "DeleteCryptoKeyVersion", Kind: core.StateChange, Takes: true},
	{Service: kms, Method: "DeleteCryptoKey", Kind: core.StateChange, Takes: true},

	{Service: projects, Method: setIAMPolicy, Kind: core.PolicyChange},
	{Service: projects, Method: "MoveProject", Kind: core.PolicyChange},
	{Service: projects, Method: "DeleteProject", Kind: core.PolicyChange},
	{Service: projects, Method: "UndeleteProject", Kind: core.PolicyChange},
	{Service: projects, Method: "MoveFolder", Kind: core.PolicyChange},

	{Service: iam, Method: "UpdateRole", Kind: core.PolicyChange, Wide: true},
	{Service: iam, Method: "DeleteRole", Kind: core.PolicyChange, Wide: true},
	{Service: iam, Method: "UndeleteRole", Kind: core.PolicyChange, Wide: true},
	{Service: iam, Method: "Policies.CreatePolicy", Kind: core.PolicyChange, Wide: true},
	{Service: iam, Method: "Policies.UpdatePolicy", Kind: core.PolicyChange, Wide: true},
	{Service: iam, Method: "Policies.DeletePolicy", Kind: core.PolicyChange, Wide: true},

	{Service: serviceUsage, Method: "DisableService", Kind: core.PolicyChange},
}

// Matches says whether an entry with these names is of this kind.
func (e Event) Matches(service, method string) bool {
	return e.Service == service && (e.Method == method || strings.HasSuffix(method, "."+e.Method))
}

func lookup(service, method string) (Event, bool) {
	for _, e := range Events {
		if e.Matches(service, method) {
			return e, true
		}
	}
	return Event{}, false
}
