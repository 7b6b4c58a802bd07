package record_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
)

var (
	payments = core.Key{Cloud: core.AWS, ID: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
	orders   = core.Key{Cloud: core.AWS, ID: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
	noon     = time.Date(2026, 8, 1, 12, 0, 0, 123456789, time.UTC)
)

func memory() *storetest.Memory { return storetest.NewMemory(func() time.Time { return noon }) }

const paymentsRecord = "records/aws/1234abcd-12ab-34cd-56ef-1234567890ab-d5c7a25e714913d9.json"

// snapshot is one that is not yet sealed.
func snapshot(k core.Key, generation int) record.Snapshot {
	return record.Snapshot{
		Key: k.ID, Generation: generation, At: noon.Add(time.Duration(generation) * time.Hour),
		Digest: digest('a'), Previous: digest('b'),
		Policy: core.Policy{{Kind: core.KeyPolicy, ID: k.ID, Text: `{"Version":"2012-10-17","Statement":[ ]}`}, {Kind: core.KeyMetadata, ID: k.ID, Unreadable: "AccessDeniedException"}},
		Cause:  core.Change{Key: k.ID, Kind: core.PolicyChange, EventID: "e-1", At: noon, Op: "PutKeyPolicy", Actor: core.Actor{Name: "<alice>\u202e & \"bob\" 💥"}},
	}
}

func digest(c byte) core.Digest { return core.Digest("sha256:" + strings.Repeat(string(c), 64)) }

func TestNameComesFromTheKeysOwnIDAlone(t *testing.T) {
	for id, want := range map[string]string{
		payments.ID: strings.TrimSuffix(strings.TrimPrefix(paymentsRecord, "records/"), ".json"),
		"/subscriptions/1/resourcegroups/r/providers/microsoft.keyvault/vaults/v/keys/kafka": "aws/kafka-",
		"projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/Pay_ments.v2":            "aws/pay-ments-v2-",
		"no slash at all":              "aws/no-slash-at-all-",
		"ends/with/":                   "aws/key-",
		"x/" + strings.Repeat("y", 99): "aws/" + strings.Repeat("y", 64) + "-",
		"x/../../etc":                  "aws/etc-",
		"x/é\x00\n":                    "aws/key-",
	} {
		k := core.Key{Cloud: core.AWS, ID: id, Label: "someone's label"}
		got := record.Name(k)
		if !strings.HasPrefix(got, want) || record.CheckName(got) != nil {
			t.Errorf("name of %q is %q, want %q", id, got, want)
		}
		k.Label = "another"
		if again := record.Name(k); again != got {
			t.Errorf("the label moves a key from %q to %q", got, again)
		}
	}
	if record.Name(payments) == record.Name(orders) {
		t.Error("replicas in two Regions, which share their key ID, share a name")
	}
}

func TestNeverSeen(t *testing.T) {
	rec, version, err := record.NewStore(memory(), nil).Load(t.Context(), payments)
	if err != nil || version != "" || !cmp.Equal(rec, record.Record{Format: record.Format, Key: payments.ID}) {
		t.Errorf("%+v, version %q, %v", rec, version, err)
	}
}

// full is a record in which every part has something.
func full(t *testing.T, s *record.Store) record.Record {
	t.Helper()
	snap, err := s.Keep(t.Context(), payments, snapshot(payments, 7))
	if err != nil {
		t.Fatal(err)
	}
	change := snapshot(payments, 1).Cause
	need := core.Requirement{Aspect: core.Access, Principal: "arn:aws:iam::1:role/x", Permission: "kms:Decrypt", Severity: core.Critical}
	return record.Record{
		Format: record.Format, Revision: "r1", Key: payments.ID, Saved: noon, Snapshot: &snap,
		Incident: &record.Incident{
			ID: "i-1", Opened: noon, LostAt: noon, Phase: record.Restoring, State: core.Broken,
			Findings: []core.Finding{{Requirement: need, Result: core.Missing, Reason: "gone", Evidence: []core.Evidence{{Document: payments.ID, Statement: 3, Start: 5, End: 9}}}},
			Lost:     []core.Requirement{need}, Digest: digest('c'), Replaced: snap.Policy, Who: &change, Others: []core.Change{change},
			Intent: &record.Intent{Invocation: "inv", At: noon, Deadline: noon.Add(time.Minute), From: digest('c'), To: digest('a'), Candidate: "patch"},
			Tried:  []string{"patch: denied"}, Asked: noon, Held: true,
		},
		Restores:   []record.Restore{{At: noon, Read: noon, From: digest('c'), To: digest('a'), Incident: "i-0"}},
		Seen:       []record.Sighting{{Change: change, Shown: digest('d'), Docs: []core.Ref{{Kind: core.KeyPolicy, ID: change.Key}}}},
		Revocation: &record.Revocation{Since: noon, Marker: "ByokwatchRevoked"},
		Hint:       &record.Hint{EventID: "e", At: noon, Since: noon},
		Suspects:   []record.Suspect{{EventID: "e", At: noon, Seen: noon}},
		Served:     map[string]time.Time{"requests/aws/x/accept.json": noon},
		Outbox: []record.Notice{{Alert: alert.Alert{ID: "i-1/restored", Code: "restored", At: noon, Facts: alert.Facts{Key: payments, Who: &change}},
			Sent: map[string]record.Delivery{"slack:1": {Claimed: "inv", Until: noon, Tries: 2}}}},
		Told: map[string]record.Told{"i-1/restored": {First: noon, Last: noon, Count: 1}}, Unadopted: true, Protects: []string{"enforce"},
	}
}

func TestRecordReadsBackAsSaved(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	rec := full(t, s)
	version, err := s.Save(t.Context(), payments, rec, "")
	if err != nil {
		t.Fatal(err)
	}
	got, at, err := s.Load(t.Context(), payments)
	if err != nil || at != version {
		t.Fatalf("version %q, want %q; %v", at, version, err)
	}
	if diff := cmp.Diff(rec, got); diff != "" {
		t.Errorf("saved (-) and loaded (+) differ:\n%s", diff)
	}
	if names, _ := o.List(t.Context(), "records/"); len(names) != 1 || names[0] != paymentsRecord {
		t.Errorf("records are %q, want %q", names, paymentsRecord)
	}
}

func TestHealthyKeyCostsOneGet(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	if _, err := s.Save(t.Context(), payments, full(t, s), ""); err != nil {
		t.Fatal(err)
	}
	var calls []string
	o.Hook = func(op, name string, done bool) error {
		if done {
			calls = append(calls, op+" "+name)
		}
		return nil
	}
	names, err := s.RequestNames(t.Context(), core.AWS)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := s.Load(t.Context(), payments); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Requests(t.Context(), payments, names); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"List requests/aws/", "Get " + paymentsRecord, "Get " + paymentsRecord}
	if !cmp.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
}

func TestRecordsThatMayNotBeUsed(t *testing.T) {
	s := record.NewStore(memory(), nil)
	rec := full(t, s)
	good, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) string {
		t.Helper()
		if !strings.Contains(string(good), from) {
			t.Fatalf("the record has no %s", from)
		}
		return strings.ReplaceAll(string(good), from, to)
	}
	for sentence, c := range map[string]struct {
		data string
		want error
		keep bool // all but the snapshot is still usable
	}{
		"as it was saved":                 {string(good), nil, true},
		"empty":                           {"", record.ErrInvalid, false},
		"not JSON":                        {"<html>", record.ErrInvalid, false},
		"truncated":                       {string(good[:len(good)/2]), record.ErrInvalid, false},
		"with data after it":              {string(good) + "{}", record.ErrInvalid, false},
		"with a member twice":             {edit(`"revision":"r1"`, `"revision":"r1","revision":"r2"`), record.ErrInvalid, false},
		"with a member in another case":   {edit(`"revocation"`, `"Revocation"`), record.ErrInvalid, false},
		"with a member nobody knows":      {edit(`"revision"`, `"x":1,"revision"`), record.ErrInvalid, false},
		"of no format":                    {edit(`"format":1,`, ``), record.ErrInvalid, false},
		"of a format below the first":     {edit(`"format":1`, `"format":0`), record.ErrInvalid, false},
		"of a newer format":               {`{"format":2,"new":{"things":[]}}`, record.ErrNewer, false},
		"of another key":                  {strings.Replace(string(good), payments.ID, orders.ID, 1), record.ErrInvalid, false},
		"with a snapshot of another key":  {strings.Replace(string(good), `"snapshot":{"key":"`+payments.ID, `"snapshot":{"key":"`+orders.ID, 1), record.ErrInvalid, true},
		"with an edited policy":           {strings.Replace(string(good), `2012-10-17`, `2008-10-17`, 1), record.ErrInvalid, true},
		"with an edited generation":       {edit(`"generation":7`, `"generation":8`), record.ErrInvalid, true},
		"with an edited digest":           {edit(`"digest":"`+string(digest('a')), `"digest":"`+string(digest('e'))), record.ErrInvalid, true},
		"with an edited sum":              {edit(rec.Snapshot.Sum, strings.Repeat("0", 64)), record.ErrInvalid, true},
		"with another who accepted it":    {edit(`"sum"`, `"accepted":"mallory","sum"`), record.ErrInvalid, true},
		"with white space between values": {edit(`,"`, ` , "`), nil, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := memory()
			o.Plant(paymentsRecord, []byte(c.data))
			obj, err := o.Get(t.Context(), paymentsRecord)
			if err != nil {
				t.Fatal(err)
			}
			got, version, err := record.NewStore(o, nil).Load(t.Context(), payments)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if version != obj.Version {
				t.Errorf("version %q, want %q so that it can be replaced", version, obj.Version)
			}
			if c.want != nil && got.Snapshot != nil {
				t.Error("a snapshot that may not be used is handed out")
			}
			want := record.Record{Format: record.Format, Key: payments.ID}
			if c.keep {
				want = rec
				if c.want != nil {
					want.Snapshot = nil
				}
			}
			if diff := cmp.Diff(want, got); c.want != nil && diff != "" {
				t.Errorf("usable parts differ:\n%s", diff)
			}
		})
	}
}

func TestStoreTroubleIsNeverAnAbsentRecord(t *testing.T) {
	o := memory()
	trouble := errors.New("no route to host")
	o.Hook = func(string, string, bool) error { return trouble }
	if _, _, err := record.NewStore(o, nil).Load(t.Context(), payments); !errors.Is(err, trouble) {
		t.Errorf("load: %v", err)
	}
	if _, _, err := record.NewStore(o, nil).NewestKept(t.Context(), payments); !errors.Is(err, trouble) {
		t.Errorf("newest kept: %v", err)
	}
}

func TestSaveKnowsItsOwnWrite(t *testing.T) {
	lost, trouble := errors.New("connection reset"), errors.New("timeout")
	refused := fmt.Errorf("412: %w", core.ErrConflict)
	for sentence, c := range map[string]struct {
		before, after error // of Put
		other         bool  // somebody else has written since
		reread        error // of the Get after it
		want, not     error
		done          bool // it is in the store
	}{
		"a write that nobody disturbed":                 {nil, nil, false, nil, nil, nil, true},
		"a write whose answer was lost":                 {nil, lost, false, nil, nil, nil, true},
		"a write refused by its own repetition":         {nil, refused, false, nil, nil, nil, true},
		"a write that was never done":                   {lost, nil, false, nil, lost, core.ErrConflict, false},
		"a write refused for nothing":                   {refused, nil, false, nil, core.ErrConflict, nil, false},
		"a write that lost the race":                    {nil, nil, true, nil, core.ErrConflict, nil, false},
		"a write that was not done, and others' is in":  {lost, nil, true, nil, core.ErrConflict, nil, false},
		"a write of which nothing can be learned":       {nil, lost, false, trouble, trouble, core.ErrConflict, true},
		"a refused one of which nothing can be learned": {nil, refused, false, trouble, trouble, core.ErrConflict, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := memory()
			s := record.NewStore(o, nil)
			first, err := s.Save(t.Context(), payments, record.Record{Revision: "first"}, "")
			if err != nil {
				t.Fatal(err)
			}
			if c.other {
				if _, err := s.Save(t.Context(), payments, record.Record{Revision: "theirs"}, first); err != nil {
					t.Fatal(err)
				}
			}
			o.Hook = func(op, _ string, done bool) error {
				switch {
				case op == "Put" && !done:
					return c.before
				case op == "Put":
					return c.after
				case !done:
					return c.reread
				}
				return nil
			}
			version, err := s.Save(t.Context(), payments, record.Record{Revision: "ours"}, first)
			if !errors.Is(err, c.want) || (err == nil) != (version != "") || (c.not != nil && errors.Is(err, c.not)) {
				t.Fatalf("version %q, error %v; want %v", version, err, c.want)
			}
			o.Hook = nil
			rec, at, err := s.Load(t.Context(), payments)
			if err != nil {
				t.Fatal(err)
			}
			if in := rec.Revision == "ours"; in != c.done || (c.want == nil && at != version) {
				t.Errorf("revision %q in version %q after an answer of %q, %v", rec.Revision, at, version, err)
			}
		})
	}
}

func TestSaveRefuses(t *testing.T) {
	s := record.NewStore(memory(), nil)
	unsealed := snapshot(payments, 1)
	foreign, err := s.Keep(t.Context(), orders, snapshot(orders, 1))
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		k   core.Key
		rec record.Record
	}{
		"a record without a revision":               {payments, record.Record{}},
		"a snapshot that was not kept":              {payments, record.Record{Revision: "r", Snapshot: &unsealed}},
		"a snapshot of another key":                 {payments, record.Record{Revision: "r", Snapshot: &foreign}},
		"a key of no cloud":                         {core.Key{ID: "x"}, record.Record{Revision: "r"}},
		"a key without an ID":                       {core.Key{Cloud: core.AWS}, record.Record{Revision: "r"}},
		"a record too large for any store":          {payments, record.Record{Revision: "r", Protects: []string{strings.Repeat("x", record.MaxObject)}}},
		"a time that JSON can't hold":               {payments, record.Record{Revision: "r", Saved: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"a key whose ID is longer than any cloud's": {core.Key{Cloud: core.AWS, ID: strings.Repeat("x", 5000)}, record.Record{Revision: "r"}},
	} {
		if version, err := s.Save(t.Context(), c.k, c.rec, ""); err == nil || version != "" {
			t.Errorf("%s was saved as version %q", sentence, version)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	s := record.NewStore(memory(), nil)
	long := strings.Repeat("é", 5000)
	change := core.Change{Key: payments.ID, EventID: "e", Op: long, Actor: core.Actor{ID: long, Name: long, Address: long, Agent: long + "\xff", Via: long}}
	rec := record.Record{Revision: "r", Told: map[string]record.Told{}, Incident: &record.Incident{ID: "i", Who: &change}}
	for i := range 2000 {
		at := noon.Add(time.Duration(i) * time.Second)
		change.EventID = fmt.Sprint("e-", i)
		rec.Seen = append(rec.Seen, record.Sighting{Change: change})
		rec.Incident.Others = append(rec.Incident.Others, change)
		rec.Restores = append(rec.Restores, record.Restore{Incident: fmt.Sprint("i-", i)})
		rec.Suspects = append(rec.Suspects, record.Suspect{EventID: change.EventID})
		rec.Told[fmt.Sprint("t-", i)] = record.Told{Last: at}
	}
	if _, err := s.Save(t.Context(), payments, rec, ""); err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Load(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string][2]int{
		"seen": {len(got.Seen), record.MaxSeen}, "restores": {len(got.Restores), record.MaxRestores}, "others": {len(got.Incident.Others), record.MaxSeen},
		"suspects": {len(got.Suspects), record.MaxSuspects}, "told": {len(got.Told), record.MaxTold},
	} {
		if c[0] != c[1] {
			t.Errorf("%d %s, want %d", c[0], what, c[1])
		}
	}
	last := got.Seen[len(got.Seen)-1]
	if last.EventID != "e-1999" || got.Restores[0].Incident != "i-1980" || got.Told["t-1999"].Last.IsZero() || !got.Told["t-0"].Last.IsZero() {
		t.Error("it is not the newest that was kept")
	}
	for _, text := range []string{last.Op, last.Actor.ID, last.Actor.Agent, last.Actor.Via, got.Incident.Who.Actor.Name, got.Incident.Others[0].Actor.Address} {
		if len(text) > 1024 || !strings.HasSuffix(text, "é…") {
			t.Errorf("a text of %d bytes ends in %q", len(text), text[max(0, len(text)-9):])
		}
	}
	if len(rec.Seen) != 2000 || len(rec.Told) != 2000 || rec.Seen[0].Op != long {
		t.Error("the caller's own record was changed")
	}
}

func TestInvalidUTF8NeverKeepsARecordFromBeingSaved(t *testing.T) {
	s := record.NewStore(memory(), nil)
	snap := snapshot(payments, 1)
	snap.Cause.Actor.Agent = "\xff\xfe"
	kept, err := s.Keep(t.Context(), payments, snap)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), payments, record.Record{Revision: "r", Snapshot: &kept}, ""); err != nil {
		t.Fatal(err)
	}
	if rec, _, err := s.Load(t.Context(), payments); err != nil || rec.Snapshot.Cause.Actor.Agent != "\ufffd\ufffd" {
		t.Errorf("%+v, %v", rec.Snapshot, err)
	}
}

// What is stored must be the same bytes in every build to come, because sums are
// over it: so here it stands, with a sum that jq and sha256sum computed. A new
// field must not change it.
func TestStoredFormStaysAsItIs(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	snap := snapshot(payments, 7)
	snap.At = snap.At.In(time.FixedZone("", 2*3600))
	kept, err := s.Keep(t.Context(), payments, snap)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/snapshot.json")
	if err != nil {
		t.Fatal(err)
	}
	obj, err := o.Get(t.Context(), "kept/aws/1234abcd-12ab-34cd-56ef-1234567890ab-d5c7a25e714913d9/snapshots/0000000007-5d44c715.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(obj.Data) != strings.TrimSpace(string(want)) {
		t.Errorf("stored as\n%s\nwant\n%s", obj.Data, want)
	}
	if kept.Sum != "5d44c715a1b051fb4a879ac8a9c5a979b6c43a9ed5b1f30e56158f5319407fc1" {
		t.Errorf("sum %s", kept.Sum)
	}
}
