package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

// wholeSnapshot turns `restore: snapshot` on, with signed snapshots, and has a
// person accept what is there.
func (s *story) wholeSnapshot() {
	s.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		s.Fatal(err)
	}
	s.sign = &record.Signing{Public: public, Sign: func(_ context.Context, m []byte) ([]byte, error) { return ed25519.Sign(private, m), nil }}
	s.key.Restore = core.WholeSnapshot
	s.tick() // the unsigned snapshot is not trusted any more
	s.accept()
	s.chat.Forget()
	time.Sleep(time.Minute)
}

func (s *story) accept() {
	s.Helper()
	_, p, err := s.watchdog().Preview(s.Context(), s.key)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.store().Request(s.Context(), s.key, record.Accept{Digest: p.Judgement.Digest, By: "jane"}); err != nil {
		s.Fatal(err)
	}
	s.tick()
}

func (s *story) generation() int {
	s.Helper()
	rec, _, err := s.store().Load(s.Context(), s.key)
	if err != nil || rec.Snapshot == nil {
		s.Fatalf("record %+v, %v", rec, err)
	}
	return rec.Snapshot.Generation
}

const insider = `{"Sid":"insider","Effect":"Allow","Principal":{"AWS":"` + newcomer + `"},"Action":"kms:Decrypt","Resource":"*"}`

func TestTheWholeSnapshotComesBack(t *testing.T) {
	tell(t, policyOf(rootStatement, adminStatement, confluentStatements), func(s *story) {
		s.wholeSnapshot()
		s.put(policyOf(rootStatement, strings.Replace(adminStatement, `"kms:*"`, `"kms:Describe*"`, 1)))
		s.wantAccess(kafka, true)
		s.wantOurs(1)
		if now := s.cloud.Policy(payments); strings.Contains(now, "Describe*") {
			t.Errorf("the other edit stayed:\n%s", now)
		}
		told := s.chat.Told(alert.Restored)
		if !slices.ContainsFunc(told.Facts.Done, func(d core.Difference) bool { return strings.Contains(d.Text, "terraform-ci") }) {
			t.Errorf("what else came back is not told: %+v", told.Facts.Done)
		}
	})
}

func TestAPolicyThatAdmitsSomebodyWaitsForAcceptance(t *testing.T) {
	tell(t, armedPolicy, func(s *story) {
		s.wholeSnapshot()
		before := s.generation()
		s.put(policyOf(rootStatement, confluentStatements, insider))
		s.wantTold(alert.NeedsAcceptance)
		if s.generation() != before {
			t.Error("promoted without acceptance")
		}
		// So breaking Confluent later does not bring the insider back.
		s.put(policyOf(rootStatement))
		s.wantAccess(kafka, true)
		s.wantAccess(newcomer, false)
	})
}

func TestASnapshotThatNobodySignedIsNeverWritten(t *testing.T) {
	for name, forge := range map[string]func(snap *record.Snapshot){
		"an edited policy": func(snap *record.Snapshot) {
			snap.Policy = core.Policy{{Kind: core.KeyPolicy, ID: payments, Text: policyOf(rootStatement, confluentStatements, insider)}}
		},
		"a higher generation":    func(snap *record.Snapshot) { snap.Generation += 7 },
		"another key's snapshot": func(snap *record.Snapshot) { snap.Key = strangers },
		"no signature":           func(snap *record.Snapshot) { snap.Signature = nil },
	} {
		t.Run(name, func(t *testing.T) {
			tell(t, armedPolicy, func(s *story) {
				s.wholeSnapshot()
				object := "prod/records/" + record.Name(s.key) + ".json"
				data, _ := s.s3.Object(bucket, object)
				var rec record.Record
				if err := json.Unmarshal(data, &rec); err != nil {
					t.Fatal(err)
				}
				forge(rec.Snapshot)
				data, _ = json.Marshal(rec)
				s.s3.SetObject(bucket, object, data)
				s.put(policyOf(rootStatement))
				// The kept one, which is signed, is used instead.
				s.wantAccess(kafka, true)
				s.wantAccess(newcomer, false)
				if s.chat.Told(alert.RecordLost).Code == "" {
					t.Errorf("told %q", s.chat.Codes())
				}
			})
		})
	}
}
