package azurekv

import (
	"slices"
	"strings"
	"testing"

	"byokwatch/core"
)

// What az prints.
// Sources: https://learn.microsoft.com/cli/azure/keyvault, https://learn.microsoft.com/cli/azure/role
const (
	azKey      = `{"attributes":{"created":"2026-01-02T03:04:05+00:00","enabled":true,"expires":null,"notBefore":null,"recoveryLevel":"Recoverable","updated":"2026-01-02T03:04:05+00:00"},"key":{"crv":null,"e":"AQAB","keyOps":["wrapKey","unwrapKey"],"kid":"https://acme-vault.vault.azure.net/keys/payments/` + fuzzVersion + `","kty":"RSA","n":"x"},"managed":null,"releasePolicy":null,"tags":null}`
	azVersions = `[{"attributes":{"created":"2026-01-02T03:04:05+00:00","enabled":true,"expires":null,"notBefore":null},"kid":"https://acme-vault.vault.azure.net/keys/payments/` + fuzzVersion + `","managed":null,"name":"payments","tags":null}]`
	azKeys     = `[{"attributes":{"enabled":true},"kid":"https://acme-vault.vault.azure.net/keys/payments","name":"payments"}]`
	azDeleted  = `{"id":"` + fuzzSub + `/providers/Microsoft.KeyVault/locations/westus/deletedVaults/acme-vault","name":"acme-vault","properties":{"deletionDate":"2026-05-01T00:00:00+00:00","location":"westus","purgeProtectionEnabled":null,"scheduledPurgeDate":"2026-08-01T00:00:00+00:00","tags":{},"vaultId":"` + fuzzVault + `"},"type":"Microsoft.KeyVault/deletedVaults"}`
	armRole    = `{"id":"/providers/Microsoft.Authorization/roleDefinitions/` + fuzzCustom + `","name":"` + fuzzCustom + `","type":"Microsoft.Authorization/roleDefinitions","properties":{"roleName":"byok","type":"CustomRole","assignableScopes":["/"],"permissions":[]}}`
)

func TestAzuresOutputIsRecognised(t *testing.T) {
	reader := assigned(fuzzConfluent, vaultReader, fuzzVault, "")
	for name, c := range map[string]struct {
		file, id string
		kind     core.Kind
	}{
		"a vault":                         {fuzzVaultText, fuzzVault, core.Vault},
		"a vault in a list":               {"[" + fuzzVaultText + "]", fuzzVault, core.Vault},
		"a vault that is deleted":         {azDeleted, fuzzVault, core.Vault},
		"a key":                           {azKey, "", core.VaultKey},
		"a key of Resource Manager":       {fuzzKeyText, fuzzKey, core.VaultKey},
		"versions":                        {azVersions, "", core.VaultKeyVersions},
		"versions of Resource Manager":    {fuzzVersions, fuzzKey, core.VaultKeyVersions},
		"versions as it wraps them":       {`{"value":` + fuzzVersions + `}`, fuzzKey, core.VaultKeyVersions},
		"assignments":                     {pair(), "", core.RoleAssignments},
		"assignments of Resource Manager": {`{"value":` + pair() + `,"nextLink":null}`, "", core.RoleAssignments},
		"one assignment":                  {reader, "", core.RoleAssignments},
		"roles":                           {fuzzRoles, "", core.RoleDefinitions},
		"one role of Resource Manager":    {armRole, "", core.RoleDefinitions},
		"deny assignments":                {"[" + everybodyDenied + "]", "", core.DenyAssignments},
		"deny assignments as it wraps":    {`{"value":[` + everybodyDenied + `]}`, "", core.DenyAssignments},
		"a byte order mark":               {"\xef\xbb\xbf\r\n" + pair(), "", core.RoleAssignments},
		"a document of a snapshot":        {`{"kind": "azure.role-definitions", "id": "x/` + fuzzCustom + `", "text": "[]"}`, "x/" + fuzzCustom, core.RoleDefinitions},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Recognise([]byte(c.file))
			if err != nil || d.Kind != c.kind || d.ID != c.id {
				t.Errorf("%s %q, %v; want %s %q", d.Kind, d.ID, err, c.kind, c.id)
			}
		})
	}
}

func TestASnapshotIsRecognisedAsAWhole(t *testing.T) {
	const file = `{"generation": 3, "policy": [
{"kind": "azure.vault", "id": "` + fuzzVault + `", "unreadable": "denied"},
{"kind": "azure.role-definitions", "id": "x/` + fuzzCustom + `", "text": "[]"},
{"kind": "azure.role-assignments", "id": "` + fuzzKey + `?assignedTo=` + fuzzConfluent + `", "text": "[]"}]}`
	docs, err := RecogniseAll([]byte(file))
	if err != nil || len(docs) != 3 || docs[0].Unreadable != "denied" {
		t.Fatalf("%+v, %v", docs, err)
	}
	if d, err := Recognise([]byte(file)); err != nil || d.Kind != core.RoleAssignments || !strings.HasSuffix(d.ID, fuzzConfluent) {
		t.Errorf("of a snapshot %+v, %v", d, err)
	}
	if d, err := Recognise([]byte(`[{"kind": "azure.key", "id": "k", "unreadable": "x"}, {"kind": "azure.vault", "id": "v", "unreadable": "x"}]`)); err != nil || d.Kind != core.Vault {
		t.Errorf("without assignments %+v, %v", d, err)
	}
}

func TestPlainOutputOfAzIsJudged(t *testing.T) {
	var p core.Policy
	for _, file := range []string{fuzzVaultText, azKey, azVersions, pair(), fuzzRoles, "[" + strings.Replace(everybodyDenied, "unwrap", "purge", 1) + "]"} {
		docs, err := RecogniseAll([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, docs...)
	}
	q := fuzzQuestion(p)
	j := Judge(p, q)
	if j.Digest == "" || len(j.Findings) != 12 {
		t.Errorf("%d findings, digest %q", len(j.Findings), j.Digest)
	}
	for _, f := range j.Findings {
		if f.Result != core.Met {
			t.Errorf("%s is %v: %s", f.Permission, f.Result, f.Reason)
		}
	}
}

func TestEvidenceNamesTheFile(t *testing.T) {
	p := core.Policy{
		{Kind: core.RoleAssignments, ID: FromFile + "vault.json", Text: "[" + assigned(fuzzConfluent, encryptionUser, fuzzVault, "") + "]"},
		{Kind: core.RoleAssignments, ID: FromFile + "group.json", Text: "[" + assigned(fuzzConfluent, vaultReader, fuzzSub, "") + "]"},
	}
	for _, key := range []core.Key{fuzzQuestion(nil).Key, {Cloud: core.Azure, Needs: core.Confluent{Principal: fuzzConfluent}}} {
		var documents []string
		for _, f := range Judge(p, core.Question{Key: key, Needs: Needs(key, p, nil)}).Findings {
			if f.Result != core.Met {
				t.Fatalf("%s is %v: %s", f.Permission, f.Result, f.Reason)
			}
			documents = append(documents, f.Evidence[0].Document)
		}
		if want := []string{"file:vault.json", "file:vault.json", "file:vault.json", "file:group.json"}; !slices.Equal(documents, want) {
			t.Errorf("%q, want %q", documents, want)
		}
	}
}

func TestWhatIsNotRecognisedSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ file, why string }{
		"nothing":              {" \n", "empty"},
		"an empty list":        {"[]", "an empty list says nothing"},
		"an empty answer":      {`{"value":[]}`, "an empty list says nothing"},
		"an AWS policy":        {`{"Version": "2012-10-17", "Statement": []}`, "neither a vault"},
		"a number":             {`7`, "neither a vault"},
		"a list of numbers":    {`[7]`, "neither a vault"},
		"a text":               {"hello", "not one well-formed"},
		"a table":              {"Name  State\nx     y\n", "not one well-formed"},
		"a duplicate":          {`{"id": "a", "id": "b"}`, "duplicate"},
		"two objects":          {azKey + azKey, "after"},
		"one version":          {strings.Trim(azVersions, "[]"), "all are needed"},
		"the keys of a vault":  {azKeys, "one is needed"},
		"a page of several":    {`{"value":` + pair() + `,"nextLink":"https://x"}`, "first part of a list"},
		"a broken assignment":  {`[{"principalId": "x", "roleDefinitionId": "y"}]`, "no scope"},
		"a broken vault":       {`{"id": "` + fuzzVault + `"}`, "no properties"},
		"a snapshot of AWS":    {`{"policy": [{"kind": "aws.key-policy", "id": "x", "text": "{}"}]}`, "not one of an Azure key"},
		"an empty snapshot":    {`{"policy": []}`, "no document"},
		"a broken snapshot":    {`{"policy": [{"kind": "azure.vault", "id": "x", "text": "{"}]}`, "document 0"},
		"a list of two things": {"[" + fuzzVaultText + "," + azKey + "]", "neither a vault"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := RecogniseAll([]byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%+v, %v; want an error with %q", docs, err, c.why)
			}
		})
	}
}
