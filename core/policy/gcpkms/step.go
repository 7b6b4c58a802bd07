package gcpkms

import (
	"encoding/json"
	"fmt"
	"strings"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// The operations of a Step on Google Cloud; the names are those of the Cloud
// KMS API. The function runs the first two, UpdateCryptoKey the command line
// alone.
const (
	opSetIamPolicy  = "SetIamPolicy"
	opUpdateVersion = "UpdateCryptoKeyVersion"
	opUpdateKey     = "UpdateCryptoKey"
)

// policyMask is the mask of every write of an IAM policy: audit configurations
// are not written, whatever the body says of them.
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/setIamPolicy
const policyMask = "bindings,etag"

// setBody is the body of a SetIamPolicy step. Policy is the whole policy with
// the etag that was read, so that a write over somebody else's is refused.
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/setIamPolicy
type setBody struct {
	Policy     json.RawMessage `json:"policy"`
	UpdateMask string          `json:"updateMask"`
}

// versionBody is the body of an UpdateCryptoKeyVersion step; its mask is state.
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/patch
type versionBody struct {
	State string `json:"state"`
}

// labelBody is the body of an UpdateCryptoKey step: all labels of the key.
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/patch
type labelBody struct {
	CryptoKey struct {
		Labels map[string]string `json:"labels"`
	} `json:"cryptoKey"`
	UpdateMask string `json:"updateMask"`
}

// The grammars of all that enters a command. None of them takes a character
// that a shell reads.
// Sources: https://cloud.google.com/kms/docs/resource-hierarchy,
// https://cloud.google.com/resource-manager/docs/creating-managing-projects
const projectGrammar = `((?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{2,62})`

var (
	keyGrammar     = pattern.New(`^projects/` + projectGrammar + `/locations/([a-z][a-z0-9-]{1,62})/keyRings/([A-Za-z0-9_-]{1,63})/cryptoKeys/([A-Za-z0-9_-]{1,63})$`)
	versionGrammar = pattern.New(`^[1-9][0-9]{0,18}$`)
	groupGrammar   = pattern.New(`^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

// resource is a cryptoKey's name in parts that passed their grammar.
type resource struct{ project, location, ring, key string }

func resourceOf(name string) (resource, error) {
	m := keyGrammar.FindStringSubmatch(name)
	if m == nil {
		return resource{}, fmt.Errorf("%q is not the name of a cryptoKey", name)
	}
	return resource{m[1], m[2], m[3], m[4]}, nil
}

// command writes a call of `gcloud kms keys` on the key itself.
func (r resource) command(verb string, options ...string) string {
	return strings.Join(append(append([]string{"gcloud kms keys", verb, r.key}, options...), r.place()), " ")
}

func (r resource) place() string {
	return fmt.Sprintf("--keyring=%s --location=%s --project=%s", r.ring, r.location, r.project)
}

// ofVersion writes a call on one version of the key.
func (r resource) ofVersion(verb, number string) string {
	return fmt.Sprintf("gcloud kms keys versions %s %s --key=%s %s", verb, number, r.key, r.place())
}

// policyStep writes the key's IAM policy. Text of a policy never enters the
// command: it is read from a file.
func policyStep(key, text string) (core.Step, error) {
	r, err := resourceOf(key)
	if err != nil {
		return core.Step{}, err
	}
	body, err := json.Marshal(setBody{json.RawMessage(text), policyMask})
	if err != nil {
		return core.Step{}, fmt.Errorf("write the body of %s: %w", opSetIamPolicy, err)
	}
	return core.Step{Op: opSetIamPolicy, ID: key, Body: body, Command: r.command("set-iam-policy", "policy.json")}, nil
}

// versionStep enables one version of the key.
func versionStep(key, number string) (core.Step, error) {
	r, err := resourceOf(key)
	if err != nil {
		return core.Step{}, err
	}
	if !versionGrammar.MatchString(number) {
		return core.Step{}, fmt.Errorf("%q is not the number of a key version", number)
	}
	body, err := json.Marshal(versionBody{"ENABLED"})
	if err != nil {
		return core.Step{}, fmt.Errorf("write the body of %s: %w", opUpdateVersion, err)
	}
	return core.Step{Op: opUpdateVersion, ID: key + "/cryptoKeyVersions/" + number, Body: body, Command: r.ofVersion("enable", number)}, nil
}

// labelStep writes the key's labels. The command changes one of them only.
func labelStep(key string, labels map[string]string, option string) (core.Step, error) {
	r, err := resourceOf(key)
	if err != nil {
		return core.Step{}, err
	}
	var b labelBody
	b.CryptoKey.Labels, b.UpdateMask = labels, "labels"
	body, err := json.Marshal(b)
	if err != nil {
		return core.Step{}, fmt.Errorf("write the body of %s: %w", opUpdateKey, err)
	}
	return core.Step{Op: opUpdateKey, ID: key, Body: body, Command: r.command("update", option)}, nil
}
