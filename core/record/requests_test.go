package record_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
)

const requests = "requests/aws/1234abcd-12ab-34cd-56ef-1234567890ab-d5c7a25e714913d9/"

func TestRequestsReadBack(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	hold := record.Hold{Until: noon.Add(time.Hour), By: "alice", Reason: "key rotation", At: noon}
	accept := record.Accept{Digest: digest('a'), By: "bob", Reason: "new cluster", At: noon}
	reinstate := record.Reinstate{By: "carol", Reason: "contract renewed", At: noon}
	for _, r := range []any{hold, accept, reinstate} {
		if err := s.Request(t.Context(), payments, r); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.RequestNames(t.Context(), core.AWS)
	if want := []string{requests + "accept.json", requests + "hold.json", requests + "reinstate.json"}; err != nil || !cmp.Equal(names, want) {
		t.Fatalf("names %q, %v", names, err)
	}
	want := record.Requests{Hold: &hold, Accept: &accept, Reinstate: &reinstate}
	for what, given := range map[string][]string{"listed": names, "not listed": nil} {
		if got, err := s.Requests(t.Context(), payments, given); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v\n%s", what, err, cmp.Diff(want, got))
		}
	}
	if got, err := s.Requests(t.Context(), orders, nil); err != nil || !cmp.Equal(got, record.Requests{}) {
		t.Errorf("another key has %+v, %v", got, err)
	}
	released := record.Hold{Released: true, By: "alice", Reason: "done", At: noon}
	if err := s.Request(t.Context(), payments, released); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Requests(t.Context(), payments, names); err != nil || !cmp.Equal(got.Hold, &released) {
		t.Errorf("released: %+v, %v", got.Hold, err)
	}
}

func TestNobodyAsked(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	names, err := s.RequestNames(t.Context(), core.AWS)
	if names == nil || len(names) != 0 || err != nil {
		t.Fatalf("names %#v, %v; want a list that says it was made", names, err)
	}
	o.Hook = func(op, name string, _ bool) error {
		t.Errorf("%s %s for a key without requests", op, name)
		return nil
	}
	if got, err := s.Requests(t.Context(), payments, names); err != nil || !cmp.Equal(got, record.Requests{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A request may go between the list and the look at it.
func TestRequestThatVanished(t *testing.T) {
	s := record.NewStore(memory(), nil)
	got, err := s.Requests(t.Context(), payments, []string{requests + "hold.json"})
	if err != nil || !cmp.Equal(got, record.Requests{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHoldIsCappedByTheStoresClock(t *testing.T) {
	for until, want := range map[time.Duration]time.Duration{
		-time.Hour: -time.Hour, time.Hour: time.Hour, 24 * time.Hour: 24 * time.Hour, 24*time.Hour + 1: 24 * time.Hour, 90 * 365 * 24 * time.Hour: 24 * time.Hour,
	} {
		s := record.NewStore(memory(), nil)
		if err := s.Request(t.Context(), payments, record.Hold{Until: noon.Add(until), By: "a", Reason: "b", At: noon.Add(1000 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Requests(t.Context(), payments, nil)
		if err != nil || !got.Hold.Until.Equal(noon.Add(want)) || !got.Hold.At.Equal(noon) {
			t.Errorf("a hold for %v is until %v, by %v; want %v", until, got.Hold.Until, got.Hold.At, want)
		}
	}
}

func TestForeignRequests(t *testing.T) {
	const id = `"key":"arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"`
	const until = `"until":"2026-08-01T13:00:00Z"`
	sha := `"digest":"` + string(digest('a')) + `"`
	long := strings.Repeat("é", 3000)
	for sentence, c := range map[string]struct {
		kind, data string
		why        string // empty: it is taken
	}{
		"a hold as the CLI writes it":              {"hold", `{"format":1,` + id + `,` + until + `,"by":"a","reason":"b"}`, ""},
		"a hold that nobody signed":                {"hold", `{"format":1,` + id + `,` + until + `}`, ""},
		"a release":                                {"hold", `{"format":1,` + id + `,"released":true}`, ""},
		"a hold with a long text":                  {"hold", `{"format":1,` + id + `,` + until + `,"by":"` + long + `","reason":"` + long + `"}`, ""},
		"a hold without a time":                    {"hold", `{"format":1,` + id + `}`, "until"},
		"a hold until the zero time":               {"hold", `{"format":1,` + id + `,"until":"0001-01-01T00:00:00Z"}`, "until"},
		"a hold until some words":                  {"hold", `{"format":1,` + id + `,"until":"tomorrow"}`, "until"},
		"a hold with a number for a time":          {"hold", `{"format":1,` + id + `,"until":1785589200}`, "until"},
		"a hold of another key":                    {"hold", `{"format":1,"key":"` + orders.ID + `",` + until + `}`, "eu-west-1"},
		"a hold of no key":                         {"hold", `{"format":1,` + until + `}`, "key"},
		"a hold with a digest":                     {"hold", `{"format":1,` + id + `,` + until + `,` + sha + `}`, "digest"},
		"a hold with a member nobody knows":        {"hold", `{"format":1,` + id + `,` + until + `,"forever":true}`, "forever"},
		"a hold with until twice":                  {"hold", `{"format":1,` + id + `,` + until + `,` + until + `}`, "until"},
		"a hold with Until in another case":        {"hold", `{"format":1,` + id + `,"Until":"2026-08-01T13:00:00Z"}`, "Until"},
		"a hold of no format":                      {"hold", `{` + id + `,` + until + `}`, "format"},
		"a hold of a newer format":                 {"hold", `{"format":2,` + id + `,"while":{}}`, "upgrade"},
		"an empty hold":                            {"hold", ``, "JSON"},
		"a hold with invalid UTF-8":                {"hold", `{"format":1,` + id + `,` + until + `,"by":"` + "\xff" + `"}`, "UTF-8"},
		"a hold nested without end":                {"hold", strings.Repeat(`[`, 10000), "32"},
		"an accept as the CLI writes it":           {"accept", `{"format":1,` + id + `,` + sha + `,"by":"a","reason":"b"}`, ""},
		"an accept without a digest":               {"accept", `{"format":1,` + id + `}`, "digest"},
		"an accept of part of a digest":            {"accept", `{"format":1,` + id + `,"digest":"sha256:aaaaaaaa"}`, "digest"},
		"an accept of a digest with more after it": {"accept", `{"format":1,` + id + `,"digest":"` + string(digest('a')) + `\n"}`, "digest"},
		"an accept that is released":               {"accept", `{"format":1,` + id + `,` + sha + `,"released":true}`, "released"},
		"a reinstate as the CLI writes it":         {"reinstate", `{"format":1,` + id + `,"by":"a","reason":"b"}`, ""},
		"a reinstate with a time":                  {"reinstate", `{"format":1,` + id + `,` + until + `}`, "until"},
		"a reinstate of another key":               {"reinstate", `{"format":1,"key":"` + orders.ID + `"}`, "eu-west-1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := memory()
			o.Plant(requests+c.kind+".json", []byte(c.data))
			got, err := record.NewStore(o, nil).Requests(t.Context(), payments, nil)
			if err != nil {
				t.Fatal(err)
			}
			taken := got.Hold != nil || got.Accept != nil || got.Reinstate != nil
			if c.why == "" {
				if !taken || len(got.Refused) != 0 {
					t.Fatalf("refused: %+v", got.Refused)
				}
				if h := got.Hold; h != nil && (len(h.By) > 1024 || len(h.Reason) > 1024) {
					t.Errorf("texts of %d and %d bytes", len(h.By), len(h.Reason))
				}
				return
			}
			if taken || len(got.Refused) != 1 {
				t.Fatalf("want it refused, have %+v", got)
			}
			r := got.Refused[0]
			if r.Name != requests+c.kind+".json" || r.Kind != c.kind || !r.At.Equal(noon) || !strings.Contains(r.Why, c.why) || len(r.Why) > 1024 {
				t.Errorf("refused as %+v, want a reason with %q", r, c.why)
			}
		})
	}
}

func TestStoreTroubleMayHideAHold(t *testing.T) {
	for _, trouble := range []error{core.ErrDenied, errors.New("timeout")} {
		for _, kind := range []string{"hold", "accept", "reinstate"} {
			o := memory()
			o.Hook = func(_, name string, _ bool) error {
				if strings.HasSuffix(name, kind+".json") {
					return trouble
				}
				return nil
			}
			if got, err := record.NewStore(o, nil).Requests(t.Context(), payments, nil); !errors.Is(err, trouble) || !cmp.Equal(got, record.Requests{}) {
				t.Errorf("%s can't be read: %+v, %v", kind, got, err)
			}
		}
	}
}

func TestRequestRefuses(t *testing.T) {
	for sentence, r := range map[string]any{
		"a hold without a time":      record.Hold{By: "a"},
		"an accept without a digest": record.Accept{By: "a"},
		"a pointer":                  &record.Hold{Until: noon},
		"nothing":                    nil,
		"some other type":            record.Incident{},
	} {
		o := memory()
		if err := record.NewStore(o, nil).Request(t.Context(), payments, r); err == nil {
			t.Errorf("%s was written", sentence)
		}
		if names, _ := o.List(t.Context(), ""); len(names) != 0 {
			t.Errorf("%s left %q", sentence, names)
		}
	}
}

func TestRequestReplacesWhateverIsThere(t *testing.T) {
	o := memory()
	o.Plant(requests+"hold.json", []byte("rubbish"))
	s := record.NewStore(o, nil)
	races := 2
	o.Hook = func(op, name string, done bool) error {
		if op == "Put" && !done && races > 0 {
			races--
			o.Plant(name, []byte("rubbish again"))
		}
		return nil
	}
	if err := s.Request(t.Context(), payments, record.Hold{Until: noon.Add(1)}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Requests(t.Context(), payments, nil); err != nil || got.Hold == nil {
		t.Errorf("%+v, %v", got, err)
	}
	races = 1000
	if err := s.Request(t.Context(), payments, record.Hold{Until: noon.Add(2)}); !errors.Is(err, core.ErrConflict) {
		t.Errorf("against somebody who never stops: %v", err)
	}
}

// FuzzRequest: nothing that stands in the place of a request makes anything
// panic, outlasts a hold's limit, or is both taken and refused.
func FuzzRequest(f *testing.F) {
	seeds := memory()
	s := record.NewStore(seeds, nil)
	for _, r := range []any{record.Hold{Until: noon}, record.Hold{Released: true}, record.Accept{Digest: digest('a')}, record.Reinstate{By: "x"}} {
		if err := s.Request(f.Context(), payments, r); err != nil {
			f.Fatal(err)
		}
		for kind := range 3 {
			if obj, err := seeds.Get(f.Context(), requests+[]string{"hold", "accept", "reinstate"}[kind]+".json"); err == nil {
				f.Add(kind, obj.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind int, data []byte) {
		o := memory()
		o.Plant(requests+[]string{"hold", "accept", "reinstate"}[uint(kind)%3]+".json", data)
		got, err := record.NewStore(o, nil).Requests(t.Context(), payments, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := len(got.Refused)
		if got.Hold != nil {
			n++
			if got.Hold.Until.After(noon.Add(record.MaxHold)) {
				t.Errorf("held until %v", got.Hold.Until)
			}
		}
		if got.Accept != nil {
			n++
			if len(got.Accept.Digest) != len(digest('a')) {
				t.Errorf("accepts %q", got.Accept.Digest)
			}
		}
		if got.Reinstate != nil {
			n++
		}
		if n != 1 {
			t.Errorf("one object gave %+v", got)
		}
	})
}

// FuzzRecord: a record either can't be used or can be saved and read back as it
// is.
func FuzzRecord(f *testing.F) {
	seeds := memory()
	s := record.NewStore(seeds, nil)
	kept, err := s.Keep(f.Context(), payments, snapshot(payments, 7))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := s.Save(f.Context(), payments, record.Record{Revision: "r", Snapshot: &kept, Seen: []record.Sighting{{Change: kept.Cause}}}, ""); err != nil {
		f.Fatal(err)
	}
	obj, err := seeds.Get(f.Context(), paymentsRecord)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(obj.Data)
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := storetest.NewMemory(func() time.Time { return noon })
		o.Plant(paymentsRecord, data)
		s := record.NewStore(o, nil)
		rec, version, err := s.Load(t.Context(), payments)
		if err != nil {
			if version == "" || rec.Snapshot != nil || (!errors.Is(err, record.ErrInvalid) && !errors.Is(err, record.ErrNewer)) {
				t.Errorf("version %q, snapshot %v, %v", version, rec.Snapshot, err)
			}
			return
		}
		rec.Revision = "again"
		if _, err := s.Save(t.Context(), payments, rec, version); err != nil {
			t.Fatalf("loaded, but can't be saved: %v", err)
		}
		again, _, err := s.Load(t.Context(), payments)
		if err != nil {
			t.Fatalf("saved, but can't be loaded: %v", err)
		}
		bounded := cmpopts.IgnoreFields(record.Record{}, "Seen", "Restores", "Suspects", "Told", "Incident")
		if diff := cmp.Diff(rec, again, bounded, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("loaded (-) and loaded again (+) differ:\n%s", diff)
		}
	})
}
