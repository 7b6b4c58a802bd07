package awstest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"byokwatch/functions/aws/awstest"
)

const (
	region  = "us-west-2"
	keyARN  = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	root    = "arn:aws:iam::111122223333:root"
	admin   = "arn:aws:iam::111122223333:role/ops/admin"
	watcher = "arn:aws:iam::111122223333:role/byokwatch"
	alice   = "arn:aws:iam::111122223333:user/alice"
	kafka   = "arn:aws:iam::152535741197:role/cc-kafka-d45e6381-b878-11ed-bdff-028e28f108bd"
	storage = "arn:aws:iam::211738459620:role/block_storage_manager"
)

func statement(effect, principal, action, more string) string {
	return fmt.Sprintf(`{"Effect":%q,"Principal":{"AWS":%s},"Action":%s,"Resource":"*"%s}`, effect, principal, action, more)
}

func policy(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

var (
	rootMayAll   = statement("Allow", `"`+root+`"`, `"kms:*"`, "")
	watcherMay   = statement("Allow", `"`+watcher+`"`, `["kms:GetKeyPolicy","kms:PutKeyPolicy","kms:DescribeKey"]`, "")
	confluentMay = statement("Allow", `["`+kafka+`","`+storage+`"]`, `["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey","kms:CreateGrant"]`, "")
)

// world is one account with a healthy key and everybody logged in.
func world(t *testing.T, o awstest.Options) *awstest.Cloud {
	t.Helper()
	c := awstest.New(o)
	c.Create(admin, watcher, alice, kafka, storage)
	for key, who := range map[string]string{"ROOT": root, "ADMIN": admin, "WATCHER": watcher, "ALICE": alice, "KAFKA": kafka} {
		c.Login(awstest.Caller{AccessKey: key, Principal: who})
	}
	for who, doc := range map[string]string{
		admin: `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`,
		kafka: `{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`,
	} {
		if err := c.Attach(who, doc); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.AddKey(awstest.NewKey{ARN: keyARN, Policy: policy(rootMayAll, watcherMay, confluentMay)}); err != nil {
		t.Fatal(err)
	}
	return c
}

func once(o *kms.Options) { o.Retryer = aws.NopRetryer{} }

func put(ctx context.Context, c *awstest.Cloud, who, text string) error {
	_, err := c.KMS(who, region, once).PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(keyARN), PolicyName: aws.String("default"), Policy: &text})
	return err
}

func get(t *testing.T, c *awstest.Cloud, who string) string {
	t.Helper()
	out, err := c.KMS(who, region, once).GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(keyARN)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Policy
}

func code(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

const malformed = "MalformedPolicyDocumentException"

func TestPutKeyPolicyTakesOnlyWhatKMSTakes(t *testing.T) {
	gone := "arn:aws:iam::111122223333:role/gone"
	deny := func(principal, more string) string { return statement("Deny", principal, `"kms:*"`, more) }
	for name, c := range map[string]struct {
		opts        awstest.Options
		who, policy string
		code        string
		message     string // part of
	}{
		"a plain policy is taken":                                  {policy: policy(rootMayAll, confluentMay)},
		"one statement may stand without a list":                   {policy: `{"Version":"2012-10-17","Statement":` + rootMayAll + `}`},
		"an account may be named by its number":                    {policy: policy(rootMayAll, statement("Allow", `"152535741197"`, `"kms:Decrypt"`, ""))},
		"a session of a role that exists is a principal":           {policy: policy(rootMayAll, statement("Allow", `"arn:aws:sts::111122223333:assumed-role/admin/me"`, `"kms:Decrypt"`, ""))},
		"a service is a principal":                                 {policy: policy(rootMayAll, `{"Effect":"Allow","Principal":{"Service":"logs.us-west-2.amazonaws.com"},"Action":"kms:Decrypt","Resource":"*"}`)},
		"everybody is a principal":                                 {policy: policy(rootMayAll, `{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*"}`)},
		"everybody in short form may be refused":                   {opts: awstest.Options{RefuseBareStar: true}, policy: policy(rootMayAll, `{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*"}`), code: malformed},
		"a role that does not exist is an invalid principal":       {policy: policy(rootMayAll, statement("Allow", `"`+gone+`"`, `"kms:Decrypt"`, "")), code: malformed, message: "Policy contains a statement with one or more invalid principals"},
		"the unique ID of a role is an invalid principal":          {policy: policy(rootMayAll, statement("Allow", `"AROADBQP57FF2AEXAMPLE"`, `"kms:Decrypt"`, "")), code: malformed, message: "invalid principals"},
		"a dead principal in a Deny is as invalid":                 {policy: policy(rootMayAll, deny(`"`+gone+`"`, "")), code: malformed, message: "invalid principals"},
		"a dead principal in a NotPrincipal is as invalid":         {policy: policy(rootMayAll, `{"Effect":"Deny","NotPrincipal":{"AWS":["`+root+`","`+gone+`"]},"Action":"kms:Decrypt","Resource":"*"}`), code: malformed, message: "invalid principals"},
		"one dead principal among live ones spoils the whole":      {policy: policy(rootMayAll, statement("Allow", `["`+kafka+`","`+gone+`"]`, `"kms:Decrypt"`, "")), code: malformed, message: "invalid principals"},
		"an account that nobody opened is an invalid principal":    {policy: policy(rootMayAll, statement("Allow", `"999999999999"`, `"kms:Decrypt"`, "")), code: malformed, message: "invalid principals"},
		"a group is no principal":                                  {policy: policy(rootMayAll, statement("Allow", `"arn:aws:iam::111122223333:group/ops"`, `"kms:Decrypt"`, "")), code: malformed, message: "invalid principals"},
		"a wildcard in a principal is no principal":                {policy: policy(rootMayAll, statement("Allow", `"arn:aws:iam::152535741197:role/*"`, `"kms:Decrypt"`, "")), code: malformed, message: "invalid principals"},
		"an empty list of principals is refused":                   {policy: policy(rootMayAll, statement("Allow", `[]`, `"kms:Decrypt"`, "")), code: malformed},
		"a statement without an action is refused":                 {policy: policy(rootMayAll, `{"Effect":"Allow","Principal":{"AWS":"`+kafka+`"},"Resource":"*"}`), code: malformed, message: "Action"},
		"a statement without a resource is refused":                {policy: policy(rootMayAll, `{"Effect":"Allow","Principal":{"AWS":"`+kafka+`"},"Action":"kms:Decrypt"}`), code: malformed, message: "Resource"},
		"a statement without a principal is refused":               {policy: policy(rootMayAll, `{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}`), code: malformed, message: "Principal"},
		"the key's own ARN is no resource":                         {policy: policy(rootMayAll, `{"Effect":"Allow","Principal":{"AWS":"`+kafka+`"},"Action":"kms:Decrypt","Resource":"`+keyARN+`"}`), code: malformed, message: "Resource"},
		"the key's own ARN is a resource where that is opted for":  {opts: awstest.Options{OwnARN: true}, policy: policy(rootMayAll, `{"Effect":"Allow","Principal":{"AWS":"`+kafka+`"},"Action":"kms:Decrypt","Resource":"`+keyARN+`"}`)},
		"an action of another service is refused":                  {policy: policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"s3:GetObject"`, "")), code: malformed},
		"an unknown condition operator is refused":                 {policy: policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Condition":{"StringIs":{"aws:x":"y"}}`)), code: malformed},
		"an unknown member is refused":                             {policy: policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Comment":"x"`)), code: malformed},
		"a miscased member is refused":                             {policy: policy(rootMayAll, `{"effect":"Allow","Principal":{"AWS":"`+kafka+`"},"Action":"kms:Decrypt","Resource":"*"}`), code: malformed},
		"a duplicate member is refused":                            {policy: policy(rootMayAll, `{"Effect":"Deny",`+confluentMay[1:]), code: malformed},
		"what is not JSON is refused":                              {policy: `{"Version":"2012-10-17",`, code: malformed},
		"a policy without statements is refused":                   {policy: policy(), code: malformed},
		"an unknown version is refused":                            {policy: `{"Version":"2026-01-01","Statement":[` + rootMayAll + `]}`, code: malformed},
		"a policy of 32,768 bytes is taken":                        {policy: pad(policy(rootMayAll), 32768)},
		"a longer one is over the limit":                           {policy: pad(policy(rootMayAll), 32769), code: "LimitExceededException"},
		"Latin-1 is taken":                                         {policy: policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Sid":"Schlüssel für Kafka"`))},
		"what is beyond Latin-1 is no parameter at all":            {policy: policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Sid":"鍵"`)), code: "ValidationException"},
		"a writer that the new policy does not allow is stopped":   {policy: policy(confluentMay), code: malformed, message: "The new key policy will not allow you to update the key policy in the future"},
		"a writer that the new policy denies is stopped":           {policy: policy(rootMayAll, deny(`"`+admin+`"`, "")), code: malformed, message: "will not allow you to update"},
		"a Deny of the writer's account stops the writer":          {policy: policy(rootMayAll, deny(`"111122223333"`, "")), code: malformed, message: "will not allow you to update"},
		"a NotPrincipal that spares others stops the writer":       {policy: policy(rootMayAll, `{"Effect":"Deny","NotPrincipal":{"AWS":"`+alice+`"},"Action":"kms:Put*","Resource":"*"}`), code: malformed, message: "will not allow you to update"},
		"a condition that spares the writer does not":              {policy: policy(rootMayAll, deny(`"*"`, `,"Condition":{"ArnNotEquals":{"aws:PrincipalArn":"`+admin+`"}}`))},
		"the check is about the caller, not about anybody":         {who: "WATCHER", policy: policy(statement("Allow", `"`+admin+`"`, `"kms:*"`, "")), code: malformed, message: "will not allow you to update"},
		"a statement for the writer alone is enough for the check": {who: "WATCHER", policy: policy(watcherMay)},
		"somebody without the right is refused first":              {who: "ALICE", policy: `not JSON`, code: "AccessDeniedException", message: "is not authorized to perform: kms:PutKeyPolicy on resource: " + keyARN},
		"another account may not write, whatever the policy says":  {who: "KAFKA", policy: policy(rootMayAll), code: "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := world(t, c.opts)
			if c.who == "" {
				c.who = "ADMIN"
			}
			before := cloud.Policy(keyARN)
			err := put(t.Context(), cloud, c.who, c.policy)
			if code(err) != c.code || (err != nil && !strings.Contains(err.Error(), c.message)) {
				t.Errorf("got %v, want %s %q", err, c.code, c.message)
			}
			if changed := before != cloud.Policy(keyARN); changed != (c.code == "") {
				t.Errorf("policy changed: %v, after %v", changed, err)
			}
			if writes := cloud.Writes(keyARN); len(writes) != 0 == (c.code != "") {
				t.Errorf("%d writes on record after %v", len(writes), err)
			}
		})
	}
}

func pad(policy string, size int) string {
	return strings.Replace(policy, "{", "{"+strings.Repeat(" ", size-len(policy)), 1)
}

func TestAnotherAccountUsesAKeyAndDoesNotManageIt(t *testing.T) {
	c := world(t, awstest.Options{})
	if err := put(t.Context(), c, "ADMIN", policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:*"`, ""))); err != nil {
		t.Fatal(err)
	}
	theirs := c.KMS("KAFKA", region, once)
	if _, err := theirs.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(keyARN)}); err != nil {
		t.Errorf("describe: %v", err)
	}
	if err := put(t.Context(), c, "KAFKA", policy(rootMayAll)); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "across accounts") {
		t.Errorf("write: %v", err)
	}
}

func TestBypassSkipsTheLockoutCheckAndIsOnRecord(t *testing.T) {
	c := world(t, awstest.Options{})
	in := &kms.PutKeyPolicyInput{KeyId: aws.String(keyARN), Policy: aws.String(policy(confluentMay)), BypassPolicyLockoutSafetyCheck: true}
	if _, err := c.KMS("ADMIN", region, once).PutKeyPolicy(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), c, "ADMIN", policy(rootMayAll)); code(err) != "AccessDeniedException" {
		t.Errorf("the writer who locked himself out writes again: %v", err)
	}
	used := c.Actions()
	if len(used) != 2 || used[0].Context["kms:BypassPolicyLockoutSafetyCheck"] != "true" || used[1].Context["kms:BypassPolicyLockoutSafetyCheck"] != "false" ||
		used[0].Caller != admin || used[0].Name != "kms:PutKeyPolicy" || used[0].Resource != keyARN || !used[0].Allowed || used[1].Allowed {
		t.Errorf("on record: %+v", used)
	}
}

func TestAPolicyIsReadBackInAnotherForm(t *testing.T) {
	c := world(t, awstest.Options{Seed: 7})
	in := `{"Version":"2012-10-17","Id":"x","Statement":[` + rootMayAll + `,{"Action":["kms:Decrypt"],"Resource":["*"],"Principal":{"AWS":["152535741197","` + kafka + `","` + storage + `"]},"Effect":"Allow","Condition":{"Bool":{"kms:GrantIsForAWSResource":true}}}]}`
	if err := put(t.Context(), c, "ADMIN", in); err != nil {
		t.Fatal(err)
	}
	orders := map[string]bool{}
	for range 40 {
		text := get(t, c, "ADMIN")
		orders[text] = true
		if !strings.HasPrefix(text, "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"x\",\n  \"Statement\" : [ {\n    \"Effect\" : \"Allow\"") {
			t.Fatalf("layout:\n%s", text)
		}
		for _, part := range []string{`"Action" : "kms:Decrypt"`, `"arn:aws:iam::152535741197:root"`, `"kms:GrantIsForAWSResource" : "true"`, `"` + kafka + `"`} {
			if !strings.Contains(text, part) {
				t.Fatalf("no %s in\n%s", part, text)
			}
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("not JSON:\n%s", text)
		}
		if err := put(t.Context(), world(t, awstest.Options{}), "ADMIN", text); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
	}
	if len(orders) < 3 {
		t.Errorf("%d orders of three principals in 40 reads", len(orders))
	}
}

func TestADeletedRoleIsAnIDForGood(t *testing.T) {
	c := world(t, awstest.Options{})
	may := func() bool { ok, _ := c.Can(kafka, "kms:Decrypt", keyARN); return ok }
	if !may() {
		t.Fatal("Confluent's role has no access to begin with")
	}
	c.Delete(kafka)
	text := get(t, c, "ADMIN")
	if strings.Contains(text, kafka) || !strings.Contains(text, `"AROA`) || !strings.Contains(text, storage) {
		t.Errorf("after the role was deleted:\n%s", text)
	}
	if err := put(t.Context(), c, "ADMIN", text); code(err) != malformed || !strings.Contains(err.Error(), "invalid principals") {
		t.Errorf("the policy as read is taken back: %v", err)
	}
	c.Create(kafka)
	if strings.Contains(get(t, c, "ADMIN"), kafka) || may() {
		t.Error("a new role of that name took the old one's place")
	}
	if err := put(t.Context(), c, "ADMIN", policy(rootMayAll, confluentMay)); err != nil || !may() {
		t.Errorf("named anew: %v, access %v", err, may())
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	deny := func(more string) string { return statement("Deny", `"*"`, `"kms:Decrypt"`, more) }
	for name, c := range map[string]struct {
		policy string
		want   map[string]bool
	}{
		"the account's statement delegates to identity policies":  {policy(rootMayAll), map[string]bool{admin: true, watcher: false, alice: false, root: true, kafka: false}},
		"a name is enough within the account":                     {policy(rootMayAll, statement("Allow", `"`+alice+`"`, `"kms:decrypt"`, "")), map[string]bool{alice: true, watcher: false}},
		"a name is needed from outside":                           {policy(rootMayAll, confluentMay), map[string]bool{kafka: true, storage: true}},
		"an account's number lets its roles in":                   {policy(rootMayAll, statement("Allow", `"152535741197"`, `"kms:Decrypt"`, "")), map[string]bool{kafka: true, storage: false}},
		"a Deny beats every Allow":                                {policy(rootMayAll, confluentMay, deny("")), map[string]bool{kafka: false, admin: false, root: false}},
		"a Deny of foreign organisations hits those without one":  {policy(rootMayAll, confluentMay, deny(`,"Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}`)), map[string]bool{kafka: false}},
		"a Deny on a key that is absent needs IfExists to matter": {policy(rootMayAll, confluentMay, deny(`,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-x"}}`)), map[string]bool{kafka: true}},
		"a Deny by ARN pattern spares who matches":                {policy(rootMayAll, confluentMay, deny(`,"Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::152535741197:role/cc-*"}}`)), map[string]bool{kafka: true, storage: false}},
		"GenerateDataKey without the star is not Decrypt":         {policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:GenerateDataKey"`, "")), map[string]bool{kafka: false}},
		"a NotAction reaches everything else":                     {policy(rootMayAll, confluentMay, `{"Effect":"Deny","Principal":{"AWS":"`+kafka+`"},"NotAction":"kms:Encrypt","Resource":"*"}`), map[string]bool{kafka: false, storage: true}},
		"an Allow until a date that has passed is none":           {policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Condition":{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`)), map[string]bool{kafka: false}},
		"ForAllValues is true of nothing, ForAnyValue is not":     {policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"x"}}`), statement("Allow", `"`+storage+`"`, `"kms:Decrypt"`, `,"Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"x"}}`)), map[string]bool{kafka: true, storage: false}},
		"ForAnyValue is false of nothing, negated or not":         {policy(rootMayAll, statement("Allow", `"`+kafka+`"`, `"kms:Decrypt"`, `,"Condition":{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"x"}}`)), map[string]bool{kafka: false}},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := world(t, awstest.Options{})
			if err := put(t.Context(), cloud, "ADMIN", c.policy); err != nil {
				t.Fatal(err)
			}
			for who, want := range c.want {
				if got, why := cloud.Can(who, "kms:Decrypt", keyARN); got != want {
					t.Errorf("%s: %v (%s), want %v", who, got, why, want)
				}
			}
		})
	}
}

func TestAKeysStateDecidesWhatItAllows(t *testing.T) {
	ctx := t.Context()
	c := world(t, awstest.Options{NoQuotas: true})
	k := c.KMS("ADMIN", region, once)
	id := aws.String(keyARN)
	state := func() string {
		out, err := k.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s enabled=%v", out.KeyMetadata.KeyState, out.KeyMetadata.Enabled)
	}
	steps := []struct {
		name  string
		do    func() error
		code  string
		after string
	}{
		{"disable", func() error { _, err := k.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id}); return err }, "", "Disabled enabled=false"},
		{"the policy of a disabled key can be written", func() error { return put(ctx, c, "ADMIN", policy(rootMayAll, confluentMay)) }, "", "Disabled enabled=false"},
		{"cancel what is not pending", func() error { _, err := k.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: id}); return err }, "KMSInvalidStateException", "Disabled enabled=false"},
		{"schedule in too few days", func() error {
			_, err := k.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(6)})
			return err
		}, "ValidationException", "Disabled enabled=false"},
		{"schedule", func() error {
			_, err := k.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id})
			return err
		}, "", "PendingDeletion enabled=false"},
		{"the policy of a pending key can be written", func() error { return put(ctx, c, "ADMIN", policy(rootMayAll, confluentMay)) }, "", "PendingDeletion enabled=false"},
		{"enable a pending key", func() error { _, err := k.EnableKey(ctx, &kms.EnableKeyInput{KeyId: id}); return err }, "KMSInvalidStateException", "PendingDeletion enabled=false"},
		{"cancel", func() error { _, err := k.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: id}); return err }, "", "Disabled enabled=false"},
		{"enable", func() error { _, err := k.EnableKey(ctx, &kms.EnableKeyInput{KeyId: id}); return err }, "", "Enabled enabled=true"},
		{"enable again", func() error { _, err := k.EnableKey(ctx, &kms.EnableKeyInput{KeyId: id}); return err }, "", "Enabled enabled=true"},
	}
	for _, s := range steps {
		if err := s.do(); code(err) != s.code {
			t.Errorf("%s: %v, want %s", s.name, err, s.code)
		}
		if got := state(); got != s.after {
			t.Errorf("after %s: %s, want %s", s.name, got, s.after)
		}
		may, _ := c.Can(kafka, "kms:Decrypt", keyARN)
		if may != strings.HasPrefix(s.after, "Enabled") {
			t.Errorf("after %s Confluent's access is %v", s.name, may)
		}
	}
}

func TestAScheduledDeletionHappens(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	c := world(t, awstest.Options{Now: func() time.Time { return now }})
	k := c.KMS("ADMIN", region, once)
	// The SDK signs by the wall clock, the emulator lives in its own time.
	if _, err := k.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(keyARN)}); code(err) != "InvalidSignatureException" {
		t.Fatalf("a request from another time: %v", err)
	}
	now = time.Now()
	if _, err := k.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: aws.String(keyARN), PendingWindowInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	if c.State(keyARN) != awstest.PendingDeletion {
		t.Errorf("state %s", c.State(keyARN))
	}
	now = now.AddDate(0, 0, 7)
	if c.State(keyARN) != "" {
		t.Errorf("after the window: %s", c.State(keyARN))
	}
}

func TestNamesOfKeys(t *testing.T) {
	c := world(t, awstest.Options{})
	for name, want := range map[string]struct{ id, code string }{
		"an ARN":                     {keyARN, ""},
		"a bare ID":                  {"1234abcd-12ab-34cd-56ef-1234567890ab", ""},
		"an ID that nobody has":      {"ffffffff-12ab-34cd-56ef-1234567890ab", "NotFoundException"},
		"an ARN of another Region":   {strings.Replace(keyARN, "us-west-2", "us-east-1", 1), "NotFoundException"},
		"an ARN of another account":  {strings.Replace(keyARN, "111122223333", "444455556666", 1), "AccessDeniedException"},
		"an alias":                   {"alias/kafka", "NotFoundException"},
		"an ARN of something else":   {"arn:aws:kms:us-west-2:111122223333:alias/kafka", "InvalidArnException"},
		"something else altogether":  {"payments", "NotFoundException"},
		"an ARN with the ID cut off": {keyARN[:len(keyARN)-1], "InvalidArnException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.KMS("ADMIN", region, once).GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(want.id)})
			if code(err) != want.code {
				t.Errorf("%v, want %s", err, want.code)
			}
		})
	}
}

func TestASigningKeySignsForItsPublicKey(t *testing.T) {
	c := world(t, awstest.Options{})
	made, err := c.KMS("ADMIN", region).CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	k := c.KMS("ADMIN", region, once)
	pub, err := k.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: made.KeyMetadata.Arn})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(pub.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("snapshot 7")
	digest := sha256.Sum256(message)
	for kind, body := range map[types.MessageType][]byte{types.MessageTypeRaw: message, types.MessageTypeDigest: digest[:]} {
		out, err := k.Sign(t.Context(), &kms.SignInput{KeyId: made.KeyMetadata.Arn, Message: body, MessageType: kind, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
		if err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(parsed.(*ecdsa.PublicKey), digest[:], out.Signature) {
			t.Errorf("signature over %s does not hold", kind)
		}
	}
	for name, in := range map[string]*kms.SignInput{
		"a message over 4,096 bytes": {KeyId: made.KeyMetadata.Arn, Message: make([]byte, 4097), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256},
		"a digest of another length": {KeyId: made.KeyMetadata.Arn, Message: message, MessageType: types.MessageTypeDigest, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256},
		"another algorithm":          {KeyId: made.KeyMetadata.Arn, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha512},
	} {
		if _, err := k.Sign(t.Context(), in); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Sign(t.Context(), &kms.SignInput{KeyId: aws.String(keyARN), Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256}); code(err) != "InvalidKeyUsageException" {
		t.Errorf("sign with a symmetric key: %v", err)
	}
}
