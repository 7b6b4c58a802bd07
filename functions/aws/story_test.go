package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/aws/awstest"
	"byokwatch/functions/aws/cloudtrail"
	"byokwatch/functions/aws/kms"
	"byokwatch/functions/aws/s3store"
	"byokwatch/functions/functiontest"
)

// A story plays the whole pipeline in virtual time: the door, the loop, the
// rules, the real SDK clients and the emulators, and everything but the process
// around them.
type story struct {
	*testing.T
	cloud *awstest.Cloud
	s3    *awstest.S3
	key   core.Key
	chat  *functiontest.Chat
	sign  *record.Signing
	seen  int // events delivered so far
	runs  int
}

const (
	watchdogStatement = `{"Sid":"byokwatch","Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":["kms:GetKeyPolicy","kms:DescribeKey","kms:PutKeyPolicy"],"Resource":"*"}`
	adminStatement    = `{"Sid":"admins","Effect":"Allow","Principal":{"AWS":"` + admin + `"},"Action":"kms:*","Resource":"*"}`
	auditor           = "arn:aws:iam::111122223333:role/audit-ro"
	newcomer          = "arn:aws:iam::999988887777:role/newcomer"
)

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

var armedPolicy = policyOf(rootStatement, confluentStatements)

// tell plays a story on an armed key: one whose first snapshot is taken.
func tell(t *testing.T, arm string, play func(s *story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &story{T: t, chat: &functiontest.Chat{}}
		s.cloud = awstest.New(awstest.Options{Organizations: map[string]string{"111122223333": "o-a1b2c3d4e5", "152535741197": "o-confluent0"}})
		s.s3 = awstest.NewS3(s.cloud, awstest.S3Options{}, bucket)
		s.cloud.Create(role, admin, kafka, auditor, newcomer)
		s.cloud.Login(awstest.Caller{AccessKey: "watchdog", Principal: role, Session: "byokwatch"})
		s.cloud.Login(awstest.Caller{AccessKey: "admin", Principal: admin, Session: "gh-run-8812"})
		for who, actions := range map[string]string{
			admin: `"kms:*"`,
			role:  `"kms:GetKeyPolicy","kms:DescribeKey","kms:PutKeyPolicy","kms:EnableKey","s3:GetObject","s3:PutObject","s3:ListBucket"`,
		} {
			if err := s.cloud.Attach(who, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"}]}`); err != nil {
				t.Fatal(err)
			}
		}
		s.key = core.Key{
			ID: payments, Cloud: core.AWS, Label: "payments", Mode: core.Enforce, Restore: core.Patch, KeyState: core.CareAlert,
			Needs: core.Confluent{Roles: []string{kafka}}, Organization: "o-a1b2c3d4e5",
		}
		if err := s.cloud.AddKey(awstest.NewKey{ARN: payments, Policy: arm}); err != nil {
			t.Fatal(err)
		}
		s.tick()
		s.wantTold(alert.FirstSnapshot)
		s.chat.Forget()
		time.Sleep(time.Minute)
		play(s)
	})
}

func (s *story) watchdog() *watchdog.Watchdog {
	s.Helper()
	w, err := watchdog.New(watchdog.Config{
		Cloud: kms.New(s.cloud.KMS("watchdog", region), kms.Options{}), Rules: rules,
		Store: s.store(), Notifiers: []watchdog.Notifier{s.chat},
		Keys: []core.Key{s.key}, Self: role, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Reads: confirmReads, Every: confirmEvery, Settle: settle,
	})
	if err != nil {
		s.Fatal(err)
	}
	return w
}

func (s *story) store() *record.Store {
	client := s.cloud.S3("watchdog", region, func(o *s3.Options) { o.Retryer = retry.NewStandard() })
	return record.NewStore(s3store.New(client, bucket, "prod"), s.sign)
}

// invoke hands one raw event through the door.
func (s *story) invoke(event []byte) error {
	s.runs++
	changes, err := cloudtrail.Decode(event, "111122223333", region, []core.Key{s.key})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	return s.watchdog().Handle(ctx, fmt.Sprintf("run-%d", s.runs), changes...)
}

func (s *story) tick() {
	s.Helper()
	if err := s.invoke(s.cloud.Tick(region)); err != nil {
		s.Fatalf("tick: %v", err)
	}
}

func (s *story) passes(d time.Duration) {
	s.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(5 * time.Minute)
		s.deliver()
		s.tick()
	}
}

// deliver hands over what happened since the last time, our own writes as well.
func (s *story) deliver() {
	s.Helper()
	for events := s.cloud.Events(); s.seen < len(events); s.seen++ {
		if err := s.invoke(events[s.seen].Data); err != nil {
			s.Fatalf("event %s: %v", events[s.seen].Name, err)
		}
		events = s.cloud.Events()
	}
}

// put writes a policy as the owner's pipeline, and delivers the event.
func (s *story) put(policy string) {
	s.Helper()
	s.edit(policy)
	s.deliver()
}

func (s *story) edit(policy string) {
	s.Helper()
	_, err := s.cloud.KMS("admin", region).PutKeyPolicy(s.Context(), &awskms.PutKeyPolicyInput{
		KeyId: aws.String(payments), Policy: &policy, BypassPolicyLockoutSafetyCheck: true,
	})
	if err != nil {
		s.Fatalf("edit: %v", err)
	}
}

// ours counts the policies that the watchdog wrote.
func (s *story) ours() int {
	n := 0
	for _, w := range s.cloud.Writes(payments) {
		if strings.Contains(w.Caller, "/byokwatch") {
			n++
		}
	}
	return n
}

func (s *story) wantOurs(n int) {
	s.Helper()
	if got := s.ours(); got != n {
		s.Errorf("the watchdog wrote %d policies, want %d; now\n%s", got, n, s.cloud.Policy(payments))
	}
}

// wantAccess asks the emulator, which evaluates on its own, not our judge.
func (s *story) wantAccess(who string, want bool) {
	s.Helper()
	for _, action := range []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
		"kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"} {
		if can, why := s.cloud.Can(who, action, payments); can != want {
			s.Errorf("%s may %s: %t (%s), want %t; policy\n%s", who, action, can, why, want, s.cloud.Policy(payments))
			return
		}
	}
}

func (s *story) wantTold(codes ...alert.Code) {
	s.Helper()
	s.chat.WantTold(s, codes...)
}

func TestAccessComesBackHoweverItWasTaken(t *testing.T) {
	narrowed := strings.Replace(confluentStatements, `"kms:GenerateDataKey*"`, `"kms:GenerateDataKey"`, 1)
	swapped := strings.ReplaceAll(confluentStatements, kafka, newcomer)
	audit := `{"Sid":"audit","Effect":"Allow","Principal":{"AWS":"` + auditor + `"},"Action":"kms:GetKeyPolicy","Resource":"*"}`
	for name, edit := range map[string]string{
		"the statements removed":                without,
		"the statements removed, another added": policyOf(rootStatement, audit),
		"a narrowed action list":                policyOf(rootStatement, narrowed),
		"a swapped principal":                   policyOf(rootStatement, swapped),
		"a Deny of everybody outside of the organisation": policyOf(rootStatement, confluentStatements,
			`{"Sid":"perimeter","Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Bool":{"aws:PrincipalIsAWSService":"false"}}}`),
		"the whole policy replaced by the default one": `{"Version":"2012-10-17","Id":"key-default-1","Statement":[` + rootStatement + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, armedPolicy, func(s *story) {
				s.put(edit)
				s.wantAccess(kafka, true)
				s.wantOurs(1)
				s.passes(time.Hour)
				s.wantOurs(1)
				told := s.chat.Codes()
				if told[0] != alert.Restored || told[len(told)-1] != alert.Recovered {
					t.Errorf("told %q", told)
				}
				who := s.chat.Told(alert.Restored).Facts.Who
				if who == nil || who.Actor.ID != admin {
					t.Errorf("named %+v", who)
				}
			})
		})
	}
}

func TestADenyThatIsCarvedStillBindsEveryoneElse(t *testing.T) {
	tell(t, policyOf(rootStatement, confluentStatements, strings.ReplaceAll(confluentStatements, kafka, newcomer)), func(s *story) {
		s.wantAccess(newcomer, true)
		s.put(policyOf(rootStatement, confluentStatements, strings.ReplaceAll(confluentStatements, kafka, newcomer),
			`{"Sid":"perimeter","Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}`))
		s.wantAccess(kafka, true)
		s.wantAccess(newcomer, false)
		s.wantAccess("arn:aws:iam::152535741197:root", false)
	})
}

func TestAConditionNobodyCanDecideIsToldAndNotWritten(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		conditioned := strings.ReplaceAll(confluentStatements, `"Resource":"*"`, `"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`)
		s.put(policyOf(rootStatement, conditioned))
		s.tick()
		s.wantOurs(0)
		s.wantTold(alert.Unclear)
	})
}

func TestTheWatchdogsOwnRightGoesFirst(t *testing.T) {
	tell(t, policyOf(adminStatement, watchdogStatement, confluentStatements), func(s *story) {
		readOnly := strings.Replace(watchdogStatement, `,"kms:PutKeyPolicy"`, "", 1)
		s.put(policyOf(adminStatement, readOnly, confluentStatements))
		s.wantTold(alert.RightsGone)
		if e := alert.Lookup(alert.RightsGone); e.Severity != alert.Critical {
			t.Errorf("severity %s", e.Severity)
		}
		s.put(policyOf(adminStatement, readOnly))
		s.wantTold(alert.RightsGone, alert.LockedOut)
		f := s.chat.Told(alert.LockedOut).Facts
		if len(f.Commands) == 0 || !strings.Contains(strings.Join(f.Commands, "\n"), payments) {
			t.Errorf("commands %q", f.Commands)
		}
		s.wantOurs(0)
		s.put(policyOf(adminStatement, watchdogStatement))
		s.wantAccess(kafka, true)
	})
}

func TestADisabledKey(t *testing.T) {
	disable := func(s *story) {
		_, err := s.cloud.KMS("admin", region).DisableKey(s.Context(), &awskms.DisableKeyInput{KeyId: aws.String(payments)})
		if err != nil {
			s.Fatal(err)
		}
		s.deliver()
	}
	t.Run("pages until it is enabled", func(t *testing.T) {
		tell(t, armedPolicy, func(s *story) {
			disable(s)
			s.wantTold(alert.KeyDisabled)
			s.passes(35 * time.Minute)
			s.wantTold(alert.KeyDisabled, alert.KeyDisabled)
			if s.cloud.State(payments) != string(kmstypes.KeyStateDisabled) {
				t.Error("enabled without being asked")
			}
		})
	})
	t.Run("is enabled where configured", func(t *testing.T) {
		tell(t, armedPolicy, func(s *story) {
			s.key.KeyState = core.CareRestore
			disable(s)
			s.wantAccess(kafka, true)
			s.wantTold(alert.Restored)
			s.wantOurs(0)
		})
	})
}

func TestASnapshotThatHoldsARoleDeletedSince(t *testing.T) {
	withAuditor := `{"Sid":"audit","Effect":"Allow","Principal":{"AWS":["` + auditor + `","` + admin + `"]},"Action":"kms:GetKeyPolicy","Resource":"*"}`
	tell(t, policyOf(rootStatement, withAuditor, confluentStatements), func(s *story) {
		s.cloud.Delete(auditor)
		s.put(policyOf(rootStatement))
		s.wantAccess(kafka, true)
		s.wantOurs(1)
	})
	t.Run("and live holds it still", func(t *testing.T) {
		tell(t, policyOf(rootStatement, withAuditor, confluentStatements), func(s *story) {
			s.edit(policyOf(rootStatement, withAuditor))
			s.cloud.Delete(auditor)
			s.deliver()
			s.wantAccess(kafka, true)
			s.wantOurs(1)
		})
	})
}

func TestADenyThatNamesOnlyConfluent(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.put(policyOf(rootStatement, confluentStatements, `{"Effect":"Deny","Principal":{"AWS":"`+kafka+`"},"Action":"kms:*","Resource":"*"}`))
		s.wantTold(alert.OnlyConfluent)
		s.passes(25 * time.Minute)
		s.wantOurs(0)
		s.passes(10 * time.Minute)
		s.wantOurs(1)
		s.wantAccess(kafka, true)
	})
}

func TestARevocationWhoseMarkerAPipelineOverwrites(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.put(policyOf(rootStatement, `{"Sid":"ByokwatchRevoked SEC 812","Effect":"Deny","Principal":{"AWS":"`+kafka+`"},"Action":"kms:*","Resource":"*"}`))
		s.put(without)
		s.passes(2 * time.Hour)
		s.wantOurs(0)
		s.wantTold(alert.Revoked, alert.MarkerGone)
	})
}

func TestAFixBetweenOurTwoReadsStays(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		fix := policyOf(rootStatement, confluentStatements, adminStatement)
		s.edit(without)
		// The first read sees the loss; the fix lands before the second.
		s.cloud.Inject(chaostest.Fault{Op: "GetKeyPolicy", Kind: chaostest.Stale})
		s.edit(fix)
		s.deliver()
		s.wantOurs(0)
		if !strings.Contains(s.cloud.Policy(payments), "admins") {
			t.Errorf("the fix is gone:\n%s", s.cloud.Policy(payments))
		}
	})
}

func TestThrottlingDoesNotKeepConfluentOut(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.cloud.Inject(chaostest.Fault{Op: "PutKeyPolicy", Kind: chaostest.Throttle, Times: 12})
		s.cloud.Inject(chaostest.Fault{Op: "GetKeyPolicy", Kind: chaostest.Throttle, Times: 3})
		s.edit0(without)
		s.deliver()
		s.wantAccess(kafka, true)
		s.wantOurs(1)
	})
}

// edit0 is an edit that no fault meets.
func (s *story) edit0(policy string) {
	s.Helper()
	client := s.cloud.KMS("admin", region)
	for range 20 {
		_, err := client.PutKeyPolicy(s.Context(), &awskms.PutKeyPolicyInput{KeyId: aws.String(payments), Policy: &policy})
		if err == nil {
			return
		}
		var throttled *kmstypes.LimitExceededException
		if errors.As(err, &throttled) {
			s.Fatal(err)
		}
	}
	s.Fatal("the edit was never let through")
}

func TestNothingIsWrittenForTheseEither(t *testing.T) {
	t.Run("a forged event", func(t *testing.T) {
		tell(t, armedPolicy, func(s *story) {
			s.edit(without)
			s.edit(armedPolicy)
			if err := s.invoke(s.cloud.Events()[0].Data); err != nil {
				t.Fatal(err)
			}
			s.wantOurs(0)
		})
	})
	t.Run("a role added to the configuration", func(t *testing.T) {
		tell(t, armedPolicy, func(s *story) {
			s.key.Needs.Roles = append(s.key.Needs.Roles, newcomer)
			s.tick()
			s.wantOurs(0)
			s.wantTold(alert.NeverHad)
			if f := s.chat.Told(alert.NeverHad).Facts.Fragment; !strings.Contains(f, newcomer) || strings.Contains(f, kafka) {
				t.Errorf("fragment %s", f)
			}
		})
	})
	t.Run("mode observe", func(t *testing.T) {
		tell(t, armedPolicy, func(s *story) {
			s.key.Mode = core.Observe
			s.put(without)
			s.wantOurs(0)
			if s.chat.Told(alert.Observed).Code == "" {
				t.Errorf("told %q", s.chat.Codes())
			}
		})
	})
	t.Run("an event for an unprotected key", func(t *testing.T) {
		tell(t, armedPolicy, func(s *story) {
			s.edit(without)
			event := []byte(strings.ReplaceAll(string(s.cloud.Events()[0].Data), "1234abcd-12ab-34cd-56ef-1234567890ab", "eeeeeeee-12ab-34cd-56ef-1234567890ab"))
			before := len(s.cloud.Actions())
			if err := s.invoke(event); err != nil {
				t.Fatal(err)
			}
			if used := s.cloud.Actions()[before:]; len(used) != 0 {
				t.Errorf("calls %v", used)
			}
		})
	})
}

func TestAnAcceptedConditionThatIsRemovedComesBackAsItWas(t *testing.T) {
	// The condition that the AWS console writes for external accounts.
	// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
	use, grants, _ := strings.Cut(confluentStatements, ",\n\t {")
	grants = `{` + strings.Replace(grants, `"Resource":"*"`, `"Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}`, 1)
	conditioned := policyOf(rootStatement, use, grants)
	tell(t, armedPolicy, func(s *story) {
		s.put(conditioned)
		_, p, err := s.watchdog().Preview(s.Context(), s.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.store().Request(s.Context(), s.key, record.Accept{Digest: p.Judgement.Digest, By: "jane"}); err != nil {
			t.Fatal(err)
		}
		s.tick()
		s.put(policyOf(rootStatement, use))
		s.wantOurs(1)
		if !strings.Contains(s.cloud.Policy(payments), "GrantIsForAWSResource") {
			t.Errorf("policy\n%s", s.cloud.Policy(payments))
		}
	})
}
