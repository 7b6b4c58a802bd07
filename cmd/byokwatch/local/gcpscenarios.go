package local

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	kmsapi "google.golang.org/api/cloudkms/v1"
	iamapi "google.golang.org/api/iam/v1"
	denyapi "google.golang.org/api/iam/v2"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/gcptest"
)

// The bindings of a key. Confluent's are the predefined roles of its own
// Terraform example, or the custom role that its console asks for.
// Sources: https://github.com/confluentinc/terraform-provider-confluent/tree/master/examples/configurations/dedicated-public-gcp-byok-kafka-acls,
// https://docs.confluent.io/cloud/current/security/encrypt/byok/key-policy/manage-key-policies-gcp.html
const (
	useKey      = `{"role":"roles/cloudkms.cryptoKeyEncrypterDecrypter","members":["` + gcpGroup + `"]}`
	viewKey     = `{"role":"roles/cloudkms.viewer","members":["` + gcpGroup + `"]}`
	customKey   = `{"role":"` + gcpRole + `","members":["` + gcpGroup + `"]}`
	auditKey    = `{"role":"roles/cloudkms.viewer","members":["` + gcpAuditor + `"]}`
	businessKey = `{"role":"roles/cloudkms.cryptoKeyEncrypterDecrypter","members":["` + gcpGroup + `"],` +
		`"condition":{"title":"until 2024","expression":"request.time < timestamp(\"2024-01-01T00:00:00Z\")"}}`
)

func bound(role, member string) string {
	return fmt.Sprintf(`{"role":%q,"members":[%q]}`, role, member)
}

func gcpPolicy(bindings ...string) string {
	return `{"version":3,"bindings":[` + strings.Join(bindings, ",") + `]}`
}

// binds is a pipeline that writes these bindings, as an authoritative resource
// of Terraform does.
func binds(bindings ...string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error { return w.gcp.put(ctx, gcpPolicy(bindings...)) }
}

// gcpScenarios are in the order in which people meet them.
func gcpScenarios() []scenario {
	return []scenario{
		{name: "removed", does: "applies bindings without Confluent's two, and lets an auditor in",
			act: binds(auditKey), back: true, tells: alert.Restored, keeps: gcpAuditor},
		{name: "viewer", does: "swaps Confluent's role for one that may only look",
			act: binds(viewKey, auditKey), back: true, tells: alert.Restored, keeps: gcpAuditor},
		{name: "condition", does: "puts a condition that has ended on Confluent's binding",
			act: binds(businessKey, viewKey), back: true, tells: alert.Restored},
		{name: "role-gutted", does: "takes the permissions out of Confluent's custom role; no policy changes",
			from: gcpPolicy(customKey), back: true, tells: alert.Restored,
			act: func(ctx context.Context, w *world) error {
				_, err := w.gcp.cloud.Clients("pipeline").Roles.Projects.Roles.Patch(gcpRole,
					&iamapi.Role{IncludedPermissions: []string{"cloudkms.cryptoKeys.get"}}).UpdateMask("includedPermissions").Context(ctx).Do()
				return err
			}},
		{name: "role-deleted", does: "deletes Confluent's custom role; the binding stays and gives nothing",
			from: gcpPolicy(customKey), back: true, tells: alert.Restored,
			act: func(ctx context.Context, w *world) error {
				_, err := w.gcp.cloud.Clients("pipeline").Roles.Projects.Roles.Delete(gcpRole).Context(ctx).Do()
				return err
			}},
		{name: "missed-event", does: "removes Confluent, and the event of it is lost on its way",
			act: binds(auditKey), missed: true, back: true, tells: alert.Restored},
		{name: "redelivered", does: "removes Confluent, and the event of it arrives twice",
			act: binds(auditKey), twice: true, back: true, tells: alert.Restored},
		{name: "throttled", does: "removes Confluent, and Cloud KMS throttles whoever writes next",
			back: true, tells: alert.Restored,
			act: func(ctx context.Context, w *world) error {
				if err := w.gcp.put(ctx, gcpPolicy(auditKey)); err != nil {
					return err
				}
				w.gcp.cloud.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: chaostest.Throttle, Times: 3})
				return nil
			}},
		{name: "observe", does: "removes Confluent, while the key is only observed",
			act: binds(auditKey), observe: true, tells: alert.Observed},
		{name: "deny-policy", does: "denies decrypting in the project, above the key and what byokwatch may write",
			act: denyGCP, tells: alert.CannotRestore},
		{name: "version-disabled", does: "disables the version of the key that encrypts",
			act: disableGCP, tells: alert.KeyDisabled},
		{name: "version-enabled", does: "disables that version, while the configuration says key_state: restore",
			act: disableGCP, enables: true, back: true, tells: alert.Restored},
		{name: "revoked", does: "is told by the owner to revoke: byokwatch revoke payments",
			act: revokeGCP, tells: alert.Revoked},
	}
}

func disableGCP(ctx context.Context, w *world) error {
	_, err := w.gcp.cloud.Clients("pipeline").KMS.Projects.Locations.KeyRings.CryptoKeys.CryptoKeyVersions.Patch(gcpKey+"/cryptoKeyVersions/2",
		&kmsapi.CryptoKeyVersion{State: gcptest.Disabled}).UpdateMask("state").Context(ctx).Do()
	return err
}

func denyGCP(ctx context.Context, w *world) error {
	rule := &denyapi.GoogleIamV2DenyRule{DeniedPrincipals: []string{"principalSet://goog/public:all"},
		DeniedPermissions: []string{"cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt"}}
	_, err := w.gcp.cloud.Clients("pipeline").Deny.Policies.CreatePolicy("policies/cloudresourcemanager.googleapis.com%2Fprojects%2Facme-prod/denypolicies",
		&denyapi.GoogleIamV2Policy{Rules: []*denyapi.GoogleIamV2PolicyRule{{DenyRule: rule}}}).PolicyId("no-decrypting").Context(ctx).Do()
	return err
}

// revokeGCP is what `byokwatch revoke` does.
func revokeGCP(ctx context.Context, w *world) error {
	live, err := w.gcp.read(ctx)
	if err != nil {
		return err
	}
	c, err := gcpkms.Revoke(live, core.Question{Key: w.key, At: w.line.now(), Needs: gcpkms.Needs(w.key, live, nil)}, "SEC-812")
	if err != nil {
		return err
	}
	for _, s := range c.Steps {
		if s.Op != "UpdateCryptoKey" {
			err = w.gcp.keeper().Apply(ctx, w.key, s)
		} else {
			err = w.gcp.label(ctx, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// label runs the step that sets the key's labels.
func (g *gcpStage) label(ctx context.Context, s core.Step) error {
	var b struct{ CryptoKey kmsapi.CryptoKey }
	if err := json.Unmarshal(s.Body, &b); err != nil {
		return err
	}
	_, err := g.cloud.Clients("pipeline").KMS.Projects.Locations.KeyRings.CryptoKeys.Patch(gcpKey, &b.CryptoKey).UpdateMask("labels").Context(ctx).Do()
	return err
}
