package record_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"byokwatch/core"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
)

const prefix = "kept/aws/1234abcd-12ab-34cd-56ef-1234567890ab-d5c7a25e714913d9/"

func keep(t *testing.T, s *record.Store, k core.Key, generation int) record.Snapshot {
	t.Helper()
	kept, err := s.Keep(t.Context(), k, snapshot(k, generation))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// fileSigning signs with a key file, as the configuration gives it.
func fileSigning(t *testing.T) *record.Signing {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	sign, err := record.KeyFileSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return &record.Signing{Sign: sign, Public: pinned(t, public)}
}

// kmsSigning signs as KMS does with ECDSA_SHA_256 over a RAW message.
func kmsSigning(t *testing.T) *record.Signing {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(_ context.Context, message []byte) ([]byte, error) {
		if len(message) == 0 || len(message) > 4096 {
			return nil, fmt.Errorf("ValidationException: message of %d bytes", len(message))
		}
		hash := sha256.Sum256(message)
		return ecdsa.SignASN1(rand.Reader, private, hash[:])
	}
	return &record.Signing{Sign: sign, Public: pinned(t, &private.PublicKey)}
}

func pinned(t *testing.T, public crypto.PublicKey) crypto.PublicKey {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := record.ParsePublicKey(base64.StdEncoding.EncodeToString(der))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestKeptSnapshotReadsBack(t *testing.T) {
	for what, signing := range map[string]*record.Signing{"unsigned": nil, "signed by a key file": fileSigning(t), "signed by KMS": kmsSigning(t)} {
		t.Run(what, func(t *testing.T) {
			s := record.NewStore(memory(), signing)
			if s.Signed() != (signing != nil) {
				t.Error("Signed says otherwise")
			}
			var want []record.Snapshot
			for _, g := range []int{1, 2, 9, 10, 11, 100, 1000000} {
				kept := keep(t, s, payments, g)
				again, err := s.Keep(t.Context(), payments, snapshot(payments, g))
				if err != nil || !cmp.Equal(again, kept) {
					t.Errorf("keeping generation %d again: %v\n%s", g, err, cmp.Diff(kept, again))
				}
				want = append(want, kept)
			}
			keep(t, s, orders, 5)
			got, err := s.Snapshots(t.Context(), payments)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("snapshots: %v\n%s", err, diff)
			}
			newest, invalid, err := s.NewestKept(t.Context(), payments)
			if err != nil || invalid != 0 || newest == nil || newest.Generation != 1000000 {
				t.Errorf("newest %+v, %d invalid, %v", newest, invalid, err)
			}
			if one, err := s.Snapshot(t.Context(), payments, 10); err != nil || one.Generation != 10 {
				t.Errorf("snapshot 10: %d, %v", one.Generation, err)
			}
			if _, err := s.Snapshot(t.Context(), payments, 12); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("snapshot 12: %v", err)
			}
			if _, err := s.Save(t.Context(), payments, record.Record{Revision: "r", Snapshot: newest}, ""); err != nil {
				t.Fatal(err)
			}
			if rec, _, err := s.Load(t.Context(), payments); err != nil || !cmp.Equal(rec.Snapshot, newest) {
				t.Errorf("in the record: %v", err)
			}
		})
	}
}

func TestNoKeptSnapshot(t *testing.T) {
	s := record.NewStore(memory(), nil)
	newest, invalid, err := s.NewestKept(t.Context(), payments)
	all, err2 := s.Snapshots(t.Context(), payments)
	if newest != nil || invalid != 0 || err != nil || all != nil || err2 != nil {
		t.Errorf("%v, %d, %v; %v, %v", newest, invalid, err, all, err2)
	}
}

// A lost race leaves two snapshots of one generation behind.
func TestTwoOfOneGeneration(t *testing.T) {
	for _, later := range []string{"first", "second"} {
		s := record.NewStore(memory(), nil)
		first, second := snapshot(payments, 3), snapshot(payments, 3)
		first.Incident, second.Incident = "first", "second"
		if later == "first" {
			first.At = second.At.Add(1)
		} else {
			second.At = first.At.Add(1)
		}
		for _, snap := range []record.Snapshot{first, second} {
			if _, err := s.Keep(t.Context(), payments, snap); err != nil {
				t.Fatal(err)
			}
		}
		keep(t, s, payments, 2)
		newest, invalid, err := s.NewestKept(t.Context(), payments)
		one, err2 := s.Snapshot(t.Context(), payments, 3)
		if err != nil || err2 != nil || invalid != 0 || newest.Incident != later || one.Incident != later {
			t.Errorf("newest %q and %q, want %q; %v %v", newest.Incident, one.Incident, later, err, err2)
		}
	}
}

// What somebody may do to kept/ who can write there but has not the signing key.
func TestPlantedSnapshotsAreRefused(t *testing.T) {
	signing := kmsSigning(t)
	for sentence, plant := range map[string]func(t *testing.T, o *storetest.Memory, good []byte, name string){
		"truncated": func(_ *testing.T, o *storetest.Memory, good []byte, name string) { o.Plant(name, good[:len(good)-10]) },
		"empty":     func(_ *testing.T, o *storetest.Memory, _ []byte, name string) { o.Plant(name, nil) },
		"edited in place": func(_ *testing.T, o *storetest.Memory, good []byte, name string) {
			o.Plant(name, []byte(strings.Replace(string(good), "2012-10-17", "2008-10-17", 1)))
		},
		"edited with a new sum and the old signature": func(t *testing.T, o *storetest.Memory, good []byte, name string) {
			var snap record.Snapshot
			unmarshal(t, good, &snap)
			snap.Policy[0].Text = "{}"
			forged, err := record.NewStore(memory(), nil).Keep(t.Context(), payments, snap) // a right sum
			if err != nil {
				t.Fatal(err)
			}
			forged.Signature = snap.Signature
			o.Plant(prefix+"snapshots/0000000003-"+forged.Sum[:8]+".json", marshal(t, forged))
			o.Remove(name)
		},
		"unsigned": func(t *testing.T, o *storetest.Memory, good []byte, name string) {
			var snap record.Snapshot
			unmarshal(t, good, &snap)
			snap.Signature = nil
			o.Plant(name, marshal(t, snap))
		},
		"signed by another key": func(t *testing.T, o *storetest.Memory, _ []byte, name string) {
			o.Remove(name)
			keep(t, record.NewStore(o, kmsSigning(t)), payments, 3)
		},
		"signed by another kind of key": func(t *testing.T, o *storetest.Memory, _ []byte, name string) {
			o.Remove(name)
			keep(t, record.NewStore(o, fileSigning(t)), payments, 3)
		},
		"of an older generation under a newer name": func(t *testing.T, o *storetest.Memory, _ []byte, name string) {
			o.Remove(name)
			old := keep(t, record.NewStore(memory(), signing), payments, 1)
			o.Plant(prefix+"snapshots/0000000003-"+old.Sum[:8]+".json", marshal(t, old))
		},
		"of another key": func(t *testing.T, o *storetest.Memory, _ []byte, name string) {
			o.Remove(name)
			theirs := keep(t, record.NewStore(memory(), signing), orders, 3)
			o.Plant(prefix+"snapshots/0000000003-"+theirs.Sum[:8]+".json", marshal(t, theirs))
		},
		"of another key, renamed inside": func(t *testing.T, o *storetest.Memory, _ []byte, name string) {
			o.Remove(name)
			theirs := keep(t, record.NewStore(memory(), signing), orders, 3)
			theirs.Key = payments.ID
			o.Plant(prefix+"snapshots/0000000003-"+theirs.Sum[:8]+".json", marshal(t, theirs))
		},
		"with a name that is none": func(_ *testing.T, o *storetest.Memory, good []byte, name string) {
			o.Remove(name)
			o.Plant(prefix+"snapshots/99999999999-01234567.json", good)
		},
		"with a member twice": func(_ *testing.T, o *storetest.Memory, good []byte, name string) {
			o.Plant(name, []byte(strings.Replace(string(good), `{`, `{"policy":[],`, 1)))
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := memory()
			s := record.NewStore(o, signing)
			want := keep(t, s, payments, 2)
			good := keep(t, s, payments, 3)
			name := prefix + "snapshots/0000000003-" + good.Sum[:8] + ".json"
			obj, err := o.Get(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			plant(t, o, obj.Data, name)
			newest, invalid, err := s.NewestKept(t.Context(), payments)
			if err != nil || invalid != 1 || !cmp.Equal(newest, &want) {
				t.Errorf("newest is %+v with %d refused, %v; want generation 2 with one refused", newest, invalid, err)
			}
			all, err := s.Snapshots(t.Context(), payments)
			if len(all) != 1 || all[0].Generation != 2 {
				t.Errorf("%d snapshots, %v", len(all), err)
			}
			if _, err := s.Snapshot(t.Context(), payments, 3); !errors.Is(err, record.ErrInvalid) && !errors.Is(err, core.ErrNotFound) {
				t.Errorf("snapshot 3: %v", err)
			}
		})
	}
}

func TestInvalidSnapshotsAreNamed(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	keep(t, s, payments, 1)
	o.Plant(prefix+"snapshots/0000000002-01234567.json", []byte("{}"))
	o.Plant(prefix+"snapshots/0000000003-01234567.json", []byte("no"))
	all, err := s.Snapshots(t.Context(), payments)
	if len(all) != 1 || !errors.Is(err, record.ErrInvalid) || !strings.Contains(err.Error(), "0000000002-") || !strings.Contains(err.Error(), "0000000003-") {
		t.Errorf("%d snapshots, %v", len(all), err)
	}
}

func TestPlantingManySnapshotsEndsInAnError(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	keep(t, s, payments, 1)
	for i := range 500 {
		o.Plant(fmt.Sprintf("%ssnapshots/%010d-01234567.json", prefix, i+2), []byte("{}"))
	}
	reads := 0
	o.Hook = func(op, _ string, done bool) error {
		if op == "Get" && !done {
			reads++
		}
		return nil
	}
	newest, _, err := s.NewestKept(t.Context(), payments)
	if newest != nil || !errors.Is(err, record.ErrInvalid) || reads > 110 {
		t.Errorf("newest %v after %d reads, %v", newest, reads, err)
	}
}

func TestTroubleWhileReadingKeptIsNotAnOlderSnapshot(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	keep(t, s, payments, 1)
	keep(t, s, payments, 2)
	o.Hook = func(op, name string, _ bool) error {
		if op == "Get" && strings.Contains(name, "0000000002-") {
			return core.ErrDenied
		}
		return nil
	}
	if newest, _, err := s.NewestKept(t.Context(), payments); newest != nil || !errors.Is(err, core.ErrDenied) {
		t.Errorf("newest %+v, %v", newest, err)
	}
	if all, err := s.Snapshots(t.Context(), payments); all != nil || !errors.Is(err, core.ErrDenied) {
		t.Errorf("all %+v, %v", all, err)
	}
}

func TestKeepKnowsItsOwnWrite(t *testing.T) {
	for what, signing := range map[string]*record.Signing{"unsigned": nil, "signed anew each time": kmsSigning(t)} {
		t.Run(what, func(t *testing.T) {
			lost := errors.New("connection reset")
			o := memory()
			s := record.NewStore(o, signing)
			o.Hook = func(op, _ string, done bool) error {
				if op == "Put" && done {
					return lost
				}
				return nil
			}
			keep(t, s, payments, 1)
			if err := s.KeepIncident(t.Context(), payments, record.Incident{ID: "i-1"}); err != nil {
				t.Errorf("incident: %v", err)
			}
			o.Hook = func(op, _ string, done bool) error {
				if op == "Put" && !done {
					return lost
				}
				return nil
			}
			if _, err := s.Keep(t.Context(), payments, snapshot(payments, 2)); !errors.Is(err, lost) {
				t.Errorf("a write that was not done: %v", err)
			}
			if err := s.KeepIncident(t.Context(), payments, record.Incident{ID: "i-2"}); !errors.Is(err, lost) {
				t.Errorf("an incident that was not written: %v", err)
			}
		})
	}
}

func TestKeepInThePlaceOfSomethingElse(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	kept := keep(t, s, payments, 1)
	o.Plant(prefix+"snapshots/0000000001-"+kept.Sum[:8]+".json", []byte("rubbish"))
	if _, err := s.Keep(t.Context(), payments, snapshot(payments, 1)); !errors.Is(err, record.ErrInvalid) || errors.Is(err, core.ErrConflict) {
		t.Errorf("%v; want it invalid, because looking again would not help", err)
	}
}

func TestKeepRefuses(t *testing.T) {
	file, other := fileSigning(t), fileSigning(t)
	failing := errors.New("KMS is not there")
	for sentence, c := range map[string]struct {
		signing *record.Signing
		edit    func(*record.Snapshot)
	}{
		"a snapshot of another key":                   {nil, func(s *record.Snapshot) { s.Key = orders.ID }},
		"generation 0":                                {nil, func(s *record.Snapshot) { s.Generation = 0 }},
		"a generation that does not sort":             {nil, func(s *record.Snapshot) { s.Generation = 10_000_000_000 }},
		"signing with the public key alone":           {&record.Signing{Public: file.Public}, nil},
		"signing by a key that is not the pinned one": {&record.Signing{Sign: other.Sign, Public: file.Public}, nil},
		"signing without a pinned key":                {&record.Signing{Sign: file.Sign}, nil},
		"a signature that can't be had":               {&record.Signing{Public: file.Public, Sign: func(context.Context, []byte) ([]byte, error) { return nil, failing }}, nil},
	} {
		o := memory()
		snap := snapshot(payments, 1)
		if c.edit != nil {
			c.edit(&snap)
		}
		if _, err := record.NewStore(o, c.signing).Keep(t.Context(), payments, snap); err == nil {
			t.Errorf("%s: was kept", sentence)
		}
		if names, _ := o.List(t.Context(), ""); len(names) != 0 {
			t.Errorf("%s: %q was written", sentence, names)
		}
	}
}

func TestStatementFitsKMSAndBindsEverything(t *testing.T) {
	for id, fits := range map[string]bool{strings.Repeat("y", 1024): true, strings.Repeat("\x01", 1024): false} {
		k := core.Key{Cloud: core.AWS, ID: id}
		if _, err := record.NewStore(memory(), kmsSigning(t)).Keep(t.Context(), k, snapshot(k, 1)); (err == nil) != fits {
			t.Errorf("a key ID of %d bytes, %.3q…: %v", len(id), id, err)
		}
	}
	base, err := record.Statement(snapshot(payments, 1))
	if err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func(*record.Snapshot){
		"key":        func(s *record.Snapshot) { s.Key = orders.ID },
		"generation": func(s *record.Snapshot) { s.Generation = 2 },
		"time":       func(s *record.Snapshot) { s.At = s.At.Add(1) },
		"digest":     func(s *record.Snapshot) { s.Digest = digest('f') },
		"previous":   func(s *record.Snapshot) { s.Previous = "" },
		"sum":        func(s *record.Snapshot) { s.Sum = "0" },
	} {
		snap := snapshot(payments, 1)
		edit(&snap)
		if got, err := record.Statement(snap); err != nil || string(got) == string(base) {
			t.Errorf("the statement does not bind the %s: %v", what, err)
		}
	}
}

func TestIncidentsReadBack(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	in := full(t, s).Incident
	in.Closed, in.Outcome = noon.Add(1), "recovered"
	early := record.Incident{ID: "z-0", Opened: noon.Add(-1), Findings: []core.Finding{}}
	for _, i := range []record.Incident{*in, early, *in} {
		if err := s.KeepIncident(t.Context(), payments, i); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Incidents(t.Context(), payments)
	if diff := cmp.Diff([]record.Incident{early, *in}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	obj, err := o.Get(t.Context(), prefix+"incidents/i-1.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"wrong-id": string(obj.Data), "other-key": strings.Replace(string(obj.Data), `"key":"`+payments.ID+`","lost"`, `"key":"`+orders.ID+`","lost"`, 1), "cut": string(obj.Data[:50]),
	} {
		o.Plant(prefix+"incidents/"+name+".json", []byte(strings.Replace(data, `"id":"i-1"`, `"id":"`+strings.TrimPrefix(name, "wrong-")+`"`, 1)))
	}
	got, err = s.Incidents(t.Context(), payments)
	if len(got) != 2 || !errors.Is(err, record.ErrInvalid) || strings.Count(err.Error(), ".json: ") != 3 {
		t.Errorf("%d incidents, %v", len(got), err)
	}
	for _, id := range []string{"", "../x", "a/b", "A", ".x"} {
		if err := s.KeepIncident(t.Context(), payments, record.Incident{ID: id}); err == nil {
			t.Errorf("incident ID %q was taken", id)
		}
	}
}

func TestPublicKeys(t *testing.T) {
	spki := func(public any) string {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, s := range map[string]string{
		"nothing": "", "no base64": "***", "no key": "AAAA", "another curve": spki(&p384.PublicKey),
	} {
		if _, err := record.ParsePublicKey(s); err == nil {
			t.Errorf("%s was taken for a public key", sentence)
		}
	}
}

func TestKeyFileErrorsHoldNothingOfTheFile(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, file := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("hunter2hunter2"), "another block": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hunter2")}),
		"no key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")}), "another kind of key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		_, err := record.KeyFileSigner(file)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "openssl genpkey") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func TestNamesOfSnapshotsSortByGeneration(t *testing.T) {
	o := memory()
	s := record.NewStore(o, nil)
	for _, g := range []int{9, 10, 99, 100, 9_999_999_999} {
		keep(t, s, payments, g)
	}
	names, err := o.List(t.Context(), prefix)
	if err != nil || !slices.IsSorted(names) || !strings.Contains(names[4], "/9999999999-") || !strings.Contains(names[0], "/0000000009-") {
		t.Errorf("%q, %v", names, err)
	}
}
