package main

import (
	"byokwatch/core/watchdog"
	"byokwatch/functions/aws/kms"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/functions/aws/s3store"
	"byokwatch/functions/functiontest"
)

func (s *story) disable() {
	s.Helper()
	if _, err := s.cloud.KMS("admin", region).DisableKey(s.Context(), &awskms.DisableKeyInput{KeyId: aws.String(payments)}); err != nil {
		s.Fatal(err)
	}
}

// Policy and state are repaired in one restore; our own PutKeyPolicy event shows the policy only.
func TestARestoreOfPolicyAndStateIsOurs(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.key.KeyState = core.CareRestore
		s.edit(without)
		s.disable()
		s.deliver()
		s.wantAccess(kafka, true)
		s.passes(time.Hour)
		t.Log(s.chat.Codes())
		if slices.Contains(s.chat.Codes(), alert.RoleMisused) {
			t.Errorf("told %q; our own write is called a misuse", s.chat.Codes())
		}
	})
}

func TestTheSecondStepDenied(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.key.KeyState = core.CareRestore
		if err := s.cloud.Attach(role, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:EnableKey","Resource":"*"}]}`); err != nil {
			t.Fatal(err)
		}
		s.edit(without)
		s.disable()
		s.deliver()
		t.Log(s.chat.Codes(), s.ours())
		s.passes(time.Hour)
		t.Log(s.chat.Codes(), s.ours())
		if slices.Contains(s.chat.Codes(), alert.RoleMisused) {
			t.Errorf("told %q; our own write is called a misuse", s.chat.Codes())
		}
	})
}

// How large does a record get while the chat is down for a week?
func TestRecordSizeInALongChatOutage(t *testing.T) {
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf(`{"Sid":"%s%d","Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Bool":{"aws:PrincipalIsAWSService":"false"}}}`, strings.Repeat("x", 200), i))
	}
	hostile := policyOf(append([]string{rootStatement}, many...)...)
	if len(hostile) > 32<<10 {
		t.Fatal(len(hostile))
	}
	tell(t, armedPolicy, func(s *story) {
		s.key.Mode = core.Observe
		s.edit(hostile)
		s.deliver()
		objects := s3store.New(s.cloud.S3("watchdog", region), bucket, "prod")
		rec, _, err := record.NewStore(objects, nil).Load(s.Context(), s.key)
		if err != nil {
			t.Fatal(err)
		}
		obj, err := objects.Get(s.Context(), "records/"+record.Name(s.key)+".json")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := jsonSize(s.chat.Got()[len(s.chat.Got())-1])
		t.Logf("record %d bytes, outbox %d; one %s alert %d bytes", len(obj.Data), len(rec.Outbox), s.chat.Got()[len(s.chat.Got())-1].Code, b)
		t.Logf("after a week of reminders: %d MB", b*336>>20)
	})
}

func jsonSize(v any) (int, error) {
	b, err := stdjson.Marshal(v)
	return len(b), err
}

type downChat struct{ functiontest.Chat }

func (c *downChat) Send(context.Context, alert.Alert) error { return errors.New("down") }

func TestALongChatOutageKeepsTheRecordWritable(t *testing.T) {
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf(`{"Sid":"%s%d","Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Bool":{"aws:PrincipalIsAWSService":"false"}}}`, strings.Repeat("x", 200), i))
	}
	tell(t, armedPolicy, func(s *story) {
		s.key.Mode = core.Observe
		s.edit(policyOf(append([]string{rootStatement}, many...)...))
		down := &downChat{}
		objects := s3store.New(s.cloud.S3("watchdog", region), bucket, "prod")
		for i := range 90 {
			w, err := watchdog.New(watchdog.Config{
				Cloud: kms.New(s.cloud.KMS("watchdog", region), kms.Options{}), Rules: rules,
				Store: record.NewStore(objects, nil), Notifiers: []watchdog.Notifier{down},
				Keys: []core.Key{s.key}, Self: role, Now: time.Now, Log: slog.New(slog.DiscardHandler),
				Reads: confirmReads, Every: confirmEvery, Settle: settle,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
			err = w.Handle(ctx, fmt.Sprint("r", i), w.Sweep("t", time.Now())...)
			cancel()
			if err != nil {
				t.Fatalf("after %d half-hours: %v", i, err)
			}
			time.Sleep(30 * time.Minute)
		}
	})
}
