package main_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/aws/kms"
	"byokwatch/functions/aws/s3store"
	"byokwatch/functions/functiontest"
)

// permissions is permissions.json.
type permissions struct {
	About     string            `json:"about"`
	Resources map[string]string `json:"resources"`
	Reading   []right           `json:"reading"`
	Restoring []right           `json:"restoring"`
	Platform  []right           `json:"platform"`
	Deny      []right           `json:"deny"`
}

// right is one statement of the role's policy, less its effect.
type right struct {
	ID         string                       `json:"id"`
	Actions    []string                     `json:"actions"`
	NotActions []string                     `json:"not_actions"`
	On         []string                     `json:"on"`
	NotOn      []string                     `json:"not_on"`
	Condition  map[string]map[string]string `json:"condition"`
	Implied    bool                         `json:"implied"`
	Why        string                       `json:"why"`
	Source     string                       `json:"source"`
}

func readPermissions(t *testing.T) permissions {
	t.Helper()
	var p permissions
	functiontest.ReadJSON(t, "permissions.json", &p)
	return p
}

const (
	here       = "us-west-2"
	account    = "111122223333"
	function   = "arn:aws:iam::111122223333:role/byokwatch"
	operator   = "arn:aws:iam::111122223333:role/operator"
	arnPrefix  = "arn:aws:kms:us-west-2:111122223333:key/"
	observed   = arnPrefix + "11111111-12ab-34cd-56ef-1234567890ab"
	enforced   = arnPrefix + "22222222-12ab-34cd-56ef-1234567890ab"
	enabling   = arnPrefix + "33333333-12ab-34cd-56ef-1234567890ab"
	signingKey = arnPrefix + "44444444-12ab-34cd-56ef-1234567890ab"
	unlisted   = arnPrefix + "55555555-12ab-34cd-56ef-1234567890ab" // somebody else's
	storeName  = "acme-byokwatch"
	store      = "arn:aws:s3:::acme-byokwatch"
	secret     = "arn:aws:secretsmanager:us-west-2:111122223333:secret:slack-AbCdEf"
)

// filled is what a deployment fills in for three keys, one of each kind.
func filled() map[string][]string {
	return map[string][]string{
		"keys": {observed, enforced, enabling}, "enforced": {enforced, enabling}, "enabling": {enabling},
		"every-key": {"arn:aws:kms:*:*:key/*"},
		"bucket":    {store}, "records": {store + "/prod/records/*"}, "kept": {store + "/prod/kept/*"}, "requests": {store + "/prod/requests/*"},
		"configuration": {store + "/byokwatch.yaml"}, "signing-key": {signingKey}, "secrets": {secret},
		"log-streams": {"arn:aws:logs:us-west-2:111122223333:log-group:/aws/lambda/byokwatch:*"}, "dead-letters": {"arn:aws:sqs:us-west-2:111122223333:byokwatch"},
		"everything": {"*"},
	}
}

// rendered is the role's policy as a deployment makes it for those three keys.
func rendered(t *testing.T, effect string, rights []right) string {
	t.Helper()
	return renderedFor(t, filled(), effect, rights)
}

func renderedFor(t *testing.T, sets map[string][]string, effect string, rights []right) string {
	t.Helper()
	type statement struct {
		Sid, Effect           string
		Action, NotAction     []string                     `json:",omitempty"`
		Resource, NotResource []string                     `json:",omitempty"`
		Condition             map[string]map[string]string `json:",omitempty"`
	}
	var doc struct {
		Version   string
		Statement []statement
	}
	doc.Version = "2012-10-17"
	for _, r := range rights {
		s := statement{Sid: r.ID, Effect: effect, Action: r.Actions, NotAction: r.NotActions, Condition: r.Condition}
		for _, set := range r.On {
			s.Resource = append(s.Resource, sets[set]...)
		}
		for _, set := range r.NotOn {
			s.NotResource = append(s.NotResource, sets[set]...)
		}
		switch empty := len(s.Resource)+len(s.NotResource) == 0; {
		case empty && len(r.On) > 0:
			continue
		case empty:
			s.Resource = []string{"*"}
		}
		doc.Statement = append(doc.Statement, s)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// stage is an account with three protected keys, whose policies leave
// everything to IAM, and a function whose role has the given rights.
type stage struct {
	cloud *awstest.Cloud
	s3    *awstest.S3
}

func newStage(t *testing.T, policies ...string) *stage {
	t.Helper()
	c := awstest.New(awstest.Options{NoQuotas: true})
	s := &stage{c, awstest.NewS3(c, awstest.S3Options{}, storeName)}
	c.Create(function, operator)
	c.Login(awstest.Caller{AccessKey: "FUNCTION", Principal: function})
	c.Login(awstest.Caller{AccessKey: "OPERATOR", Principal: operator})
	functiontest.Must(t, c.Attach(operator, `{"Statement":{"Effect":"Allow","Action":["kms:*","s3:*"],"Resource":"*"}}`))
	for _, p := range policies {
		functiontest.Must(t, c.Attach(function, p))
	}
	for _, arn := range []string{observed, enforced, enabling, unlisted} {
		functiontest.Must(t, c.AddKey(awstest.NewKey{ARN: arn}))
	}
	functiontest.Must(t, c.AddKey(awstest.NewKey{ARN: signingKey, Signing: true}))
	c.PutSecret(secret, "https://hooks.slack.com/services/x")
	s.s3.SetObject(storeName, "byokwatch.yaml", []byte("mode: observe"))
	return s
}

func keyOf(arn string) core.Key { return core.Key{ID: arn, Cloud: core.AWS} }

// operate has the function do everything it ever does in AWS: the reading half,
// and with restoring the other as well. The error joins all that failed.
func (s *stage) operate(t *testing.T, restoring bool) error {
	t.Helper()
	ctx := t.Context()
	keeper := kms.New(s.cloud.KMS("FUNCTION", here), kms.Options{})
	signed := s.store(t, "FUNCTION")
	var all functiontest.Failures
	for _, arn := range []string{observed, enforced, enabling} {
		k := keyOf(arn)
		policy, err := keeper.Read(ctx, k)
		all.Did("read", err)
		for _, d := range policy {
			if d.Unreadable != "" {
				all.Did("read", errors.New(d.Unreadable))
			}
		}
		all.Remember(t, signed, s.store(t, "OPERATOR"), k, core.KeyPolicy)
	}
	cfg := s.cloud.S3("FUNCTION", here)
	_, err := cfg.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storeName), Key: aws.String("byokwatch.yaml")})
	all.Did("read the configuration", err)
	_, err = secretsmanager.NewFromConfig(s.cloud.Config("FUNCTION", here)).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secret)})
	all.Did("read a secret", err)
	if restoring {
		for _, arn := range []string{enforced, enabling} {
			all.Did("restore", keeper.Apply(ctx, keyOf(arn), putStep(arn, s.cloud.Policy(arn))))
		}
		all.Did("enable", keeper.Apply(ctx, keyOf(enabling), core.Step{Op: "EnableKey", ID: enabling, Body: json.RawMessage(`{"KeyId":"` + enabling + `"}`)}))
	}
	return all.Err()
}

func putStep(arn, policy string) core.Step {
	body, err := json.Marshal(map[string]any{"KeyId": arn, "PolicyName": "default", "Policy": policy, "BypassPolicyLockoutSafetyCheck": false})
	if err != nil {
		panic(err)
	}
	return core.Step{Op: "PutKeyPolicy", ID: arn, Body: body}
}

// store is the record's store as one of the callers has it, signing by KMS.
func (s *stage) store(t *testing.T, who string) *record.Store {
	t.Helper()
	pub, err := s.cloud.KMS("OPERATOR", here).GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: aws.String(signingKey)})
	functiontest.Must(t, err)
	public, err := record.ParsePublicKey(base64.StdEncoding.EncodeToString(pub.PublicKey))
	functiontest.Must(t, err)
	objects := s3store.New(s.cloud.S3(who, here), storeName, "prod")
	return record.NewStore(objects, &record.Signing{Sign: kms.Signer(s.cloud.KMS(who, here), signingKey), Public: public})
}

// used lists "action on set" for everything that the function's role used.
func (s *stage) used(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, a := range s.cloud.Actions() {
		if a.Caller != function {
			continue
		}
		set := setOf(a.Resource)
		if set == "" {
			t.Errorf("%s on %s, which is in no set", a.Name, a.Resource)
		}
		out[a.Name+" on "+set] = true
	}
	return out
}

func setOf(resource string) string {
	for _, set := range []string{"records", "kept", "requests", "configuration", "bucket", "signing-key", "secrets", "keys"} {
		for _, pattern := range filled()[set] {
			prefix, open := strings.CutSuffix(pattern, "*")
			if pattern == resource || (open && strings.HasPrefix(resource, prefix)) {
				return set
			}
		}
	}
	return ""
}

// declared lists the same of the file. Subsets of keys count as keys here:
// which of them a right is on is what TestWhatIsDeniedStaysDenied is about.
func declared(rights []right) map[string]bool {
	out := map[string]bool{}
	for _, r := range rights {
		for _, a := range r.Actions {
			for _, set := range r.On {
				if set == "enforced" || set == "enabling" {
					set = "keys"
				}
				out[a+" on "+set] = true
			}
		}
	}
	return out
}

func TestPermissionsAreExactlyWhatIsUsed(t *testing.T) {
	p := readPermissions(t)
	for name, c := range map[string]struct {
		restoring bool
		rights    []right
	}{
		"reading":               {false, p.Reading},
		"reading and restoring": {true, slices.Concat(p.Reading, p.Restoring)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, rendered(t, "Allow", c.rights), rendered(t, "Deny", p.Deny))
			if err := s.operate(t, c.restoring); err != nil {
				t.Errorf("the rights do not suffice: %v", err)
			}
			if got, want := s.used(t), declared(c.rights); !maps.Equal(got, want) {
				t.Errorf("used and declared differ:\nused     %v\ndeclared %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			for _, a := range s.cloud.Actions() {
				if a.Caller == function && !a.Allowed {
					t.Errorf("refused: %s on %s", a.Name, a.Resource)
				}
			}
		})
	}
}

func TestEveryRightIsNeeded(t *testing.T) {
	p := readPermissions(t)
	all := slices.Concat(p.Reading, p.Restoring)
	for i, r := range all {
		for _, action := range r.Actions {
			for _, set := range r.On {
				t.Run(action+" on "+set, func(t *testing.T) {
					less := r
					less.Actions, less.On = slices.DeleteFunc(slices.Clone(r.Actions), func(a string) bool { return a == action }), r.On
					rest := right{ID: "Rest", Actions: []string{action}, On: slices.DeleteFunc(slices.Clone(r.On), func(s string) bool { return s == set }), Condition: r.Condition}
					rights := slices.Concat(all[:i], all[i+1:])
					for _, kept := range []right{less, rest} {
						if len(kept.Actions) > 0 && len(kept.On) > 0 {
							rights = append(rights, kept)
						}
					}
					if err := newStage(t, rendered(t, "Allow", rights)).operate(t, true); err == nil {
						t.Error("everything works without it")
					}
				})
			}
		}
	}
}

// TestWhatIsDeniedStaysDenied gives the role everything, by its own policy and
// by those of the keys.
func TestWhatIsDeniedStaysDenied(t *testing.T) {
	p := readPermissions(t)
	s := newStage(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, rendered(t, "Deny", p.Deny))
	if err := s.operate(t, true); err != nil {
		t.Errorf("the Deny statements stop the function itself: %v", err)
	}
	never := []string{"Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
		"CreateGrant", "RevokeGrant", "RetireGrant", "DisableKey", "TagResource", "UntagResource", "UpdateAlias", "DeleteImportedKeyMaterial", "ReplicateKey"}
	for arn, more := range map[string][]string{
		observed: {"PutKeyPolicy", "EnableKey", "Sign"}, enforced: {"EnableKey", "Sign"}, enabling: {"Sign"},
		signingKey: {"PutKeyPolicy", "EnableKey", "GetKeyPolicy", "GetPublicKey"},
		unlisted:   {"PutKeyPolicy", "EnableKey", "Sign"},
	} {
		for _, action := range slices.Concat(never, more) {
			if ok, _ := s.cloud.Can(function, "kms:"+action, arn); ok {
				t.Errorf("kms:%s on %s is allowed", action, arn)
			}
		}
		own := s.cloud.KMS("FUNCTION", here)
		for what, try := range map[string]func() error{
			"schedule its deletion": func() error {
				_, err := own.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: &arn})
				return err
			},
			"bypass the lockout check": func() error {
				_, err := own.PutKeyPolicy(t.Context(), &sdk.PutKeyPolicyInput{KeyId: &arn, Policy: aws.String(s.cloud.Policy(arn)), BypassPolicyLockoutSafetyCheck: true})
				return err
			},
			"grant": func() error {
				_, err := own.CreateGrant(t.Context(), &sdk.CreateGrantInput{KeyId: &arn, GranteePrincipal: aws.String(function), Operations: []types.GrantOperation{types.GrantOperationDecrypt}})
				return err
			},
		} {
			var refused smithy.APIError
			if err := try(); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDeniedException" {
				t.Errorf("%s of %s: %v", what, arn, err)
			}
		}
	}
}

// TestKeysThatAWSManagesDecryptForItsServices: those keys' policies let the
// account's principals use them through one service, and the function's
// environment and secrets come to it that way.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html,
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func TestKeysThatAWSManagesDecryptForItsServices(t *testing.T) {
	s := newStage(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, rendered(t, "Deny", readPermissions(t).Deny))
	for alias, want := range map[string]bool{"alias/aws/lambda": true, "alias/aws/secretsmanager": true, "alias/payments": false, "alias/awsome": false} {
		arn := arnPrefix + fmt.Sprintf("%08d-12ab-34cd-56ef-1234567890ab", len(alias))
		functiontest.Must(t, s.cloud.AddKey(awstest.NewKey{ARN: arn, Aliases: []string{alias}}))
		if ok, why := s.cloud.Can(function, "kms:Decrypt", arn); ok != want {
			t.Errorf("%s: decrypting is allowed: %v %s", alias, ok, why)
		}
		if ok, _ := s.cloud.Can(function, "kms:PutKeyPolicy", arn); ok {
			t.Errorf("%s: its policy may be written", alias)
		}
	}
}

// TestNothingIsWrittenWhereNothingIsEnforced fills the file in for mode observe
// and still gives the role everything.
func TestNothingIsWrittenWhereNothingIsEnforced(t *testing.T) {
	sets := filled()
	for _, set := range []string{"enforced", "enabling", "signing-key"} {
		sets[set] = nil
	}
	s := newStage(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, renderedFor(t, sets, "Deny", readPermissions(t).Deny))
	for _, arn := range []string{observed, enforced, enabling, signingKey, unlisted} {
		for _, action := range []string{"kms:PutKeyPolicy", "kms:EnableKey", "kms:Sign"} {
			if ok, _ := s.cloud.Can(function, action, arn); ok {
				t.Errorf("%s on %s is allowed", action, arn)
			}
		}
		if ok, why := s.cloud.Can(function, "kms:GetKeyPolicy", arn); !ok {
			t.Errorf("the test proves nothing: reading %s is not allowed either: %s", arn, why)
		}
	}
}

// TestDeniesReachWhatWouldSteerTheAccount covers the services that have no
// emulator here: what must be denied, by the action's own name.
func TestDeniesReachWhatWouldSteerTheAccount(t *testing.T) {
	p := readPermissions(t)
	var everywhere []string
	for _, r := range p.Deny {
		if slices.Equal(r.On, []string{"everything"}) && r.Condition == nil {
			everywhere = append(everywhere, r.Actions...)
		}
	}
	denied := func(action string) bool {
		return slices.ContainsFunc(everywhere, func(p string) bool { ok, err := path.Match(p, action); return err == nil && ok })
	}
	for _, action := range []string{
		"iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:PassRole", "organizations:LeaveOrganization", "sts:AssumeRole",
		"lambda:UpdateFunctionCode", "lambda:PutFunctionConcurrency", "lambda:InvokeFunction",
		"events:DisableRule", "events:DeleteRule", "events:RemoveTargets", "events:PutTargets", "events:PutEvents",
		"cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors",
		"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration",
		"s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention", "s3:PutLifecycleConfiguration",
		"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret",
	} {
		if !denied(action) {
			t.Errorf("%s is not denied", action)
		}
	}
	for _, r := range slices.Concat(p.Reading, p.Restoring, p.Platform) {
		for _, action := range r.Actions {
			if denied(action) {
				t.Errorf("%s is both given and denied", action)
			}
		}
	}
}

func TestPermissionsSayWhatTheyAreFor(t *testing.T) {
	p := readPermissions(t)
	ids := map[string]bool{}
	for _, r := range slices.Concat(p.Reading, p.Restoring, p.Platform, p.Deny) {
		if ids[r.ID] || r.ID == "" || strings.ContainsFunc(r.ID, func(c rune) bool { return c < '0' || c > 'z' }) {
			t.Errorf("%q is no statement ID of its own", r.ID)
		}
		ids[r.ID] = true
		if r.Why == "" || (len(r.On) == 0) == (len(r.NotOn) == 0) || (len(r.Actions) == 0) == (len(r.NotActions) == 0) {
			t.Errorf("%s is incomplete: %+v", r.ID, r)
		}
		if (r.Implied || r.Condition != nil && r.Source == "" && !strings.HasPrefix(r.ID, "Never")) && !strings.HasPrefix(r.Source, "https://docs.aws.amazon.com/") {
			t.Errorf("%s rests on a rule without a source", r.ID)
		}
		for _, set := range slices.Concat(r.On, r.NotOn) {
			if p.Resources[set] == "" || filled()[set] == nil {
				t.Errorf("%s is on %q, which nobody describes", r.ID, set)
			}
		}
	}
	for _, r := range slices.Concat(p.Reading, p.Restoring, p.Platform) {
		if len(r.NotActions)+len(r.NotOn) > 0 {
			t.Errorf("%s gives all but something", r.ID)
		}
		for _, a := range r.Actions {
			if strings.Contains(a, "*") {
				t.Errorf("%s gives %s: a wildcard is more than what is used", r.ID, a)
			}
		}
		if slices.Contains(r.On, "everything") {
			t.Errorf("%s is on everything", r.ID)
		}
	}
	if got := slices.Sorted(maps.Keys(p.Resources)); !slices.Equal(got, slices.Sorted(maps.Keys(filled()))) {
		t.Errorf("sets of resources: %v", got)
	}
}
