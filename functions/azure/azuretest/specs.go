package azuretest

import "time"

// The types of principals, as role assignments name them.
const (
	User             = "User"
	Group            = "Group"
	ServicePrincipal = "ServicePrincipal"
)

// Principal is somebody in the tenant's directory.
type Principal struct {
	ObjectID string
	Type     string // User or ServicePrincipal; "" is the latter
	Name     string
	UPN      string // of users: user principal name
	AppID    string // of service principals; "" draws one
}

// Caller is somebody with a token, from an address.
type Caller struct {
	Token    string // "" is that of requests to Resource Manager or Blob without one
	ObjectID string
	Address  string // IPv4, for the firewall and the events; "" is 192.0.2.1
	Agent    string // user agent, for the events
	Trusted  bool   // one of Microsoft's trusted services, to a vault's firewall
	Private  bool   // comes by a private endpoint
}

// AccessPolicy is one entry of a vault without Azure RBAC.
type AccessPolicy struct {
	TenantID      string // "" is the cloud's own
	ObjectID      string
	ApplicationID string   // only of compound identities
	Keys          []string // permissions on keys, such as get, wrapKey, unwrapKey
	Secrets       []string
	Certificates  []string
	Storage       []string
}

// Network is a vault's networkAcls.
type Network struct {
	Bypass        string   // AzureServices or None; "" is AzureServices
	DefaultAction string   // Allow or Deny; "" is Allow
	IPs           []string // addresses and CIDR ranges
	Subnets       []string // resource IDs
}

// VaultSpec describes a vault to make.
type VaultSpec struct {
	Name          string
	ResourceGroup string // "" is rg-kafka
	Location      string // "" is DefaultLocation
	RBAC          bool   // the permission model; false is access policies
	Policies      []AccessPolicy
	Network       *Network // nil: none was ever set
	Public        string   // publicNetworkAccess; "" is Enabled
	Purgeable     bool     // no purge protection
	Tags          map[string]string
}

// KeySpec describes a key to make.
type KeySpec struct {
	Vault     string // its ID
	Name      string
	Type      string   // "" is RSA
	Size      int      // 0 is 2048
	Ops       []string // nil is all that an RSA key can do
	Versions  int      // 0 is 1; the last one is current
	Retired   int      // how many of them, from the first, are disabled and were never used
	NotBefore time.Time
	Expires   time.Time // of the current version
}

// Permission is one element of a role's or a deny assignment's permissions.
type Permission struct {
	Actions, NotActions, DataActions, NotDataActions []string
	Condition                                        string
}

// Role is a custom role definition.
type Role struct {
	GUID        string // "" draws one
	Name        string
	Scopes      []string // where it can be assigned; nil is the subscription
	Permissions []Permission
}

// Assignment is a role assignment.
type Assignment struct {
	Name        string // its GUID; "" draws one
	Scope       string // ID of what it is on
	Role        string // GUID of the role, or a built-in role's name
	Principal   string // object ID
	Type        string // the principal's; "" is what the directory says
	Condition   string
	Description string
}

// DenyAssignment is one that Azure makes by itself, as for a deployment stack.
type DenyAssignment struct {
	Name        string // its GUID; "" draws one
	DisplayName string
	Scope       string
	Permissions []Permission
	Principals  []string // object IDs; nil is everybody
	Exclude     []string // object IDs
	NotBelow    bool     // doNotApplyToChildScopes
}
