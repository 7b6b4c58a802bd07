package cloudkms_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
)

func TestWhatErrorsMean(t *testing.T) {
	for _, c := range []struct {
		code   int
		status string
		want   error
	}{
		{400, "INVALID_ARGUMENT", core.ErrRejected}, {400, "FAILED_PRECONDITION", core.ErrConflict}, {403, "PERMISSION_DENIED", core.ErrDenied},
		{404, "NOT_FOUND", core.ErrRejected}, {409, "ABORTED", core.ErrConflict}, {401, "UNAUTHENTICATED", nil}, {418, "", nil},
	} {
		cloud := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
		cloud.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: chaostest.Other, Code: c.status, Status: c.code})
		err := keeper(cloud).Apply(t.Context(), payments, setStep(t, cloud, bind(byok, group)))
		expect(t, c.status, err, c.want)
		if n := cloud.Calls("SetIamPolicy"); n != 1 {
			t.Errorf("%s: %d calls", c.status, n)
		}
	}
	for _, kind := range []chaostest.Kind{chaostest.Throttle, chaostest.Unavailable, chaostest.Internal, chaostest.Dropped} {
		synctest.Test(t, func(t *testing.T) {
			cloud := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
			cloud.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: kind, Times: 3})
			if err := keeper(cloud).Apply(t.Context(), payments, setStep(t, cloud, bind(byok, group))); err != nil {
				t.Errorf("%s passes: %v", kind, err)
			}
		})
	}
}

// Somebody writes between our read and our write: theirs stays, and we are told
// to look again.
func TestAWriteBetweenReadAndWriteIsNotLost(t *testing.T) {
	c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
	step := setStep(t, c, bind(byok, group))
	put(t, c, key, bind("roles/cloudkms.admin", admin))
	expect(t, "the write", keeper(c).Apply(t.Context(), payments, step), core.ErrConflict)
	if p := c.Policy(key); !strings.Contains(p, admin) || strings.Contains(p, group) {
		t.Errorf("policy %s", p)
	}
}

// A lost answer, then somebody else's write: nobody may say that ours stands.
func TestOurWriteUndoneByAnotherIsAConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
		step := setStep(t, c, bind(byok, group))
		c.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: chaostest.Lost})
		time.AfterFunc(time.Millisecond, func() { put(t, c, key) })
		expect(t, "the write", keeper(c).Apply(t.Context(), payments, step), core.ErrConflict)
	})
}

func TestEverybodyElsesBindingsSurvive(t *testing.T) {
	c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
	condition := `{"title":"<t> & \u2028","description":"d","expression":"request.time < timestamp(\"2099-04-01T00:00:00Z\") && resource.name != \"x\""}`
	c.Delete("group:others@acme.example")
	before := []string{
		`{"role":"roles/cloudkms.admin","members":["` + admin + `"],"condition":` + condition + `}`,
		bind("roles/cloudkms.viewer", admin),
	}
	if err := c.SetPolicy(key, `{"version":3,"auditConfigs":[{"service":"cloudkms.googleapis.com"}],"bindings":[`+strings.Join(before, ",")+`]}`); err != nil {
		t.Fatal(err)
	}
	p, err := keeper(c).Read(t.Context(), payments)
	if err != nil {
		t.Fatal(err)
	}
	live := textOf(p, core.IAMPolicy, key)
	body := `{"policy":` + strings.Replace(live, `"bindings": [`, `"bindings": [`+bind(byok, group)+`,`, 1) + `,"updateMask":"bindings,etag"}`
	if err := keeper(c).Apply(t.Context(), payments, core.Step{Op: "SetIamPolicy", ID: key, Body: json.RawMessage(body)}); err != nil {
		t.Fatal(err)
	}
	var was, is struct {
		Bindings     []json.RawMessage
		AuditConfigs json.RawMessage
	}
	w := c.Writes(key)[0]
	if err := errors.Join(json.Unmarshal([]byte(w.Before), &was), json.Unmarshal([]byte(w.After), &is)); err != nil {
		t.Fatal(err)
	}
	for _, b := range was.Bindings {
		if !slices.ContainsFunc(is.Bindings, func(o json.RawMessage) bool { return string(o) == string(b) }) {
			t.Errorf("lost: %s\nfrom %s", b, w.After)
		}
	}
	if len(is.Bindings) != 3 || string(is.AuditConfigs) != string(was.AuditConfigs) || len(was.AuditConfigs) == 0 {
		t.Errorf("after: %s", w.After)
	}
	if ok, why := c.Can(group, "cloudkms.cryptoKeyVersions.useToDecrypt", key); !ok {
		t.Error(why)
	}
}

// Nothing but what the policy has is asked for: a deleted member beside its
// living form is Google's to refuse.
func TestADeletedMemberBesideItsLivingFormIsRejected(t *testing.T) {
	c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
	put(t, c, key, bind(byok, group))
	c.Delete(group)
	var p struct {
		Bindings []struct{ Members []string }
	}
	if err := json.Unmarshal([]byte(c.Policy(key)), &p); err != nil {
		t.Fatal(err)
	}
	c.Create(group)
	step := setStep(t, c, bind(byok, p.Bindings[0].Members[0], group))
	expect(t, "both", keeper(c).Apply(t.Context(), payments, step), core.ErrRejected)
}

func TestTheEndTellsWhatGoogleSaidLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
		step := setStep(t, c, bind(byok, group))
		c.SetOdds(chaostest.Odds{SlowFor: time.Hour})
		c.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: chaostest.Throttle, Times: 3})
		c.Inject(chaostest.Fault{Op: "SetIamPolicy", Kind: chaostest.Slow})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		k := cloudkms.New(cloudkms.Clients(c.Clients("WATCHER")), cloudkms.Options{Attempt: time.Hour})
		err := k.Apply(ctx, payments, step)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Quota exceeded") {
			t.Errorf("%v", err)
		}
	})
}

func TestACallerWithoutDeadlineDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := world(t, gcptest.Options{}, slices.Concat(reading, restoring)...)
		step := setStep(t, c, bind(byok, group))
		c.Inject(chaostest.Fault{Kind: chaostest.Throttle, Times: 1 << 20})
		begun := time.Now()
		err := keeper(c).Apply(t.Context(), payments, step)
		if took := time.Since(begun); err == nil || took < time.Minute || took > 2*time.Minute {
			t.Errorf("%v after %s", err, took)
		}
	})
}
