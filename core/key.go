package core

// Cloud names the provider that holds a key. The values are those of the
// command line's --cloud and of the store's paths.
type Cloud string

const (
	AWS   Cloud = "aws"
	Azure Cloud = "azure"
	GCP   Cloud = "gcp"
)

// Mode says whether a key may be written at all.
type Mode string

const (
	Observe Mode = "observe" // look, judge and tell
	Enforce Mode = "enforce" // also give back what Confluent lost
)

// Restore says how a lost permission comes back.
type Restore string

const (
	// Patch leaves the live policy as it is and adds what Confluent lost.
	Patch Restore = "patch"
	// WholeSnapshot writes the last-known-good policy back as a whole. Only on
	// AWS, and only with signed snapshots.
	WholeSnapshot Restore = "snapshot"
)

// Care says what to do about a fault outside the policy: tell people, or
// repair it as well.
type Care string

const (
	CareAlert   Care = "alert"
	CareRestore Care = "restore"
)

// Key is one protected key and what the configuration says of it. The zero
// value protects nothing: an empty Mode is treated as Observe.
type Key struct {
	// ID is the KMS key ARN, the ARM ID …/vaults/V/keys/K in lower case, or the
	// cryptoKey resource name.
	ID       string    `json:"id"`
	Cloud    Cloud     `json:"cloud"`
	Label    string    `json:"label,omitempty"`
	Owner    string    `json:"owner,omitempty"`
	Clusters []string  `json:"clusters,omitempty"`
	Runbook  string    `json:"runbook,omitempty"`
	Mode     Mode      `json:"mode"`
	Restore  Restore   `json:"restore"`
	KeyState Care      `json:"keyState"`
	Network  Care      `json:"network"`
	Needs    Confluent `json:"confluent"`

	// Organization is the owner's own AWS Organizations ID, or "none".
	Organization string `json:"organization,omitempty"`
	// ConfluentOrganization is Confluent's AWS Organizations ID, where the
	// owner knows it. Empty: conditions that turn on it stay undetermined.
	ConfluentOrganization string `json:"confluentOrganization,omitempty"`
	// Vault is the ARM ID of an Azure key's vault.
	Vault string `json:"vault,omitempty"`
}

// Name is what people call the key: its label, else its ID.
func (k Key) Name() string {
	if k.Label != "" {
		return k.Label
	}
	return k.ID
}

// Confluent names the principals through which Confluent Cloud uses a key.
// Which fields are set depends on the key's cloud.
type Confluent struct {
	Roles      []string `json:"roles,omitempty"`      // AWS: IAM role ARNs
	Principals []string `json:"principals,omitempty"` // AWS, clusters from before the BYOK API: account root ARNs

	Tenant      string `json:"tenant,omitempty"`      // Azure: tenant ID
	Application string `json:"application,omitempty"` // Azure: application (client) ID
	Principal   string `json:"principal,omitempty"`   // Azure: object ID of the service principal
	Cluster     string `json:"cluster,omitempty"`     // Azure: dedicated or enterprise

	Group string `json:"group,omitempty"` // Google Cloud: the group's address
}
