package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/confluent"
	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
	"byokwatch/core/watchdog"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
	"byokwatch/functions/functiontest"
	"byokwatch/functions/wiring"
)

// Whoever plays a part, by object ID.
const (
	reader = "aaaa0000-0000-4000-8000-00000000000c" // Confluent's service principal
	admin  = "aaaa0000-0000-4000-8000-00000000000a"
	others = "aaaa0000-0000-4000-8000-00000000000e" // somebody else's application
)

const (
	resources = "kafka-keys" // the resource group
	vaultName = "acme-vault"
	keyName   = "payments"
	account   = "acmebw"
)

var (
	encryption = confluent.AzureRoles()[0].ID
	looking    = confluent.AzureRoles()[1].ID
)

// place is where the stage's only vault and key are, as Azure spells them.
type place struct{ group, vault, key string }

func (p place) id() string { return strings.ToLower(p.key) }

// newCloud is an Azure with one vault and one key of two versions, in which the
// watchdog has the rights of permissions.json and no others, and Confluent none
// yet.
func newCloud(tb testing.TB, o azuretest.Options, rbac bool) (*azuretest.Cloud, place) {
	tb.Helper()
	c := azuretest.New(o)
	c.AddPrincipal(azuretest.Principal{ObjectID: reader, Name: "Confluent Cloud"})
	c.AddPrincipal(azuretest.Principal{ObjectID: self, Name: "byokwatch"})
	c.AddPrincipal(azuretest.Principal{ObjectID: others, Name: "warehouse"})
	c.AddPrincipal(azuretest.Principal{ObjectID: admin, Type: azuretest.User, Name: "Jane Doe", UPN: "jane@acme.example"})
	for _, token := range []string{"WATCHER", azuretest.LocalToken, ""} {
		c.Login(azuretest.Caller{Token: token, ObjectID: self})
	}
	c.Login(azuretest.Caller{Token: "ADMIN", ObjectID: admin, Address: "203.0.113.7"})
	spec := azuretest.VaultSpec{Name: vaultName, ResourceGroup: resources, RBAC: rbac}
	if !rbac {
		spec.Policies = []azuretest.AccessPolicy{{ObjectID: others, Keys: []string{"get", "list"}}}
	}
	p := place{group: c.Subscription() + "/resourceGroups/" + resources, vault: c.AddVault(spec)}
	p.key = c.AddKey(azuretest.KeySpec{Vault: p.vault, Name: keyName, Versions: 2})
	for _, role := range []string{"Owner", "Key Vault Administrator"} {
		c.Assign(azuretest.Assignment{Scope: c.Subscription(), Role: role, Principal: admin})
	}
	c.Assign(azuretest.Assignment{Scope: p.vault, Role: "Key Vault Crypto User", Principal: others})
	file := readPermissions(tb)
	scopes := map[string][]string{"groups": {p.group}, "enabling": {p.key}, "firewalls": {p.vault}, "policyVaults": {p.vault}}
	if rbac {
		delete(scopes, "policyVaults")
		scopes["assigning"] = []string{p.group}
	}
	grant(c, scopes, []string{reader}, slices.Concat(file.Reading, file.Restoring)...)
	return c, p
}

// give assigns Confluent the two roles that it asks for, at a scope.
func give(c *azuretest.Cloud, scope string) {
	for _, role := range []string{encryption, looking} {
		c.Assign(azuretest.Assignment{Scope: scope, Role: role, Principal: reader})
	}
}

// story plays the whole pipeline in virtual time: the door, the loop, the rules,
// the real clients and the emulator, and everything but the process around them.
type story struct {
	*testing.T
	place
	cloud *azuretest.Cloud
	admin azuretest.Person
	keep  atomic.Pointer[keyvault.Keeper]
	store *record.Store
	key   core.Key
	more  []core.Key // watched beside key
	chat  *functiontest.Chat
	// policies says that the vault has access policies.
	policies bool
	seen     int // events delivered so far
	runs     atomic.Int32
}

// opening is how a story begins. The zero value is a vault with Azure RBAC in
// which Confluent has what it asks for.
type opening struct {
	azure    azuretest.Options
	policies bool                               // the vault has access policies
	arm      func(c *azuretest.Cloud, at place) // gives Confluent access; nil: as Confluent asks for
	key      func(k *core.Key)                  // changes the configuration
}

// tell plays a story on an armed key: one whose first snapshot is taken.
func tell(t *testing.T, o opening, play func(s *story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &story{T: t, policies: o.policies, chat: &functiontest.Chat{}, store: record.NewStore(storetest.NewMemory(time.Now), nil)}
		s.cloud, s.place = newCloud(t, o.azure, !o.policies)
		if o.arm == nil {
			o.arm = func(c *azuretest.Cloud, at place) { give(c, at.vault) }
		}
		o.arm(s.cloud, s.place)
		s.admin = s.cloud.As("ADMIN")
		s.restart()
		s.key = core.Key{ID: s.id(), Vault: strings.ToLower(s.vault), Cloud: core.Azure, Label: "payments", Mode: core.Enforce, Restore: core.Patch,
			KeyState: core.CareAlert, Network: core.CareAlert, Needs: core.Confluent{Principal: reader, Cluster: confluent.AzureDedicated}}
		if o.key != nil {
			o.key(&s.key)
		}
		s.tick()
		s.wantTold(alert.FirstSnapshot)
		s.chat.Forget()
		s.seen = len(s.cloud.Events())
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
			Cloud: s.keep.Load(), Rules: rules, Expect: expect(s.keep.Load()), Store: s.store, Notifiers: []watchdog.Notifier{s.chat},
			Keys: keys, Self: self, Scope: self, Now: time.Now, Log: log,
			Reads: confirmReads, Every: confirmEvery, Settle: settle, Reserve: reserve,
		})
		return &wiring.Watch{Keys: keys, Dog: dog}, err
	})
}

// restart forgets what a process remembers.
func (s *story) restart() {
	s.keep.Store(newKeeper(keyvault.Access{
		Credential: azuretest.Credential("WATCHER"), ARM: s.cloud.ARM(), Keys: azcore.ClientOptions{Transport: s.cloud.RoundTripper()},
	}, self))
}

// serve hands a call of the host to a process of its own, which is cut off after
// limit, and says how it was answered.
func (s *story) serve(function, data string, limit time.Duration) int {
	f := s.function()
	f.limit = min(f.limit, limit)
	w := httptest.NewRecorder()
	invocation := fmt.Sprintf("invocation-%d", s.runs.Add(1))
	f.ServeHTTP(w, post("/"+function, invocation, `{"Data":{`+data+`},"Metadata":{"sys":{"MethodName":"`+function+`"}}}`))
	return w.Code
}

// forms are the ways in which the host may hand over an event.
var forms = []func(azuretest.Event) string{
	func(e azuretest.Event) string { return string(e.Grid()) },
	func(e azuretest.Event) string { return string(e.Cloud()) },
	func(e azuretest.Event) string { return quoted(quoted(string(e.Grid()))) },
}

func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a form in JSON
	}
	return string(out)
}

const tickData = `"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}`

// hand is one delivery of an event, in one form after the other.
func (s *story) hand(e azuretest.Event, limit time.Duration) int {
	form := forms[int(s.runs.Load())%len(forms)]
	return s.serve(onChange, `"event":`+form(e), limit)
}

func (s *story) tick() {
	s.Helper()
	if code := s.serve(onTick, tickData, maxSweep); code != http.StatusOK {
		s.Fatalf("tick: %d", code)
	}
}

// passes lets time go on, with a tick every minute.
func (s *story) passes(d time.Duration) {
	s.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(time.Minute)
		s.deliver()
		s.tick()
	}
}

// deliver hands over what happened since the last time, our own writes as well.
func (s *story) deliver() {
	s.Helper()
	for events := s.cloud.Events(); s.seen < len(events); s.seen++ {
		if code := s.hand(events[s.seen], maxEvent); code != http.StatusOK {
			s.Fatalf("event %s: %d", events[s.seen].Op, code)
		}
		events = s.cloud.Events()
	}
}

// assigned are the assignments of a principal that are made at the vault or the
// resource group, by ID.
func (s *story) assigned(scope, principal string) []azuretest.Assignment {
	return s.cloud.Assignments(scope, principal)
}

// strip takes Confluent's assignments away, as a pipeline does that no longer has
// them.
func (s *story) strip() {
	s.Helper()
	for _, a := range s.assigned(s.vault, reader) {
		if strings.EqualFold(a.Scope, s.vault) {
			must(s, s.admin.DeleteAssignment(a.Scope+"/providers/Microsoft.Authorization/roleAssignments/"+a.Name))
		}
	}
}

// ours are the writes of the watchdog.
func (s *story) ours() []azuretest.Write {
	return slices.DeleteFunc(s.cloud.Writes(""), func(w azuretest.Write) bool { return w.Caller != self })
}

func (s *story) wantOurs(n int) {
	s.Helper()
	if got := s.ours(); len(got) != n {
		s.Errorf("the watchdog wrote %d times, want %d: %+v", len(got), n, got)
	}
}

// wantAccess asks the emulator, which evaluates on its own, not our judge.
func (s *story) wantAccess(want bool) {
	s.Helper()
	if err := s.cloud.Works(reader, s.key.Needs.Cluster, s.key.ID); (err == nil) != want {
		s.Errorf("Confluent's access: %v, want %t", err, want)
	}
}

// wantSnapshot checks that last-known-good is one in which Confluent has access.
func (s *story) wantSnapshot() {
	s.Helper()
	functiontest.WantGoodSnapshot(s, s.store, s.key, rules, self)
}

func (s *story) codes() []alert.Code { return s.chat.Codes() }

func (s *story) wantTold(codes ...alert.Code) {
	s.Helper()
	s.chat.WantTold(s, codes...)
}

func (s *story) told(code alert.Code) alert.Alert { return s.chat.Told(code) }

// commands are all that alerts told people to run.
func (s *story) commands() string {
	var out []string
	for _, a := range s.chat.Got() {
		out = append(append(out, a.Facts.Commands...), a.Facts.Left...)
	}
	return strings.Join(out, "\n")
}

// givePolicies writes Confluent an access policy, and the role that access
// policies can't stand in for.
func givePolicies(c *azuretest.Cloud, at place) {
	c.Assign(azuretest.Assignment{Scope: at.vault, Role: looking, Principal: reader})
	if err := c.As("ADMIN").EditAccessPolicies(at.vault, "add", confluentsPolicy); err != nil {
		panic(err) // the administrator owns the subscription
	}
}

var confluentsPolicy = azuretest.AccessPolicy{ObjectID: reader, Keys: confluent.AzureAccessPolicy()}

// remove takes Confluent's access away by whatever the vault gives it.
func (s *story) remove() {
	s.Helper()
	if s.policies {
		must(s, s.admin.SetAccessPolicies(s.vault, azuretest.AccessPolicy{ObjectID: others, Keys: []string{"get", "list"}}))
		return
	}
	s.strip()
}

// wantTheirs checks that what others have is what they had.
func (s *story) wantTheirs() {
	s.Helper()
	if ok, why := s.cloud.CanData(others, confluent.AzureKeyRead, s.key.ID); !ok {
		s.Errorf("the other application lost its access: %s", why)
	}
	for _, w := range s.ours() {
		if !strings.Contains(w.After, reader) && w.Op != "Microsoft.KeyVault/vaults/write" {
			s.Errorf("our write is about somebody else: %s", w.After)
		}
	}
}
