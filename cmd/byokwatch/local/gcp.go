package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	kmsapi "google.golang.org/api/cloudkms/v1"

	"byokwatch/core"
	"byokwatch/core/policy/gcpkms"
	"byokwatch/core/record"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
)

// Who and what there is on Google Cloud.
const (
	gcpKey      = "projects/acme-prod/locations/us-west1/keyRings/kafka/cryptoKeys/payments"
	gcpProject  = "projects/acme-prod"
	gcpRole     = gcpProject + "/roles/kafka_payments_custom_kms_role"
	gcpGroup    = "group:cck-12345@confluent.io"
	gcpPipeline = "serviceAccount:terraform-ci@acme-prod.iam.gserviceaccount.com"
	gcpSelf     = "serviceAccount:byokwatch@acme-prod.iam.gserviceaccount.com"
	gcpAuditor  = "user:auditor@acme.example"
	gcpAddress  = "byokwatch@acme-prod.iam.gserviceaccount.com"
)

// gcpConfiguration is what an operator would write, for one key.
const gcpConfiguration = `mode: %s
key_state: %s
store: {gcp: "%s"}
keys:
  - key: ` + gcpKey + `
    label: payments
    owner: payments-oncall
    clusters: [lkc-abc123]
    confluent: {group: cck-12345@confluent.io}
alerts:
  - stdout:
`

// gcpStage is one emulated Google Cloud with the real function in it.
type gcpStage struct {
	*world
	cloud   *gcptest.Cloud
	service *service
}

func (w *world) buildGCP(s scenario) (http.Handler, error) {
	g := &gcpStage{world: w, cloud: gcptest.New(gcptest.Options{})}
	w.stage, w.gcp = g, g
	w.key = core.Key{ID: gcpKey, Cloud: core.GCP, Needs: core.Confluent{Group: "cck-12345@confluent.io"}}
	w.words = words{
		emulated: "Cloud KMS, IAM and Resource Manager", service: "Cloud KMS", way: "from the audit log through Pub/Sub",
		runs: "waits for CloudEvents", reads: 3, permissions: 3,
	}
	return g.cloud, g.people(s)
}

// people makes everybody who acts, with no more rights than they need. The
// function shows no credentials to this machine, so whoever shows none is it.
func (g *gcpStage) people(s scenario) error {
	g.cloud.Create(gcpGroup, gcpAuditor)
	g.cloud.Login(gcptest.Caller{Member: gcpSelf, Address: "192.0.2.20", Agent: "byokwatch"})
	g.cloud.Login(gcptest.Caller{Token: "pipeline", Member: gcpPipeline, Address: "192.0.2.7", Agent: "Terraform/1.9.8 terraform-provider-google/6.50.0"})
	g.cloud.AddKey(gcpKey, 2)
	g.cloud.AddRole(gcpRole, "cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get")
	g.cloud.AddRole(gcpProject+"/roles/byokwatch", "cloudkms.cryptoKeys.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeys.getIamPolicy",
		"cloudkms.keyRings.getIamPolicy", "resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "iam.roles.get", "cloudkms.cryptoKeys.setIamPolicy",
		"cloudkms.cryptoKeyVersions.update", "iam.denypolicies.list", "iam.denypolicies.get")
	before := s.from
	if before == "" {
		before = gcpPolicy(useKey, viewKey)
	}
	return errors.Join(
		g.cloud.SetPolicy(gcpKey, before),
		g.cloud.SetPolicy(gcpProject, gcpPolicy(bound("roles/owner", gcpPipeline), bound(gcpProject+"/roles/byokwatch", gcpSelf))),
	)
}

func (g *gcpStage) objects(string) (place string, o record.Objects, err error) { return g.directory() }

func (g *gcpStage) configuration(mode core.Mode, state core.Care, place string) []byte {
	return fmt.Appendf(nil, gcpConfiguration, mode, state, place)
}

func (g *gcpStage) start(ctx context.Context, binary, addr string) (err error) {
	g.service, err = serve(ctx, binary, g.dir, g.alerts, g.log,
		"BYOKWATCH_CLOUDKMS_ENDPOINT="+addr, "BYOKWATCH_IAM_ENDPOINT="+addr, "BYOKWATCH_CLOUDRESOURCEMANAGER_ENDPOINT="+addr,
		"BYOKWATCH_CONFIG=byokwatch.yaml", "BYOKWATCH_SELF="+gcpAddress)
	return err
}

func (g *gcpStage) close() error {
	if g.service == nil {
		return nil
	}
	return g.service.stop()
}

// delivery is how events come: CloudEvents whose data is a message of Pub/Sub.
const delivery = gcptest.PubSubBinary

func (g *gcpStage) tick(ctx context.Context) error {
	return g.service.push(ctx, func(url string) *http.Request { return g.cloud.Tick(delivery, url) })
}

func (g *gcpStage) events() []event {
	var out []event
	for _, e := range g.cloud.Events() {
		out = append(out, event{e.Method, func(ctx context.Context) error {
			return g.service.push(ctx, func(url string) *http.Request { return e.Request(delivery, url) })
		}})
	}
	return out
}

func (g *gcpStage) keeper() *cloudkms.Keeper {
	return cloudkms.New(cloudkms.Clients(g.cloud.Clients("pipeline")), cloudkms.Options{Builtin: gcpkms.Builtin})
}

func (g *gcpStage) read(ctx context.Context) (core.Policy, error) { return g.keeper().Read(ctx, g.key) }

func (g *gcpStage) judge(live core.Policy, at time.Time) core.Judgement {
	return gcpkms.Judge(live, core.Question{Key: g.key, At: at, Needs: gcpkms.Needs(g.key, live, nil)})
}

func (g *gcpStage) can(permission string) (bool, string) {
	return g.cloud.Can(gcpGroup, permission, gcpKey)
}

func (g *gcpStage) policy() string { return g.cloud.Policy(gcpKey) }

func (g *gcpStage) writes() []time.Time {
	var out []time.Time
	for _, write := range g.cloud.Writes(gcpKey) {
		if write.Caller == gcpSelf {
			out = append(out, write.At)
		}
	}
	for _, use := range g.cloud.Uses() {
		if use.Caller == gcpSelf && use.Permission == "cloudkms.cryptoKeyVersions.update" && use.Allowed {
			out = append(out, use.At)
		}
	}
	return out
}

// put writes the key's policy as the pipeline, through the real client: over
// whatever is there, as google_kms_crypto_key_iam_policy does.
func (g *gcpStage) put(ctx context.Context, text string) error {
	var p kmsapi.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	keys := g.cloud.Clients("pipeline").KMS.Projects.Locations.KeyRings.CryptoKeys
	live, err := keys.GetIamPolicy(gcpKey).OptionsRequestedPolicyVersion(3).Context(ctx).Do()
	if err != nil {
		return err
	}
	p.Etag, p.Version = live.Etag, 3
	_, err = keys.SetIamPolicy(gcpKey, &kmsapi.SetIamPolicyRequest{Policy: &p}).Context(ctx).Do()
	return err
}
