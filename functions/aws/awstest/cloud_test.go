package awstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/aws/awstest"
)

func TestFaultsRepeatByTheirSeed(t *testing.T) {
	run := func(seed uint64) (out []string) {
		c := world(t, awstest.Options{Seed: seed, NoQuotas: true, Odds: chaostest.Odds{Throttle: .1, Internal: .1, Unavailable: .1, Dropped: .1, Lost: .1}})
		for i := range 60 {
			err := put(t.Context(), c, "ADMIN", policy(rootMayAll, statement("Allow", `"`+kafka+`"`, fmt.Sprintf(`"kms:Tag%d"`, i), "")))
			kind := code(err)
			if i := strings.Index(kind, "RequestCanceled"); i >= 0 || strings.Contains(kind, "EOF") {
				kind = "broken"
			}
			out = append(out, fmt.Sprintf("%s %v", kind, strings.Contains(c.Policy(keyARN), fmt.Sprintf("kms:Tag%d\"", i))))
		}
		return out
	}
	first := run(1)
	if !slices.Equal(first, run(1)) {
		t.Error("the same seed went another way")
	}
	if slices.Equal(first, run(2)) {
		t.Error("another seed went the same way")
	}
	seen := map[string]bool{}
	for _, s := range first {
		seen[s] = true
	}
	// A call that broke may have been done or not; a refused one never was.
	for _, want := range []string{" true", "ThrottlingException false", "KMSInternalException false", "DependencyTimeoutException false", "broken true", "broken false"} {
		if !seen[want] {
			t.Errorf("%q never happened: %v", want, seen)
		}
	}
	for s := range seen {
		if strings.HasSuffix(s, "Exception true") {
			t.Errorf("%q: refused and done", s)
		}
	}
}

func TestReadsLagBehindWrites(t *testing.T) {
	for name, flap := range map[string]bool{"once seen, always seen": false, "flapping": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := world(t, awstest.Options{Seed: 3, NoQuotas: true, Odds: chaostest.Odds{StaleFor: time.Minute, Flap: flap}})
				if err := put(t.Context(), c, "ADMIN", policy(rootMayAll)); err != nil {
					t.Fatal(err)
				}
				if ok, _ := c.Can(kafka, "kms:Decrypt", keyARN); ok {
					t.Error("the write itself lags")
				}
				var flips, stale int
				was := true
				for range 600 {
					old := strings.Contains(get(t, c, "ADMIN"), kafka)
					if old != was {
						flips++
					}
					if old {
						stale++
					}
					was = old
					time.Sleep(100 * time.Millisecond)
				}
				if was || stale == 0 || (flips > 1) != flap {
					t.Errorf("%d stale reads, %d flips, stale at the end: %v", stale, flips, was)
				}
			})
		})
	}
}

func TestOneStaleReadCanBeMadeToHappen(t *testing.T) {
	c := world(t, awstest.Options{})
	if err := put(t.Context(), c, "ADMIN", policy(rootMayAll)); err != nil {
		t.Fatal(err)
	}
	c.Inject(chaostest.Fault{Op: "GetKeyPolicy", Resource: keyARN, Kind: chaostest.Stale, Times: 2})
	for i, want := range []bool{true, true, false} {
		if got := strings.Contains(get(t, c, "ADMIN"), kafka); got != want {
			t.Errorf("read %d shows the old policy: %v", i, got)
		}
	}
}

func TestQuotasAreThoseOfTheDocumentation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := world(t, awstest.Options{})
		for second := range 2 {
			for i := range 20 {
				want := ""
				if i >= 15 {
					want = "ThrottlingException"
				}
				if err := put(t.Context(), c, "ADMIN", policy(rootMayAll)); code(err) != want {
					t.Fatalf("write %d of second %d: %v", i, second, err)
				}
			}
			time.Sleep(time.Second)
		}
	})
}

func TestReplicasAreKeysOfTheirOwn(t *testing.T) {
	ctx := t.Context()
	c := world(t, awstest.Options{})
	primary, err := c.KMS("ADMIN", region).CreateKey(ctx, &kms.CreateKeyInput{MultiRegion: aws.Bool(true), Policy: aws.String(policy(rootMayAll, confluentMay))})
	if err != nil {
		t.Fatal(err)
	}
	id := primary.KeyMetadata.KeyId
	replica, err := c.KMS("ADMIN", region).ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: id, ReplicaRegion: aws.String("eu-central-1"), Policy: aws.String(policy(rootMayAll))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.KMS("ADMIN", "eu-central-1").DisableKey(ctx, &kms.DisableKeyInput{KeyId: id}); err != nil {
		t.Fatal(err)
	}
	here, there := aws.ToString(primary.KeyMetadata.Arn), aws.ToString(replica.ReplicaKeyMetadata.Arn)
	if c.State(here) != awstest.Enabled || c.State(there) != awstest.Disabled {
		t.Errorf("states %s and %s", c.State(here), c.State(there))
	}
	if !strings.Contains(c.Policy(here), kafka) || strings.Contains(c.Policy(there), kafka) {
		t.Error("the policies are not independent")
	}
	out, err := c.KMS("ADMIN", "eu-central-1").DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
	if err != nil {
		t.Fatal(err)
	}
	m := out.KeyMetadata.MultiRegionConfiguration
	if aws.ToString(out.KeyMetadata.Arn) != there || m.MultiRegionKeyType != types.MultiRegionKeyTypeReplica || aws.ToString(m.PrimaryKey.Arn) != here {
		t.Errorf("the replica is described as %+v", m)
	}
}

func TestGrantsAllowAndAreDeniedByPolicy(t *testing.T) {
	ctx := t.Context()
	c := world(t, awstest.Options{})
	alices := c.KMS("ALICE", region, once)
	read := func() error {
		_, err := alices.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(keyARN)})
		return err
	}
	if err := read(); code(err) != "AccessDeniedException" {
		t.Fatalf("without a grant: %v", err)
	}
	g, err := c.KMS("ADMIN", region).CreateGrant(ctx, &kms.CreateGrantInput{KeyId: aws.String(keyARN), GranteePrincipal: aws.String(alice), Operations: []types.GrantOperation{types.GrantOperationDescribeKey}})
	if err != nil {
		t.Fatal(err)
	}
	if err := read(); err != nil {
		t.Errorf("with a grant: %v", err)
	}
	list, err := c.KMS("ADMIN", region).ListGrants(ctx, &kms.ListGrantsInput{KeyId: aws.String(keyARN)})
	if err != nil || len(list.Grants) != 1 || aws.ToString(list.Grants[0].GranteePrincipal) != alice {
		t.Errorf("grants %+v, %v", list, err)
	}
	if err := put(ctx, c, "ADMIN", policy(rootMayAll, statement("Deny", `"`+alice+`"`, `"kms:*"`, ""))); err != nil {
		t.Fatal(err)
	}
	if err := read(); code(err) != "AccessDeniedException" {
		t.Errorf("a grant against a Deny: %v", err)
	}
	if _, err := c.KMS("ADMIN", region).RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: aws.String(keyARN), GrantId: g.GrantId}); err != nil {
		t.Error(err)
	}
}

func TestIdentityPoliciesCount(t *testing.T) {
	c := world(t, awstest.Options{})
	if err := c.Attach(watcher, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"kms:PutKeyPolicy","Resource":"`+keyARN+`","Condition":{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"false"}}},
		{"Effect":"Deny","Action":"kms:DescribeKey","Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), c, "ADMIN", policy(rootMayAll, statement("Allow", `"`+watcher+`"`, `"kms:DescribeKey"`, ""))); err != nil {
		t.Fatal(err)
	}
	write := func(bypass bool) error {
		_, err := c.KMS("WATCHER", region, once).PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(keyARN), Policy: aws.String(policy(rootMayAll)), BypassPolicyLockoutSafetyCheck: bypass})
		return err
	}
	_, err := c.KMS("WATCHER", region, once).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(keyARN)})
	if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "explicit deny in an identity-based policy") {
		t.Errorf("a Deny of one's own: %v", err)
	}
	if err := write(true); code(err) != "AccessDeniedException" {
		t.Errorf("a write with the check bypassed: %v", err)
	}
	if err := write(false); err != nil {
		t.Errorf("a write with the check: %v", err)
	}
}

func TestBothWaysInLeadToTheSameAnswers(t *testing.T) {
	c := world(t, awstest.Options{})
	server := httptest.NewServer(c)
	defer server.Close()
	overTCP := c.KMS("ADMIN", region, once, func(o *kms.Options) { o.BaseEndpoint, o.HTTPClient = &server.URL, http.DefaultClient })
	out, err := overTCP.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(keyARN)})
	if err != nil || !strings.Contains(*out.Policy, kafka) {
		t.Errorf("over a socket: %v", err)
	}
	for _, client := range []*kms.Client{overTCP, c.KMS("ADMIN", region, once)} {
		_, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(keyARN), Policy: aws.String("{}")})
		var refused *types.MalformedPolicyDocumentException
		if !errors.As(err, &refused) || refused.ErrorMessage() == "" || !strings.Contains(err.Error(), "RequestID: ") {
			t.Errorf("refused with %v", err)
		}
		c.Inject(chaostest.Fault{Kind: chaostest.Lost})
		if err := errOf(client.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: aws.String(keyARN)})); err == nil || code(err) == "" || c.State(keyARN) != awstest.Disabled {
			t.Errorf("a lost answer: %v, state %s", err, c.State(keyARN))
		}
		if err := errOf(client.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: aws.String(keyARN)})); err != nil {
			t.Error(err)
		}
	}
	for name, err := range map[string]error{
		"somebody unknown":     errOf(c.KMS("NOBODY", region, once).GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(keyARN)})),
		"an unknown operation": errOf(c.KMS("ADMIN", region, once).GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: aws.String(keyARN)})),
	} {
		if want := map[string]string{"somebody unknown": "UnrecognizedClientException", "an unknown operation": "UnknownOperationException"}[name]; code(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.KMS("ADMIN", region, once).GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: aws.String(keyARN)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled request: %v", err)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestSecretsAreForThoseWhoMayReadThem(t *testing.T) {
	const arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:slack-AbCdEf"
	c := world(t, awstest.Options{})
	c.PutSecret(arn, "https://hooks.slack.com/services/x")
	read := func() (string, error) {
		out, err := secretsmanager.NewFromConfig(c.Config("WATCHER", region)).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
		if err != nil {
			return "", err
		}
		return *out.SecretString, nil
	}
	if _, err := read(); code(err) != "AccessDeniedException" {
		t.Errorf("without a right: %v", err)
	}
	if err := c.Attach(watcher, `{"Statement":{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"`+arn+`"}}`); err != nil {
		t.Fatal(err)
	}
	if s, err := read(); err != nil || s != "https://hooks.slack.com/services/x" {
		t.Errorf("%q, %v", s, err)
	}
}

// shape lists the members of a JSON value with their types, lists by their
// first element.
func shape(prefix string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			shape(prefix+"."+name, e, out)
		}
	case []any:
		if len(v) > 0 {
			shape(prefix+"[]", v[0], out)
		} else {
			out[prefix] = "empty list"
		}
	default:
		out[prefix] = fmt.Sprintf("%T", v)
	}
}

func shapeOf(t *testing.T, data []byte, drop ...string) map[string]string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	shape("", v, out)
	maps.DeleteFunc(out, func(name, _ string) bool {
		return slices.ContainsFunc(drop, func(d string) bool { return strings.HasPrefix(name, d) })
	})
	return out
}

func TestEventsHaveTheShapeOfTheSamples(t *testing.T) {
	ctx := t.Context()
	var delivered int
	c := world(t, awstest.Options{Events: func(r string, e []byte) {
		if r != region || !json.Valid(e) {
			t.Errorf("event of %s: %s", r, e)
		}
		delivered++
	}})
	c.Login(awstest.Caller{AccessKey: "CONSOLE", Principal: admin, Session: "alice@example.com", SourceIdentity: "alice@example.com", Console: true})
	for who, doc := range map[string]string{alice: `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`} {
		if err := c.Attach(who, doc); err != nil {
			t.Fatal(err)
		}
	}
	id := aws.String(keyARN)
	tls := []string{".detail.tlsDetails"} // not made up here
	for _, s := range []struct {
		name   string
		do     func() error
		sample string
		code   string
		drop   []string
	}{
		{"a user's write", func() error { return put(ctx, c, "ALICE", policy(rootMayAll)) }, "put-key-policy-user", "", nil},
		{"a role's write", func() error { return put(ctx, c, "ADMIN", policy(rootMayAll)) }, "put-key-policy-terraform-role", "", nil},
		{"a write from the console", func() error { return put(ctx, c, "CONSOLE", policy(rootMayAll)) }, "put-key-policy-console", "", nil},
		{"a write of the root user", func() error { return put(ctx, c, "ROOT", policy(rootMayAll)) }, "put-key-policy-root-user", "", []string{".detail.userIdentity.sessionContext", ".detail.sessionCredentialFromConsole"}},
		{"a refused write", func() error { return put(ctx, c, "WATCHER", policy(rootMayAll)) }, "put-key-policy-denied", "AccessDenied", nil},
		{"a rejected write", func() error { return put(ctx, c, "ALICE", policy(confluentMay)) }, "put-key-policy-malformed", malformed, nil},
		{"a deletion", func() error {
			return errOf(c.KMS("ALICE", region, once).ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(20)}))
		}, "schedule-key-deletion", "", nil},
		{"its end", func() error {
			return errOf(c.KMS("ALICE", region, once).CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: id}))
		}, "cancel-key-deletion", "", nil},
		{"a key enabled", func() error {
			return errOf(c.KMS("ALICE", region, once).EnableKey(ctx, &kms.EnableKeyInput{KeyId: id}))
		}, "enable-key", "", []string{".detail.responseElements"}},
	} {
		before := len(c.Events())
		if err := s.do(); (err == nil) != (s.code == "") {
			t.Fatalf("%s: %v", s.name, err)
		}
		events := c.Events()[before:]
		if len(events) != 1 {
			t.Fatalf("%s made %d events", s.name, len(events))
		}
		sample, err := os.ReadFile(filepath.Join("testdata", "events", s.sample+".json"))
		if err != nil {
			t.Fatal(err)
		}
		drop := append(tls, s.drop...)
		got, want := shapeOf(t, events[0].Data, drop...), shapeOf(t, sample, drop...)
		if !maps.Equal(got, want) {
			t.Errorf("%s: event and sample differ:\n%v\n%v", s.name, got, want)
		}
		if s.code != "" && !strings.Contains(string(events[0].Data), `"errorCode":"`+s.code+`"`) {
			t.Errorf("%s: %s", s.name, events[0].Data)
		}
	}
	if delivered != len(c.Events()) || delivered != 9 {
		t.Errorf("%d of %d events delivered", delivered, len(c.Events()))
	}
	if tick, err := os.ReadFile("testdata/events/scheduled-tick.json"); err != nil || !maps.Equal(shapeOf(t, c.Tick(region)), shapeOf(t, tick)) {
		t.Errorf("the tick is %s, %v", c.Tick(region), err)
	}
}

func TestARefusalAcrossAccountsLeavesNoEventHere(t *testing.T) {
	c := world(t, awstest.Options{})
	if err := put(t.Context(), c, "KAFKA", policy(rootMayAll)); code(err) != "AccessDeniedException" {
		t.Fatal(err)
	}
	if n := len(c.Events()); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestEverySampleIsAnEventAndIsListed(t *testing.T) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	readme, err := os.ReadFile("testdata/events/README.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Version, ID, Account, Region, Source, Time string
			Kind                                       string `json:"detail-type"`
			Resources                                  []string
			Detail                                     map[string]any
		}
		if err := json.Unmarshal(data, &e); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if e.Version != "0" || e.Account != "111122223333" || e.Region == "" || e.Source == "" || e.Kind == "" || e.Detail == nil || e.Resources == nil {
			t.Errorf("%s has no envelope: %+v", f, e)
		}
		if other := ids[e.ID]; other != "" {
			t.Errorf("%s and %s have one ID", f, other)
		}
		ids[e.ID] = f
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); !strings.Contains(string(readme), name) {
			t.Errorf("README does not say where %s comes from", name)
		}
	}
}
