package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"byokwatch/core"
	"byokwatch/core/config"
)

// base is the least configuration that the tables below change in one place.
const base = `mode: observe
store: s3://acme-byokwatch/prod
aws: {organization: o-a1b2c3d4e5}
keys:
  - key: arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    label: payments
    confluent:
      roles: ["arn:aws:iam::152535741197:role/cc-kafka-1"]
alerts:
  - slack: {url: "${SLACK_WEBHOOK_URL}"}
`

const (
	baseKey = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	azure   = `  - key: https://acme-vault.vault.azure.net/keys/kafka
    vault: /subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/acme-vault
    confluent: {tenant: 11111111-2222-3333-4444-555555555555, application: 66666666-7777-8888-9999-000000000000, principal: aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee, cluster: dedicated}
`
	gcp = `  - key: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments
    confluent: {group: cck-12345@confluent.io}
`
	stores = "store: {aws: s3://acme-byokwatch/prod, azure: azblob://acmebw/prod, gcp: gs://acme-byokwatch}"
)

func TestAFullFileIsReadWhole(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	const vault = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourcegroups/kafka-rg/providers/microsoft.keyvault/vaults/acme-vault"
	want := &config.Config{
		Mode: core.Observe,
		Keys: []core.Key{{
			ID: baseKey, Cloud: core.AWS, Label: "payments", Owner: "@payments-oncall",
			Clusters: []string{"prod-payments (lkc-abc123)"}, Runbook: "https://wiki.acme.example/kafka/byok",
			Mode: core.Enforce, Restore: core.WholeSnapshot, KeyState: core.CareRestore, Network: core.CareAlert,
			Needs:        core.Confluent{Roles: []string{"arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"}},
			Organization: "o-a1b2c3d4e5", ConfluentOrganization: "o-zyxwvu9876",
		}, {
			ID: "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", Cloud: core.AWS, Label: "old",
			Mode: core.Observe, Restore: core.Patch, KeyState: core.CareAlert, Network: core.CareAlert,
			Needs:        core.Confluent{Principals: []string{"arn:aws:iam::152535741197:root"}},
			Organization: "o-a1b2c3d4e5", ConfluentOrganization: "o-zyxwvu9876",
		}, {
			ID: vault + "/keys/kafka", Cloud: core.Azure, Vault: vault,
			Mode: core.Observe, Restore: core.Patch, KeyState: core.CareAlert, Network: core.CareRestore,
			Needs: core.Confluent{
				Tenant: "11111111-2222-3333-4444-555555555555", Application: "66666666-7777-8888-9999-000000000000",
				Principal: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", Cluster: "dedicated",
			},
		}, {
			ID: "projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments", Cloud: core.GCP,
			Mode: core.Observe, Restore: core.Patch, KeyState: core.CareAlert, Network: core.CareAlert,
			Needs: core.Confluent{Group: "cck-12345@confluent.io"},
		}},
		Store: map[core.Cloud]string{core.AWS: "s3://acme-byokwatch/prod", core.Azure: "azblob://acmebw/prod", core.GCP: "gs://acme-byokwatch/prod"},
		Alerts: []config.Channel{
			{Kind: "slack", Name: "slack:SLACK_WEBHOOK_URL", Min: "warning", Keys: []string{"pay*", "old"}},
			{Kind: "stdout", Name: "stdout", Min: "info"},
		},
		Heartbeat: &config.Heartbeat{},
		Signing: &config.Signing{
			Key:       "awskms://arn:aws:kms:us-west-2:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab",
			PublicKey: "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Secret{})); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if s := got.Alerts[0].URL.String() + got.Heartbeat.URL.String(); s != "${SLACK_WEBHOOK_URL}${HEARTBEAT_URL}" {
		t.Errorf("secrets read as %s", s)
	}
	if arn, ok := got.Signing.KMSKey(); !ok || !strings.HasPrefix(arn, "arn:aws:kms:") {
		t.Errorf("signing key %q, %v", arn, ok)
	}
}

// fault is one way in which a configuration is wrong. Each is base with some
// text replaced; schema says whether a JSON Schema can tell it, too.
type fault struct {
	edit   []string // old, new, …
	want   string   // the whole error
	schema bool
}

func (f fault) text(t *testing.T) string {
	t.Helper()
	text := base
	for i := 0; i < len(f.edit); i += 2 {
		if !strings.Contains(text, f.edit[i]) {
			t.Fatalf("the base has no %q", f.edit[i])
		}
		text = strings.Replace(text, f.edit[i], f.edit[i+1], 1)
	}
	return text
}

func TestEachFaultIsNamedByLineAndField(t *testing.T) {
	if len(faults) < 60 {
		t.Fatalf("%d faults", len(faults))
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			text := f.text(t)
			c, err := config.Parse([]byte(text))
			if err == nil {
				t.Fatalf("parsed as %+v", c)
			}
			if err.Error() != f.want {
				t.Errorf("got  %s\nwant %s", err, f.want)
			}
			if faults, ok := errors.AsType[config.Faults](err); !ok || faults[0].Line < 1 {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

func TestSchemaAgreesWithParse(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("byokwatch.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("byokwatch.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range valid(t) {
		if _, err := config.Parse([]byte(text)); err != nil {
			t.Errorf("%s: Parse: %v", name, err)
		}
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: schema: %v", name, err)
		}
	}
	told := 0
	for name, f := range faults {
		if !f.schema {
			continue
		}
		told++
		if schema.Validate(asJSON(t, f.text(t))) == nil {
			t.Errorf("%s: valid by the schema", name)
		}
	}
	if told < 30 {
		t.Errorf("only %d faults are checked against the schema", told)
	}
}

func TestJSONIsReadLikeYAML(t *testing.T) {
	for name, text := range valid(t) {
		a, err := config.Parse([]byte(text))
		if err != nil {
			t.Fatal(name, err)
		}
		data, err := json.MarshalIndent(asJSON(t, text), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b, err := config.Parse(data)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
		if diff := cmp.Diff(a, b, cmp.AllowUnexported(config.Secret{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestJSONFaultsHaveLines(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\"mode\": \"on\",\n\n\"colour\":\n1}":          "line 1: keys: is missing\nline 1: store: is missing\nline 2: mode: must be observe or enforce, not \"on\"\nline 4: colour: unknown field; known here: alerts, aws, heartbeat, key_state, keys, mode, network, restore, signing, store",
		"{\"mode\": \"observe\",\n \"mode\": \"enforce\"}": "line 2: not well-formed JSON: jsontext: duplicate object member name \"mode\"",
	} {
		_, err := config.Parse([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// valid are configurations that both Parse and the schema take.
func valid(t *testing.T) map[string]string {
	t.Helper()
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(pairs ...string) string { return fault{edit: pairs}.text(t) }
	const url = `"${SLACK_WEBHOOK_URL}"`
	return map[string]string{
		"everything":                     string(full),
		"the least":                      base,
		"a directory":                    edit("s3://acme-byokwatch/prod", "file:///var/lib/byokwatch"),
		"an account without a company":   edit("o-a1b2c3d4e5", "none"),
		"China":                          edit("arn:aws:kms:us-west-2", "arn:aws-cn:kms:cn-north-1", "arn:aws:iam", "arn:aws-cn:iam"),
		"GovCloud":                       edit("arn:aws:kms:us-west-2", "arn:aws-us-gov:kms:us-gov-west-1", "arn:aws:iam", "arn:aws-us-gov:iam"),
		"a secret of Secrets Manager":    edit(url, `"${secret:arn:aws:secretsmanager:us-west-2:111122223333:secret:byokwatch/slack-AbCdEf}"`),
		"a webhook in the file":          edit(url, "https://hooks.slack.com/services/T0/B0/x"),
		"a webhook on this machine":      edit(url, "http://127.0.0.1:8080/hook", "s3://acme-byokwatch/prod", "file:///tmp/b"),
		"stdout without settings":        edit("slack: {url: "+url+"}", "stdout:"),
		"no alerts":                      edit("alerts:\n  - slack: {url: "+url+"}\n", ""),
		"roles and principals":           edit("roles:", "principals: [arn:aws:iam::152535741197:root]\n      roles:"),
		"a role with a path":             edit("role/cc-kafka-1", "role/confluent/byok/cc-kafka-1"),
		"three clouds":                   edit("store: s3://acme-byokwatch/prod", stores, "alerts:", azure+gcp+"alerts:"),
		"a signing key in a file":        edit("alerts:", "signing: {key: /etc/byokwatch/signing.pem, public_key: MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=}\nalerts:"),
		"snapshot at the top, signed":    edit("mode: observe", "mode: enforce\nrestore: snapshot\nsigning: {key: k.pem, public_key: MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=}"),
		"a glob over IDs with slashes":   edit("{url: ", "{keys: [\"arn:*1234abcd*\"], url: "),
		"a comment and a document start": "# ours |\n---\n" + base,
		"windows line ends":              strings.ReplaceAll(base, "\n", "\r\n"),
	}
}

// asJSON reads YAML the way a tool that validates by the schema does.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	v, err := yamlValue([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}
