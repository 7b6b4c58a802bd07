package azurekv

import (
	"strings"
	"testing"

	"byokwatch/core"
)

// Where nothing of a key could be read, the loop puts one document without a kind
// in the place of all. What could not be read is not lost.
func TestOfWhatCannotBeReadNothingIsKnown(t *testing.T) {
	const vault = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/kafka-keys/providers/microsoft.keyvault/vaults/acme-vault"
	k := core.Key{ID: vault + "/keys/payments", Vault: vault, Cloud: core.Azure, Mode: core.Enforce, Needs: core.Confluent{Principal: "aaaa0000-0000-4000-8000-00000000000c"}}
	p := core.Policy{{ID: k.ID, Unreadable: "read the policy: no network"}}
	j := Judge(p, core.Question{Key: k, Needs: Needs(k, p, nil)})
	if j.Digest != "" || len(j.Findings) == 0 {
		t.Errorf("digest %q, %d findings", j.Digest, len(j.Findings))
	}
	for _, f := range j.Findings {
		if f.Result != core.Undetermined || !strings.Contains(f.Reason, "what decides about the key can't be read: read the policy: no network") {
			t.Errorf("%s is %s: %s", f.Permission, f.Result, f.Reason)
		}
	}
}
