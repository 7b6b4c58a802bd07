package kms_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/core"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/core/watchdog/cloudtest"
	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/aws/kms"
)

const (
	region  = "us-west-2"
	keyARN  = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	admin   = "arn:aws:iam::111122223333:role/admin"
	watcher = "arn:aws:iam::111122223333:role/byokwatch"
	kafka   = "arn:aws:iam::152535741197:role/cc-kafka"
)

func policy(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func may(principal string, actions ...string) string {
	list, err := json.Marshal(actions)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%q},"Action":%s,"Resource":"*"}`, principal, list)
}

var (
	rootMay    = may("arn:aws:iam::111122223333:root", "kms:*")
	watcherMay = []string{"kms:GetKeyPolicy", "kms:DescribeKey", "kms:PutKeyPolicy", "kms:EnableKey"}
	kafkaMay   = may(kafka, "kms:Decrypt", "kms:GenerateDataKey*")
)

// world is an account in which Confluent's role is missing from the policy.
func world(t *testing.T, rights ...string) *awstest.Cloud {
	t.Helper()
	c := awstest.New(awstest.Options{})
	c.Create(admin, watcher, kafka)
	c.Login(awstest.Caller{AccessKey: "ADMIN", Principal: admin})
	c.Login(awstest.Caller{AccessKey: "WATCHER", Principal: watcher})
	if err := c.Attach(admin, `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`); err != nil {
		t.Fatal(err)
	}
	if err := c.AddKey(awstest.NewKey{ARN: keyARN, Policy: policy(rootMay, may(watcher, rights...))}); err != nil {
		t.Fatal(err)
	}
	return c
}

func putStep(text string) core.Step {
	body, err := json.Marshal(map[string]any{"KeyId": keyARN, "PolicyName": "default", "Policy": text, "BypassPolicyLockoutSafetyCheck": false})
	if err != nil {
		panic(err)
	}
	return core.Step{Op: "PutKeyPolicy", ID: keyARN, Body: body}
}

func TestKeeperKeepsTheContractOfACloud(t *testing.T) {
	cloudtest.Run(t, func(t *testing.T) cloudtest.Harness {
		c := world(t, watcherMay...)
		rewrite := func(rights ...string) {
			if _, err := c.KMS("ADMIN", region).PutKeyPolicy(t.Context(), &sdk.PutKeyPolicyInput{KeyId: aws.String(keyARN), Policy: aws.String(policy(rootMay, may(watcher, rights...)))}); err != nil {
				t.Fatal(err)
			}
		}
		return cloudtest.Harness{
			Cloud:     kms.New(c.KMS("WATCHER", region), kms.Options{}),
			Key:       core.Key{ID: keyARN},
			Absent:    core.Key{ID: strings.Replace(keyARN, "1234abcd", "00000000", 1)},
			Elsewhere: core.Key{ID: strings.Replace(keyARN, "us-west-2", "eu-central-1", 1)},
			Kinds:     []core.Kind{core.KeyPolicy, core.KeyMetadata},
			Step:      putStep(policy(rootMay, may(watcher, watcherMay...), kafkaMay)),
			Rejected:  putStep(policy(rootMay, may(watcher, watcherMay...), may("AROADBQP57FF2AEXAMPLE", "kms:Decrypt"))),
			Done: func(p core.Policy) bool {
				d, _ := p.Find(core.KeyPolicy)
				return strings.Contains(d.Text, kafka)
			},
			Mean: func(p core.Policy) string {
				var all []string
				for _, d := range p {
					var b bytes.Buffer
					if err := json.Compact(&b, []byte(d.Text)); err != nil {
						t.Fatal(err)
					}
					all = append(all, string(d.Kind), b.String())
				}
				return strings.Join(all, "\n")
			},
			Hide:       func() core.Kind { rewrite("kms:GetKeyPolicy"); return core.KeyMetadata },
			HideAll:    func() { rewrite("kms:Decrypt") },
			Forbid:     func() { rewrite("kms:GetKeyPolicy", "kms:DescribeKey") },
			Overload:   func(n int) { c.Inject(chaostest.Fault{Kind: chaostest.Throttle, Times: n}) },
			LoseAnswer: func() { c.Inject(chaostest.Fault{Kind: chaostest.Lost, Op: "PutKeyPolicy"}) },
			Calls:      func() int { return c.Calls("") },
		}
	})
}

// answering makes one call end in a way of our choice.
func answering(t *testing.T, c *awstest.Cloud, kind chaostest.Kind, code string, status int, do func(*kms.Keeper) error) error {
	t.Helper()
	c.Inject(chaostest.Fault{Kind: kind, Code: code, Status: status})
	return do(kms.New(c.KMS("WATCHER", region), kms.Options{}))
}

func TestWhatErrorsOfKMSMean(t *testing.T) {
	put := func(ctx context.Context) func(*kms.Keeper) error {
		return func(k *kms.Keeper) error {
			return k.Apply(ctx, core.Key{ID: keyARN}, putStep(policy(rootMay, may(watcher, watcherMay...))))
		}
	}
	for code, want := range map[string]error{
		"AccessDeniedException":            core.ErrDenied,
		"KMSInvalidStateException":         core.ErrConflict,
		"MalformedPolicyDocumentException": core.ErrRejected,
		"LimitExceededException":           core.ErrRejected,
		"InvalidArnException":              core.ErrRejected,
		"UnsupportedOperationException":    core.ErrRejected,
		"NotFoundException":                core.ErrRejected,
		"ValidationException":              core.ErrRejected,
		"ExpiredTokenException":            nil,
		"UnrecognizedClientException":      nil,
		"SomethingNewException":            nil,
	} {
		t.Run(code+" is final", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := world(t, watcherMay...)
				begun := time.Now()
				err := answering(t, c, chaostest.Other, code, 400, put(t.Context()))
				for _, s := range []error{core.ErrDenied, core.ErrConflict, core.ErrRejected} {
					if errors.Is(err, s) != (s == want) {
						t.Errorf("%v is %v: %v", err, s, errors.Is(err, s))
					}
				}
				if err == nil || !strings.Contains(err.Error(), "PutKeyPolicy on "+keyARN) || !strings.Contains(err.Error(), code) {
					t.Errorf("error %v", err)
				}
				if c.Calls("PutKeyPolicy") != 1 || time.Since(begun) != 0 {
					t.Errorf("%d calls in %s", c.Calls("PutKeyPolicy"), time.Since(begun))
				}
			})
		})
	}
	for name, c := range map[string]struct {
		kind   chaostest.Kind
		code   string
		status int
	}{
		"throttling":         {chaostest.Throttle, "", 0},
		"an internal error":  {chaostest.Internal, "", 0},
		"a dependency":       {chaostest.Unavailable, "", 0},
		"a dependency, 400":  {chaostest.Other, "DependencyTimeoutException", 400},
		"a gateway":          {chaostest.Other, "Whatever", 502},
		"a lost answer":      {chaostest.Lost, "", 0},
		"a broken request":   {chaostest.Dropped, "", 0},
		"an answer too late": {chaostest.Slow, "", 0},
	} {
		t.Run(name+" is tried again", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := world(t, watcherMay...)
				cloud.SetOdds(chaostest.Odds{SlowFor: time.Minute})
				if err := answering(t, cloud, c.kind, c.code, c.status, put(t.Context())); err != nil {
					t.Error(err)
				}
				if n := cloud.Calls("PutKeyPolicy"); n != 2 {
					t.Errorf("%d calls", n)
				}
			})
		})
	}
}

func TestAStepThatDropsTheLockoutCheckIsNotSent(t *testing.T) {
	c := world(t, watcherMay...)
	k := kms.New(c.KMS("WATCHER", region), kms.Options{})
	for name, change := range map[string][2]string{
		"the check bypassed": {`"BypassPolicyLockoutSafetyCheck":false`, `"BypassPolicyLockoutSafetyCheck":true`},
		"another key":        {`"KeyId":"` + keyARN, `"KeyId":"` + keyARN + "0"},
		"another policy":     {`"PolicyName":"default"`, `"PolicyName":"mine"`},
	} {
		s := putStep(policy(rootMay))
		s.Body = json.RawMessage(strings.Replace(string(s.Body), change[0], change[1], 1))
		if err := k.Apply(t.Context(), core.Key{ID: keyARN}, s); !errors.Is(err, core.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := c.Calls(""); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestAKeyIsEnabled(t *testing.T) {
	c := world(t, watcherMay...)
	k := kms.New(c.KMS("WATCHER", region), kms.Options{})
	if _, err := c.KMS("ADMIN", region).DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: aws.String(keyARN)}); err != nil {
		t.Fatal(err)
	}
	step := core.Step{Op: "EnableKey", ID: keyARN, Body: json.RawMessage(`{"KeyId":"` + keyARN + `"}`)}
	if err := k.Apply(t.Context(), core.Key{ID: keyARN}, step); err != nil || c.State(keyARN) != awstest.Enabled {
		t.Errorf("%v, state %s", err, c.State(keyARN))
	}
	if _, err := c.KMS("ADMIN", region).ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: aws.String(keyARN)}); err != nil {
		t.Fatal(err)
	}
	if err := k.Apply(t.Context(), core.Key{ID: keyARN}, step); !errors.Is(err, core.ErrConflict) {
		t.Errorf("a key that is pending deletion: %v", err)
	}
}

func TestMetadataReadsAsTheCommandLinePrintsIt(t *testing.T) {
	c := world(t, watcherMay...)
	p, err := kms.New(c.KMS("WATCHER", region), kms.Options{}).Read(t.Context(), core.Key{ID: keyARN})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := p.Find(core.KeyMetadata)
	var got struct{ KeyMetadata map[string]any }
	if err := json.Unmarshal([]byte(d.Text), &got); err != nil {
		t.Fatal(err)
	}
	created, _ := got.KeyMetadata["CreationDate"].(string)
	if _, err := time.Parse(time.RFC3339, created); err != nil {
		t.Errorf("CreationDate: %v", err)
	}
	delete(got.KeyMetadata, "CreationDate")
	want := `{"AWSAccountId":"111122223333","Arn":"` + keyARN + `","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","Description":"","Enabled":true,` +
		`"EncryptionAlgorithms":["SYMMETRIC_DEFAULT"],"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab","KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT",` +
		`"KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,"Origin":"AWS_KMS"}`
	text, err := json.Marshal(got.KeyMetadata)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if !strings.HasPrefix(d.Text, "{\n    \"KeyMetadata\": {\n        \"AWSAccountId\"") {
		t.Errorf("layout:\n%s", d.Text)
	}
}

func TestWhatCannotBeReadIsSaidPlainly(t *testing.T) {
	for name, c := range map[string]struct {
		fault chaostest.Fault
		want  string
	}{
		"a refusal": {chaostest.Fault{Op: "DescribeKey", Kind: chaostest.Other, Code: "AccessDeniedException", Status: 400}, "AWS KMS refuses us: our role may not kms:DescribeKey on this key"},
		"absence":   {chaostest.Fault{Op: "DescribeKey", Kind: chaostest.Other, Code: "NotFoundException", Status: 400}, "AWS KMS says that there is no such key"},
		"a failure": {chaostest.Fault{Op: "DescribeKey", Kind: chaostest.Throttle, Times: 1000}, "AWS KMS failed with ThrottlingException"},
		"silence":   {chaostest.Fault{Op: "DescribeKey", Kind: chaostest.Dropped, Times: 1000}, "AWS KMS did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := world(t, watcherMay...)
				cloud.Inject(c.fault)
				begun := time.Now()
				p, err := kms.New(cloud.KMS("WATCHER", region), kms.Options{}).Read(t.Context(), core.Key{ID: keyARN})
				if err != nil {
					t.Fatal(err)
				}
				if d, _ := p.Find(core.KeyMetadata); d.Unreadable != c.want || d.Text != "" {
					t.Errorf("unreadable: %q, want %q", d.Unreadable, c.want)
				}
				if d, _ := p.Find(core.KeyPolicy); d.Unreadable != "" || d.Text == "" {
					t.Errorf("the policy: %+v", d)
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestTheEndTellsWhatKMSSaidLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := world(t, watcherMay...)
		c.SetOdds(chaostest.Odds{SlowFor: time.Hour})
		c.Inject(chaostest.Fault{Op: "PutKeyPolicy", Kind: chaostest.Throttle, Times: 3})
		c.Inject(chaostest.Fault{Op: "PutKeyPolicy", Kind: chaostest.Slow})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		k := kms.New(c.KMS("WATCHER", region), kms.Options{Attempt: time.Hour})
		err := k.Apply(ctx, core.Key{ID: keyARN}, putStep(policy(rootMay, may(watcher, watcherMay...))))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ThrottlingException") {
			t.Errorf("%v", err)
		}
	})
}

func TestACallerWithoutDeadlineDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := world(t, watcherMay...)
		c.Inject(chaostest.Fault{Op: "PutKeyPolicy", Kind: chaostest.Throttle, Times: 1 << 20})
		begun := time.Now()
		err := kms.New(c.KMS("WATCHER", region), kms.Options{}).Apply(t.Context(), core.Key{ID: keyARN}, putStep(policy(rootMay, may(watcher, watcherMay...))))
		if took := time.Since(begun); err == nil || took < time.Minute || took > 2*time.Minute {
			t.Errorf("%v after %s", err, took)
		}
	})
}

func TestAbsenceBesideARefusalProvesNothing(t *testing.T) {
	for op, other := range map[string]string{"GetKeyPolicy": "DescribeKey", "DescribeKey": "GetKeyPolicy"} {
		c := world(t, watcherMay...)
		c.Inject(chaostest.Fault{Op: op, Kind: chaostest.Other, Code: "NotFoundException", Status: 400})
		c.Inject(chaostest.Fault{Op: other, Kind: chaostest.Other, Code: "AccessDeniedException", Status: 400})
		_, err := kms.New(c.KMS("WATCHER", region), kms.Options{}).Read(t.Context(), core.Key{ID: keyARN})
		if errors.Is(err, core.ErrNotFound) || !errors.Is(err, core.ErrDenied) {
			t.Errorf("%s says absent: %v", op, err)
		}
	}
}

func TestSignerSignsWhatVerifiesOffline(t *testing.T) {
	c := world(t, watcherMay...)
	signing := strings.Replace(keyARN, "1234abcd", "5678abcd", 1)
	if err := c.AddKey(awstest.NewKey{ARN: signing, Signing: true, Policy: policy(rootMay, may(watcher, "kms:Sign"))}); err != nil {
		t.Fatal(err)
	}
	message := []byte("a snapshot's statement")
	signature, err := kms.Signer(c.KMS("WATCHER", region), signing)(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := c.KMS("ADMIN", region).GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: &signing})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(pub.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(message); !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum[:], signature) {
		t.Error("the signature does not hold")
	}
	if _, err := kms.Signer(c.KMS("WATCHER", region), keyARN)(t.Context(), message); !errors.Is(err, core.ErrDenied) {
		t.Errorf("sign with a key that we may not sign with: %v", err)
	}
	if _, err := kms.Signer(c.KMS("WATCHER", "eu-central-1"), signing)(t.Context(), message); err == nil || !strings.Contains(err.Error(), "us-west-2") {
		t.Errorf("sign with a key of another Region: %v", err)
	}
}
