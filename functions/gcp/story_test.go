package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	sdk "google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
	"byokwatch/functions/functiontest"
	"byokwatch/functions/gcp/cloudkms"
	"byokwatch/functions/gcp/gcptest"
	"byokwatch/functions/gcp/gcsstore"
	"byokwatch/functions/wiring"
)

const (
	project  = "projects/acme-prod"
	ring     = project + "/locations/us-west1/keyRings/kafka"
	payments = ring + "/cryptoKeys/payments"
	group    = "group:cck-12345@confluent.io"
	others   = "group:platform@acme.example"
	auditor  = "user:auditor@acme.example"
	admin    = "user:admin@acme.example"
	self     = "byokwatch@acme-prod.iam.gserviceaccount.com"
	watcher  = "serviceAccount:" + self
	byok     = project + "/roles/kafka_payments_custom_kms_role"
	bucket   = "acme-byokwatch"
)

var confluentNeeds = []string{"cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt", "cloudkms.cryptoKeys.get"}

func bind(role string, members ...string) string {
	list, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"role":%q,"members":%s}`, role, list)
}

func until(binding, instant string) string {
	return strings.TrimSuffix(binding, "}") + `,"condition":{"title":"until then","expression":"request.time < timestamp(\"` + instant + `\")"}}`
}

func allow(bindings ...string) string {
	return `{"version":3,"bindings":[` + strings.Join(bindings, ",") + `]}`
}

var (
	gives = bind(byok, group)
	ours  = []string{bind("roles/cloudkms.admin", others), bind("roles/cloudkms.viewer", auditor)}
	armed = allow(append(slices.Clone(ours), gives)...)
	wiped = allow(ours...)
)

// story plays the whole pipeline in virtual time: the door, the loop, the rules,
// the real clients and the emulators, and everything but the process around
// them.
type story struct {
	*testing.T
	cloud *gcptest.Cloud
	admin gcptest.Clients
	keep  atomic.Pointer[cloudkms.Keeper]
	store *record.Store
	key   core.Key
	more  []core.Key // watched beside key
	chat  *functiontest.Chat
	seen  int // events delivered so far
	runs  int
}

// newCloud is a project with a key, in which the watchdog has the rights that it
// needs, above the key, and no others.
func newCloud(tb testing.TB, policy string) *gcptest.Cloud {
	tb.Helper()
	c := gcptest.New(gcptest.Options{})
	c.AddKey(payments, 2)
	c.Create(group, others, auditor, "user:somebody@acme.example")
	c.Login(gcptest.Caller{Token: "WATCHER", Member: watcher})
	c.Login(gcptest.Caller{Token: "ADMIN", Member: admin, Address: "203.0.113.7", Agent: "Terraform/1.5.7 terraform-provider-google/6.50.0"})
	c.AddRole(byok, confluentNeeds...)
	c.AddRole(project+"/roles/byokwatch", "cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeyVersions.list", "cloudkms.cryptoKeyVersions.get",
		"cloudkms.keyRings.getIamPolicy", "resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "iam.roles.get", "iam.denypolicies.list", "iam.denypolicies.get",
		"cloudkms.cryptoKeys.setIamPolicy", "cloudkms.cryptoKeyVersions.update")
	must(tb, c.SetPolicy(project, allow(bind("roles/owner", admin), bind(project+"/roles/byokwatch", watcher))))
	must(tb, c.SetPolicy(gcptest.BucketName(bucket), allow(bind("roles/storage.objectUser", watcher))))
	must(tb, c.SetPolicy(payments, policy))
	return c
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// newBucket is a Cloud Storage with one bucket, behind the emulator's rights.
func newBucket(tb testing.TB, c *gcptest.Cloud) (http.Handler, *fakestorage.Server) {
	tb.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Writer: io.Discard})
	must(tb, err)
	tb.Cleanup(server.Stop)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	return c.Guard(server.HTTPHandler()), server
}

// tell plays a story on an armed key: one whose first snapshot is taken.
func tell(t *testing.T, arm string, play func(s *story)) {
	t.Helper()
	tellOf(t, func(c *gcptest.Cloud) error { return c.SetPolicy(payments, arm) }, play)
}

func tellOf(t *testing.T, arm func(c *gcptest.Cloud) error, play func(s *story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &story{T: t, chat: &functiontest.Chat{}, cloud: newCloud(t, wiped)}
		must(t, arm(s.cloud))
		s.admin = s.cloud.Clients("ADMIN")
		s.restart()
		handler, _ := newBucket(t, s.cloud)
		client, err := storage.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: gcptest.InProcess(handler, "WATCHER")}))
		must(t, err)
		s.store = record.NewStore(gcsstore.New(client, bucket, "prod"), nil)
		s.key = core.Key{ID: payments, Cloud: core.GCP, Label: "payments", Mode: core.Enforce, Restore: core.Patch, KeyState: core.CareAlert,
			Needs: core.Confluent{Group: "cck-12345@confluent.io"}}
		s.tick()
		s.wantTold(alert.FirstSnapshot)
		s.chat.Forget()
		time.Sleep(time.Minute)
		play(s)
	})
}

// function is a process: its door, its memory of what it read, its lock.
func (s *story) function() *function {
	s.Helper()
	log := slog.New(slog.DiscardHandler)
	keys := append([]core.Key{s.key}, s.more...)
	return newFunction(log, func(context.Context) (*wiring.Watch, error) {
		dog, err := watchdog.New(watchdog.Config{
			Cloud: s.keep.Load(), Rules: rules, Store: s.store, Notifiers: []watchdog.Notifier{s.chat},
			Keys: keys, Self: self, Scope: self, Now: time.Now, Log: log,
			Reads: confirmReads, Every: confirmEvery, Settle: settle,
		})
		return &wiring.Watch{Keys: keys, Dog: dog}, err
	})
}

// restart forgets what a process remembers.
func (s *story) restart() {
	s.keep.Store(newKeeper(cloudkms.Clients(s.cloud.Clients("WATCHER")), self))
}

// serve hands a request to a process of its own, and says how it was answered.
func (s *story) serve(r *http.Request, limit time.Duration) int {
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	w := httptest.NewRecorder()
	s.function().ServeHTTP(w, r.WithContext(ctx))
	return w.Code
}

// form is another way of delivery for each event.
func (s *story) form() gcptest.Delivery {
	s.runs++
	return gcptest.Deliveries[s.runs%len(gcptest.Deliveries)]
}

func (s *story) tick() {
	s.Helper()
	if code := s.serve(s.cloud.Tick(s.form(), "http://function/"), 2*time.Minute); code != http.StatusOK {
		s.Fatalf("tick: %d", code)
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
		if code := s.serve(events[s.seen].Request(s.form(), "http://function/"), 2*time.Minute); code != http.StatusOK {
			s.Fatalf("event %s: %d", events[s.seen].Method, code)
		}
		events = s.cloud.Events()
	}
}

// edit writes the key's policy as the owner's pipeline does, authoritatively.
func (s *story) edit(policy string) {
	s.Helper()
	var p sdk.Policy
	must(s, json.Unmarshal([]byte(policy), &p))
	_, err := s.admin.KMS.Projects.Locations.KeyRings.CryptoKeys.SetIamPolicy(payments, &sdk.SetIamPolicyRequest{Policy: &p}).Do()
	must(s, err)
}

// put is edit with its event delivered.
func (s *story) put(policy string) {
	s.Helper()
	s.edit(policy)
	s.deliver()
}

func (s *story) ours() int {
	n := 0
	for _, w := range s.cloud.Writes(payments) {
		if strings.Contains(w.Caller, self) {
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
func (s *story) wantAccess(want bool) {
	s.Helper()
	for _, p := range confluentNeeds {
		if can, why := s.cloud.Can(group, p, payments); can != want {
			s.Errorf("Confluent's group may %s: %t (%s), want %t; policy\n%s", p, can, why, want, s.cloud.Policy(payments))
			return
		}
	}
}

// theirs is what a policy gives everybody but Confluent's group, as role,
// condition to the byte, and member: IAM merges bindings that say the same.
func theirs(tb testing.TB, policy string) []string {
	tb.Helper()
	var p struct {
		Bindings []struct {
			Role      string
			Members   []string
			Condition json.RawMessage
		}
	}
	must(tb, json.Unmarshal([]byte(policy), &p))
	var out []string
	for _, b := range p.Bindings {
		for _, m := range b.Members {
			if !strings.Contains(m, "cck-12345@confluent.io") {
				out = append(out, b.Role+" "+string(b.Condition)+" "+m)
			}
		}
	}
	slices.Sort(out)
	return out
}

// wantTheirs checks that none of our writes touched anybody else's binding.
func (s *story) wantTheirs() {
	s.Helper()
	for _, w := range s.cloud.Writes(payments) {
		before, after := theirs(s, w.Before), theirs(s, w.After)
		if strings.Contains(w.Caller, self) && !slices.Equal(before, after) {
			s.Errorf("our write made\n%q of\n%q", after, before)
		}
	}
}

// wantSnapshot checks that last-known-good is one in which Confluent has access.
func (s *story) wantSnapshot() {
	s.Helper()
	functiontest.WantGoodSnapshot(s, s.store, s.key, rules, self)
}

func (s *story) wantTold(codes ...alert.Code) {
	s.Helper()
	s.chat.WantTold(s, codes...)
}

// wantRecovered wants one restore and its recovery told. That Confluent has
// another role as well by now may be told beside.
func (s *story) wantRecovered() {
	s.Helper()
	told := slices.DeleteFunc(s.chat.Codes(), func(c alert.Code) bool { return c == alert.Widened })
	if !slices.Equal(told, []alert.Code{alert.Restored, alert.Recovered}) {
		s.Errorf("told %q", s.chat.Codes())
	}
}

// commands are all that alerts told people to run.
func (s *story) commands() string {
	var out []string
	for _, a := range s.chat.Got() {
		out = append(append(out, a.Facts.Commands...), a.Facts.Left...)
	}
	return strings.Join(out, "\n")
}
