package eventgrid

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/loose"
	"byokwatch/functions/functiontest"
)

const (
	subscription = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
	group        = subscription + "/resourcegroups/kafka-keys"
	vault        = group + "/providers/microsoft.keyvault/vaults/acme-vault"
	assignment   = "/providers/microsoft.authorization/roleassignments/5f7c8a3e-1d2b-4c5d-9e8f-0a1b2c3d4e5f"
	payments     = vault + "/keys/kafka"
	orders       = vault + "/keys/orders"
	cards        = group + "/providers/microsoft.keyvault/vaults/cards/keys/kafka"
	partner      = "/subscriptions/11111111-1bf0-4dda-aec3-cb9272f09590/resourcegroups/kafka-keys/providers/microsoft.keyvault/vaults/partner/keys/kafka"
)

// protected holds two keys of the samples' vault, one of another vault of its
// resource group and one of another subscription.
func protected() []core.Key {
	out := []core.Key{{ID: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", Cloud: core.AWS}}
	for _, id := range []string{payments, orders, cards, partner} {
		out = append(out, keyOf(id))
	}
	return out
}

func keyOf(id string) core.Key {
	at := strings.LastIndex(id, "/keys/")
	return core.Key{ID: id, Vault: id[:at], Cloud: core.Azure}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The shapes and their sources are listed in testdata/README.md.
func TestSamples(t *testing.T) {
	var (
		none         []string
		one          = []string{payments}
		ofVault      = []string{payments, orders}
		ofGroup      = []string{payments, orders, cards}
		all          = []string{payments, orders, cards, partner}
		jane         = core.Actor{ID: "aaaa1111-0000-4000-8000-00000000000a", Name: "jane@acme.example", Address: "203.0.113.7", Via: "Azure portal"}
		robot        = core.Actor{ID: "bbbb2222-0000-4000-8000-00000000000c", Name: "bbbb2222-0000-4000-8000-00000000000b", Address: "203.0.113.8"}
		nobody       core.Actor
		hidden       = core.Actor{ID: robot.ID, Name: robot.Name}
		policy       = core.PolicyChange
		roles        = "Microsoft.Authorization/roleAssignments/"
		definitions  = "Microsoft.Authorization/roleDefinitions/"
		denies       = "Microsoft.Authorization/denyAssignments/"
		vaults       = "Microsoft.KeyVault/vaults/"
		tags         = "/providers/microsoft.resources/tags/default"
		role         = "/providers/microsoft.authorization/roledefinitions/5f7c8a3e-1d2b-4c5d-9e8f-0a1b2c3d4e5f"
		denied       = group + "/providers/microsoft.authorization/denyassignments/5f7c8a3e-1d2b-4c5d-9e8f-0a1b2c3d4e5f"
		elsewhere    = "/subscriptions/11111111-2222-4333-8444-555555555555"
		changed      = "Microsoft.KeyVault.VaultAccessPolicyChanged"
		nothing      = core.ChangeKind("")
		yes, not     = true, false
		everyone, no = "/providers/microsoft.management/managementgroups/acme" + assignment, ""
	)
	tests := map[string]struct {
		keys  []string
		kind  core.ChangeKind
		op    string
		takes bool
		on    string
		who   core.Actor
	}{
		"role-assignment-delete":                 {ofVault, policy, roles + "delete", yes, vault + assignment, jane},
		"role-assignment-delete-cloudevent":      {ofVault, policy, roles + "delete", yes, vault + assignment, jane},
		"role-assignment-delete-key":             {one, policy, roles + "delete", yes, payments + assignment, jane},
		"role-assignment-delete-other-key":       {none, nothing, no, not, no, nobody},
		"role-assignment-delete-resource-group":  {ofGroup, policy, roles + "delete", yes, group + assignment, robot},
		"role-assignment-delete-other-group":     {none, nothing, no, not, no, nobody},
		"role-assignment-write-subscription":     {ofGroup, policy, roles + "write", not, subscription + assignment, jane},
		"role-assignment-write-management-group": {all, policy, roles + "write", not, everyone, jane},
		"role-assignment-write-texts":            {ofVault, policy, roles + "write", not, vault + assignment, hidden},
		"role-assignment-write-failed":           {none, nothing, no, not, no, nobody},
		"role-assignment-write-cancelled":        {none, nothing, no, not, no, nobody},
		"role-definition-write":                  {all, policy, definitions + "write", not, elsewhere + role, robot},
		"role-definition-delete":                 {all, policy, definitions + "delete", not, subscription + role, jane},
		"deny-assignment-write":                  {ofGroup, policy, denies + "write", yes, denied, robot},
		"deny-assignment-delete":                 {ofGroup, policy, denies + "delete", not, denied, robot},
		"vault-write":                            {ofVault, policy, vaults + "write", not, vault, jane},
		"vault-write-other-vault":                {none, nothing, no, not, no, nobody},
		"access-policies-write":                  {ofVault, policy, vaults + "accessPolicies/write", not, vault + "/accesspolicies/replace", robot},
		"vault-delete":                           {ofVault, core.StateChange, vaults + "delete", yes, vault, jane},
		"key-write":                              {one, policy, vaults + "keys/write", not, payments, jane},
		"tags-write":                             {ofVault, policy, "Microsoft.Resources/tags/write", not, vault + tags, jane},
		"tags-write-resource-group":              {none, nothing, no, not, no, nobody}, // tags are not inherited
		"tags-delete":                            {ofVault, policy, "Microsoft.Resources/tags/delete", not, vault + tags, jane},
		"access-policy-changed":                  {ofVault, policy, changed, not, vault, nobody},
		"access-policy-changed-cloudevent":       {ofVault, policy, changed, not, vault, nobody},

		"key-new-version-created": {none, nothing, no, not, no, nobody},
		"deployment-write":        {none, nothing, no, not, no, nobody},
		"storage-account-write":   {none, nothing, no, not, no, nobody},
		"vault-action":            {none, nothing, no, not, no, nobody},
		"subscription-validation": {none, nothing, no, not, no, nobody},
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d samples and %d expectations, %v", len(files), len(tests), err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(sample(t, name), protected())
			if err != nil {
				t.Fatal(err)
			}
			var want []core.Change
			for _, key := range test.keys {
				want = append(want, core.Change{Key: key, Kind: test.kind, EventID: ID(sample(t, name)), Op: test.op, Takes: test.takes,
					Resource: test.on, Actor: test.who, At: time.Date(2026, 3, 2, 10, 4, 5, 123456700, time.UTC)})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// edited is a sample, as its only object, with members replaced, each named by
// its path; nil removes.
func edited(t testing.TB, name string, edits map[string]any) []byte {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(sample(t, name), &list); err != nil {
		t.Fatal(err)
	}
	return functiontest.Edited(t, list[0], edits)
}

func quoted(t testing.TB, data []byte) []byte {
	t.Helper()
	out, err := json.Marshal(string(data))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEventsAreReadTolerantly(t *testing.T) {
	type m = map[string]any
	const removed, policies, uri = "role-assignment-delete", "access-policy-changed", "data|resourceUri"
	for what, test := range map[string]struct {
		event []byte
		keys  int
	}{
		"the object without its list":          {edited(t, removed, nil), 2},
		"a text":                               {quoted(t, sample(t, removed)), 2},
		"a text in a text":                     {quoted(t, quoted(t, edited(t, removed, nil))), 2},
		"the operation in capitals":            {edited(t, removed, m{"data|operationName": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/DELETE"}), 2},
		"no operation, but an action":          {edited(t, removed, m{"data|operationName": nil}), 2},
		"the type in lower case":               {edited(t, removed, m{"eventType": "microsoft.resources.resourcedeletesuccess"}), 2},
		"the type of another verb":             {edited(t, removed, m{"eventType": actionSuccess}), 2},
		"no resource URI":                      {edited(t, removed, m{uri: nil}), 2},
		"no resource URI and no subject":       {edited(t, removed, m{uri: nil, "subject": nil}), 2},
		"a resource URI without its slash":     {edited(t, removed, m{uri: vault[1:] + assignment}), 2},
		"a resource URI with one too many":     {edited(t, removed, m{uri: vault + assignment + "/"}), 2},
		"a resource URI with its host":         {edited(t, removed, m{uri: "https://management.azure.com:443" + vault + assignment + "?api-version=2022-04-01"}), 2},
		"a resource URI of nothing but a host": {edited(t, removed, m{uri: "https://management.azure.com/"}), 2},
		"a resource URI in capitals":           {edited(t, removed, m{uri: strings.ToUpper(vault + assignment)}), 2},
		"the scope in the assignment's place":  {edited(t, removed, m{uri: vault}), 2},
		"an assignment at the tenant's root":   {edited(t, removed, m{uri: assignment}), 4},
		"an assignment at a key's version":     {edited(t, removed, m{uri: payments + "/versions/1" + assignment}), 1},
		"an assignment at a secret":            {edited(t, removed, m{uri: vault + "/secrets/kafka" + assignment}), 0},
		"an assignment at another provider":    {edited(t, removed, m{uri: "/providers/Microsoft.Billing/accounts/7" + assignment}), 0},
		"claims that are a list":               {edited(t, removed, m{"data|claims": []int{1}}), 2},
		"no claims, no rights, no request":     {edited(t, removed, m{"data|claims": nil, "data|authorization": nil, "data|httpRequest": nil}), 2},
		"a time that is none":                  {edited(t, removed, m{"eventTime": 7}), 2},
		"a version's write":                    {edited(t, "key-write", m{uri: payments + "/versions/1"}), 1},
		"another key's write":                  {edited(t, "key-write", m{uri: payments + "-2"}), 0},
		"Key Vault's event without data":       {edited(t, policies, m{"data": nil}), 2},
		"Key Vault's event with data as text":  {edited(t, policies, m{"data": "{}"}), 2},
		"Key Vault's event with numbers":       {edited(t, policies, m{"data|NBF": 1.5, "data|EXP": nil}), 2},
		"Key Vault's event without its topic":  {edited(t, policies, m{"topic": nil}), 2},
		"Key Vault's event by another topic":   {edited(t, policies, m{"topic": subscription, "data|VaultName": "CARDS"}), 1},
		"Key Vault's event of an unknown name": {edited(t, policies, m{"topic": subscription, "data|VaultName": "other"}), 0},
		"Key Vault's event of another vault":   {edited(t, policies, m{"topic": vault + "-2"}), 0},
		"something else that succeeded":        {edited(t, removed, m{"eventType": "Microsoft.Resources.ResourceReadSuccess"}), 0},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := Decode(test.event, protected())
			if err != nil || len(got) != test.keys {
				t.Fatalf("%d Changes, want %d; %v", len(got), test.keys, err)
			}
			for _, c := range got {
				if c.Resource == "" || c.EventID == "" || strings.HasPrefix(c.EventID, "sha256") {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

func TestWhoAnEventNames(t *testing.T) {
	type m = map[string]any
	const claims = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	for what, test := range map[string]struct {
		claims, request any
		want            core.Actor
	}{
		"a person without a name to sign in with": {m{claims: "A", "name": "Jane Doe", "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46"}, nil, core.Actor{ID: "a", Name: "Jane Doe", Via: "Azure CLI"}},
		"a person through an unknown application": {m{claims: "a", "upn": "jane@acme.example", "azp": "F00"}, nil, core.Actor{ID: "a", Name: "jane@acme.example", Via: "f00"}},
		"an application":      {m{"oid": "a", "appid": "F00", "ipaddr": "192.0.2.1"}, m{"clientIpAddress": "192.0.2.2"}, core.Actor{ID: "a", Name: "f00", Address: "192.0.2.1"}},
		"a request as a text": {nil, `{"clientIpAddress":"192.0.2.2"}`, core.Actor{Address: "192.0.2.2"}},
		"numbers":             {m{"oid": 7, "appid": 8, "ipaddr": true}, 9, core.Actor{ID: "7", Name: "8", Address: "true"}},
		"nobody":              {"", "", core.Actor{}},
	} {
		got, err := Decode(edited(t, "vault-write", m{"data|claims": test.claims, "data|httpRequest": test.request}), protected())
		if err != nil || len(got) != 2 {
			t.Fatalf("%s: %d Changes, %v", what, len(got), err)
		}
		if diff := cmp.Diff(test.want, got[0].Actor); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	long := edited(t, "vault-write", m{"data|claims": m{"upn": strings.Repeat("ä", loose.MaxText)}})
	if got, err := Decode(long, protected()); err != nil || len(got[0].Actor.Name) != loose.MaxText {
		t.Errorf("a name of %d bytes, %v", len(got[0].Actor.Name), err)
	}
}

func TestWhatCannotBeUnderstood(t *testing.T) {
	type m = map[string]any
	const removed = "role-assignment-delete"
	for what, event := range map[string][]byte{
		"nothing":                   nil,
		"no JSON":                   []byte("hello"),
		"null":                      []byte("null"),
		"a number":                  []byte("7"),
		"an empty list":             []byte("[]"),
		"a list of two":             []byte("[{},{}]"),
		"a list of something else":  []byte("[7]"),
		"half a list":               []byte("[{}"),
		"another object":            []byte(`{"a":1}`),
		"an event without data":     edited(t, removed, m{"data": nil}),
		"data that is a text":       edited(t, removed, m{"data": "x"}),
		"no operation":              edited(t, removed, m{"data|operationName": nil, "data|authorization": nil}),
		"no resource":               edited(t, removed, m{"data|resourceUri": nil, "subject": nil, "data|authorization": nil}),
		"an endless resource":       edited(t, removed, m{"data|resourceUri": strings.Repeat("/x", loose.MaxText), "subject": nil, "data|authorization": nil}),
		"no vault":                  edited(t, "access-policy-changed", m{"topic": nil, "data": nil}),
		"more than Event Grid has":  []byte(`{"eventType":"` + strings.Repeat("x", MaxBytes) + `"}`),
		"a text in a text, endless": quoted(t, quoted(t, quoted(t, quoted(t, []byte("{}"))))),
	} {
		if got, err := Decode(event, protected()); err == nil || len(got) != 0 {
			t.Errorf("%s: %d Changes and no error", what, len(got))
		}
		if ID(event) == "" {
			t.Errorf("%s has no ID", what)
		}
	}
}

func TestIDIsStable(t *testing.T) {
	const want = "4db48cba-50a2-455a-93b4-000000000001"
	whole := sample(t, "role-assignment-delete")
	for what, event := range map[string][]byte{
		"Event Grid's own form": whole, "a CloudEvent": sample(t, "role-assignment-delete-cloudevent"), "a text": quoted(t, whole),
		"with other contents": edited(t, "role-assignment-delete", map[string]any{"data": nil, "eventTime": "later"}),
	} {
		if got := ID(event); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	for what, id := range map[string]any{"none": nil, "an empty one": "", "an endless one": strings.Repeat("x", maxID+1), "an object": map[string]any{}} {
		event := edited(t, "role-assignment-delete", map[string]any{"id": id})
		if got := ID(event); !strings.HasPrefix(got, "sha256:") || got != ID(event) || got == ID(append(event, ' ')) {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// A name that begins with another's is another's.
func TestNeighboursAreNotMeant(t *testing.T) {
	keys := []core.Key{
		keyOf(payments + "-2"), keyOf(vault + "-2/keys/kafka"),
		keyOf(strings.Replace(payments, "kafka-keys", "kafka-keys-2", 1)), keyOf(strings.Replace(payments, "cb9272f09590", "cb9272f09591", 1)),
	}
	for name, want := range map[string]int{
		"role-assignment-delete-key": 0, "role-assignment-delete": 1, "role-assignment-delete-resource-group": 2,
		"role-assignment-write-subscription": 3, "role-assignment-write-management-group": 4, "vault-write": 1, "key-write": 0, "tags-write": 1, "access-policy-changed": 1,
	} {
		if got, err := Decode(sample(t, name), keys); err != nil || len(got) != want {
			t.Errorf("%s: %d Changes, want %d; %v", name, len(got), want, err)
		}
	}
}
