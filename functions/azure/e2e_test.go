package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/functiontest"
)

type countingHandler struct{ n *atomic.Int32 }

func (h countingHandler) ServeHTTP(http.ResponseWriter, *http.Request) { h.n.Add(1) }

func TestConfluentIsRemovedAndGivenBack(t *testing.T) {
	for name, form := range map[string]struct {
		event func(azuretest.Event) []byte
		text  bool
	}{
		"by an event of Event Grid's own form": {azuretest.Event.Grid, false},
		"by a CloudEvent":                      {azuretest.Event.Cloud, false},
		"by an event as a text":                {azuretest.Event.Grid, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, false, func(w *world, _ map[string]string) { w.text = form.text })
			w.arm(t)
			functiontest.Eventually(t, "the first snapshot is posted", func() bool { return strings.Contains(w.said(), "PROTECTED") })
			event := w.remove(t)
			if w.works() {
				t.Fatal("the test's own edit takes nothing away")
			}
			if !w.deliver(t, form.event(event)) || !w.works() {
				t.Fatalf("Confluent is not back: %v", w.cloud.Works(reader, "dedicated", w.key))
			}
			writes := w.writes()
			if len(writes) != 1 || writes[0].Op != "Microsoft.KeyVault/vaults/accessPolicies/write" || !strings.Contains(writes[0].After, others) {
				t.Errorf("wrote %+v", writes)
			}
			functiontest.Eventually(t, "the restore is told", func() bool { return strings.Contains(w.said(), "RESTORED") })
			told := w.said()
			for _, want := range []string{"payments", "jane@acme.example", "Azure portal"} {
				if !strings.Contains(told, want) {
					t.Errorf("the alert does not say %q:\n%s", want, told)
				}
			}
			// The echo of our own write ends in nothing, and nobody is told twice.
			for _, again := range []azuretest.Event{w.newest(t, "Microsoft.KeyVault/vaults/accessPolicies/write"), event} {
				if !w.deliver(t, form.event(again)) {
					t.Error("a redelivery fails")
				}
			}
			if n := len(w.writes()); n != 1 {
				t.Errorf("%d writes after the echo and a redelivery", n)
			}
			if now := w.said(); strings.Count(now, "RESTORED") != strings.Count(told, "RESTORED") {
				t.Errorf("the restore is told again:\n%s", now)
			}
			handled := func() int {
				return len(slices.DeleteFunc(w.lines(t), func(l map[string]any) bool { return l["message"] != "handled" || l["key"] != w.id() }))
			}
			functiontest.Eventually(t, "four handled lines", func() bool { return handled() == 4 })
			for _, line := range w.lines(t) {
				if line["message"] == "handled" && (line["invocation"] == nil || line["verdict"] == nil || line["plan"] == nil || line["outcome"] == nil) {
					t.Errorf("log line lacks a field: %v", line)
				}
			}
		})
	}
}

// With Azure RBAC, an event only says when the minute begins, and a tick ends it.
func TestALostAssignmentIsGivenBackAfterAMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	w := start(t, true, nil)
	w.arm(t)
	for _, a := range w.cloud.Assignments(w.vault, reader) {
		must(t, w.admin.DeleteAssignment(a.Scope+"/providers/Microsoft.Authorization/roleAssignments/"+a.Name))
	}
	event := w.newest(t, "Microsoft.Authorization/roleAssignments/delete")
	if !w.deliver(t, event.Grid()) || w.works() || len(w.writes()) != 0 {
		t.Fatalf("the event does not wait for a replacement: %+v", w.writes())
	}
	time.Sleep(61 * time.Second)
	must(t, w.tick(t))
	if !w.works() || len(w.writes()) != 2 {
		t.Errorf("%v; wrote %+v", w.cloud.Works(reader, "dedicated", w.key), w.writes())
	}
}

func TestEventsThatConcernNobodyMakeNoCall(t *testing.T) {
	t.Parallel()
	w := start(t, false, nil)
	w.arm(t)
	event := string(w.remove(t).Grid())
	for name, e := range map[string]string{
		"a vault that is not protected": strings.ReplaceAll(event, "/vaults/"+vaultName, "/vaults/"+vaultName+"-2"),
		"a failed call":                 strings.ReplaceAll(event, "ResourceWriteSuccess", "ResourceWriteFailure"),
		"another resource group":        strings.ReplaceAll(event, "/"+resources, "/"+resources+"-2"),
		"another operation":             strings.ReplaceAll(event, "Microsoft.KeyVault/vaults/write", "Microsoft.Storage/storageAccounts/write"),
		"another event":                 strings.ReplaceAll(event, "Microsoft.Resources.ResourceWriteSuccess", "Microsoft.EventGrid.SubscriptionValidationEvent"),
	} {
		before := w.used()
		if !w.deliver(t, []byte(e)) {
			t.Errorf("%s: failed", name)
		}
		if n := w.used() - before; n != 0 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
	if lines := w.errorLines(t); len(lines) != 0 {
		t.Errorf("error lines %v", lines)
	}
}

func TestWhatCannotBeReadIsToldOnceAndKeptByThePlatform(t *testing.T) {
	t.Parallel()
	w := start(t, false, nil)
	w.arm(t)
	const bad = `{"id":"100%s","eventType":"Microsoft.Resources.ResourceWriteSuccess","data":{"operationName":"Microsoft.KeyVault/vaults/write"}}`
	for range 3 {
		if w.deliver(t, []byte(bad)) {
			t.Error("an event that can't be read is taken")
		}
	}
	functiontest.Eventually(t, "each is logged", func() bool { return len(w.errorLines(t)) == 3 })
	if n := strings.Count(w.said(), "EVENT UNREADABLE"); n != 1 {
		t.Errorf("told %d times:\n%s", n, w.said())
	}
	for _, value := range []any{nil, "", "hello", 7, []int{}, map[string]int{"hello": 1}} {
		_, err := w.host.Invoke(patience(t), onChange, value)
		var failed *azuretest.InvocationError
		if !errors.As(err, &failed) || failed.Status != http.StatusInternalServerError || failed.Hung {
			t.Errorf("%v: %v", value, err)
		}
	}
	// And the function goes on.
	if !w.deliver(t, w.remove(t).Grid()) || !w.works() {
		t.Error("Confluent is not back")
	}
	if w.host.Starts() != 1 {
		t.Errorf("started %d times", w.host.Starts())
	}
}

func TestAForgedEventOnlyCausesALook(t *testing.T) {
	t.Parallel()
	w := start(t, false, nil)
	w.arm(t)
	event := w.remove(t)
	must(t, w.admin.EditAccessPolicies(w.vault, "add", confluentsPolicy))
	if !w.deliver(t, event.Grid()) || len(w.writes()) != 0 {
		t.Errorf("wrote %+v", w.writes())
	}
}

// What may pass is an error to the platform, whose redelivery does the work.
func TestAnOutageIsLeftToTheRedelivery(t *testing.T) {
	t.Parallel()
	w := start(t, false, nil)
	w.arm(t)
	event := w.remove(t)
	w.cloud.SetOdds(chaostest.Odds{Unavailable: 1})
	begun := time.Now()
	if w.deliver(t, event.Grid()) || w.works() {
		t.Error("the outage lets a write through")
	}
	if took := time.Since(begun); took > maxEvent {
		t.Errorf("the failure took %s", took)
	}
	w.cloud.SetOdds(chaostest.Odds{})
	if !w.deliver(t, event.Grid()) || !w.works() {
		t.Error("Confluent is not back")
	}
}

func TestAnotherInstanceGoesOn(t *testing.T) {
	t.Parallel()
	w := start(t, false, nil)
	w.arm(t)
	must(t, w.host.Stop())
	event := w.remove(t)
	w.run(t)
	if !w.deliver(t, event.Grid()) || !w.works() {
		t.Error("Confluent is not back")
	}
}

// An instance that the platform takes away brings to an end what it has begun.
func TestWhatWasBegunIsBroughtToAnEnd(t *testing.T) {
	t.Parallel()
	w := start(t, false, nil)
	w.arm(t)
	event := w.remove(t)
	w.cloud.SetOdds(chaostest.Odds{Slow: 1, SlowFor: 300 * time.Millisecond})
	before := w.used()
	var ended sync.WaitGroup
	taken := false
	ended.Go(func() { taken = w.deliver(t, event.Grid()) })
	functiontest.Eventually(t, "the event is being worked on", func() bool { return w.used() > before })
	if err := w.host.Stop(); err != nil {
		t.Logf("Stop: %v", err) // the imitated host is less patient than the handler
	}
	ended.Wait()
	if !w.works() {
		t.Errorf("Confluent is not back; taken: %t", taken)
	}
}

func TestTheConfigurationIsPinned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sum  func(text string) string
		want string
	}{
		"by its own sum": {func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }, ""},
		"by another":     {func(string) string { return strings.Repeat("0", 64) }, "nothing is protected"},
		"by no sum":      {func(string) string { return "" }, "BYOKWATCH_CONFIG_SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, false, func(w *world, files map[string]string) {
				path := filepath.Join(t.TempDir(), "pinned.yaml")
				must(t, os.WriteFile(path, []byte(files["byokwatch.yaml"]), 0o600))
				w.vars["BYOKWATCH_CONFIG"], w.vars["BYOKWATCH_CONFIG_SHA256"] = "file://"+path, test.sum(files["byokwatch.yaml"])
			})
			if err := w.tick(t); (err == nil) != (test.want == "") {
				t.Errorf("%v", err)
			}
			if test.want == "" {
				return
			}
			functiontest.Eventually(t, "the error is logged", func() bool { return len(w.errorLines(t)) > 0 })
			if lines := w.errorLines(t); len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]), test.want) || w.used() != 0 {
				t.Errorf("%d calls, error lines %v", w.used(), lines)
			}
		})
	}
}

// Records and the configuration in Blob Storage, with the rights of
// permissions.json and no others.
func TestRecordsAreKeptInBlobStorage(t *testing.T) {
	t.Parallel()
	w := start(t, false, func(w *world, files map[string]string) {
		text := yaml(w.place, "azblob://"+account+"/records-e2e/prod")
		w.vars["BYOKWATCH_BLOB_ENDPOINT"] = w.blobs(t, "records-e2e")
		upload(t, "records-e2e", "byokwatch.yaml", text)
		w.vars["BYOKWATCH_CONFIG"], w.vars["BYOKWATCH_CONFIG_SHA256"] = "azblob://"+account+"/records-e2e/byokwatch.yaml", fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		delete(files, "byokwatch.yaml")
	})
	w.arm(t)
	if !w.deliver(t, w.remove(t).Grid()) || !w.works() {
		t.Error("Confluent is not back")
	}
	for _, u := range w.cloud.Uses() {
		if u.Caller == self && !u.Allowed {
			t.Errorf("refused: %s on %s", u.Permission, u.Resource)
		}
	}
}

// upload puts a blob past the emulator's rights.
func upload(t *testing.T, container, name, text string) {
	t.Helper()
	azurite := azuretest.NeedAzurite(t)
	key, err := blob.NewSharedKeyCredential(azuretest.AzuriteAccount, azuretest.AzuriteKey)
	must(t, err)
	client, err := blockblob.NewClientWithSharedKeyCredential(azurite.Endpoint+"/"+azuretest.AzuriteAccount+"/"+container+"/"+name, key, nil)
	must(t, err)
	_, err = client.UploadBuffer(t.Context(), []byte(text), nil)
	must(t, err)
}

func TestTheHeartbeatFollowsACompleteSweep(t *testing.T) {
	t.Parallel()
	url, beats := counter(t)
	w := start(t, false, func(w *world, files map[string]string) {
		files["byokwatch.yaml"] += "heartbeat: {url: \"${BEAT}\"}\n"
		w.vars["BEAT"] = url
	})
	w.arm(t)
	if n := beats.Load(); n != 1 {
		t.Errorf("%d beats after a sweep", n)
	}
	if !w.deliver(t, w.remove(t).Grid()) || beats.Load() != 1 {
		t.Errorf("%d beats after an event", beats.Load())
	}
	w.cloud.SetOdds(chaostest.Odds{Internal: 1})
	if err := w.tick(t); err == nil || beats.Load() != 1 {
		t.Errorf("%d beats after a sweep that could not look, %v", beats.Load(), err)
	}
}

// A handler without a configuration is there all the same, and each invocation
// says what is missing: one that exits is given up by the host.
func TestAHandlerWithoutAConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, files map[string]string){
		"BYOKWATCH_CONFIG is not set": func(w *world, _ map[string]string) { delete(w.vars, "BYOKWATCH_CONFIG") },
		"BYOKWATCH_SELF":              func(w *world, _ map[string]string) { w.vars["BYOKWATCH_SELF"] = "byokwatch" },
		"no such file":                func(_ *world, files map[string]string) { delete(files, "byokwatch.yaml") },
		"has no key of Azure": func(_ *world, files map[string]string) {
			files["byokwatch.yaml"] = "mode: observe\nstore: {gcp: gs://acme/prod}\nkeys:\n  - key: projects/acme/locations/us-west1/keyRings/kafka/cryptoKeys/payments\n    confluent: {group: \"cck-12345@confluent.io\"}\nalerts: [{stdout: {}}]\n"
		},
	} {
		w := start(t, false, change)
		if w.tick(t) == nil || w.deliver(t, w.remove(t).Grid()) {
			t.Errorf("%s: an invocation succeeds", name)
		}
		functiontest.Eventually(t, "errors are logged", func() bool { return len(w.errorLines(t)) == 2 })
		for _, l := range w.errorLines(t) {
			if text := fmt.Sprint(l["error"]); !strings.HasPrefix(text, "nothing is protected: ") || !strings.Contains(text, name) {
				t.Errorf("%s: %v", name, l)
			}
		}
		if w.host.Starts() != 1 {
			t.Errorf("%s: started %d times", name, w.host.Starts())
		}
	}
}

func TestWhatStopsTheProcess(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{
		"an endpoint of somebody else": "BYOKWATCH_MANAGEMENT_ENDPOINT=https://management.azure.com.evil.example",
		"an authority of somebody":     "AZURE_AUTHORITY_HOST=https://login.evil.example",
		"no port":                      "FUNCTIONS_CUSTOMHANDLER_PORT=http",
	} {
		cmd := exec.Command(binary.Build(t, "."))
		cmd.Env = []string{"FUNCTIONS_CUSTOMHANDLER_PORT=1", setting}
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), strings.Split(setting, "=")[0]) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
