package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"byokwatch/functions/azure/azuretest"
)

// world is one emulated Azure with a function app in it: the built handler below
// an imitation of the Functions host.
type world struct {
	place
	cloud *azuretest.Cloud
	admin azuretest.Person
	host  *azuretest.Host
	dir   string
	vars  map[string]string
	text  bool // events are handed over as texts
}

// yaml is the configuration of a world, whose records are in a directory.
func yaml(p place, store string) string {
	return fmt.Sprintf(`
mode: enforce
store: {azure: %q}
keys:
  - key: https://%s.vault.azure.net/keys/%s
    vault: %s
    label: payments
    confluent: {tenant: %s, application: %s, principal: %s, cluster: dedicated}
alerts:
  - stdout:
`, store, vaultName, keyName, p.vault, azuretest.DefaultTenant, others, reader)
}

// start makes a world with a key that Confluent can use. In a vault with access
// policies what was lost is given back at once; with Azure RBAC only after the
// minute that a pipeline may take to replace an assignment.
func start(tb testing.TB, rbac bool, change func(w *world, files map[string]string)) *world {
	tb.Helper()
	w := &world{dir: tb.TempDir()}
	w.cloud, w.place = newCloud(tb, azuretest.Options{}, rbac)
	if rbac {
		give(w.cloud, w.vault)
	} else {
		givePolicies(w.cloud, w.place)
	}
	w.admin = w.cloud.As("ADMIN")
	server := httptest.NewServer(w.cloud)
	tb.Cleanup(server.Close)
	w.vars = map[string]string{
		"BYOKWATCH_CONFIG": "byokwatch.yaml", "BYOKWATCH_SELF": self,
		"BYOKWATCH_MANAGEMENT_ENDPOINT": server.URL, "BYOKWATCH_KEYVAULT_ENDPOINT": server.URL,
	}
	files := map[string]string{"byokwatch.yaml": yaml(w.place, "file://"+tb.TempDir())}
	for _, name := range []string{"host.json", onChange + "/function.json", onTick + "/function.json"} {
		data, err := os.ReadFile(name)
		must(tb, err)
		files[name] = string(data)
	}
	if change != nil {
		change(w, files)
	}
	for name, text := range files {
		must(tb, os.MkdirAll(filepath.Dir(filepath.Join(w.dir, name)), 0o700))
		must(tb, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
	}
	w.run(tb)
	tb.Cleanup(func() {
		_ = w.host.Stop() // a test may have ended it
		if tb.Failed() {
			for _, l := range w.host.Lines() {
				tb.Log(l.Text)
			}
		}
	})
	return w
}

// run starts a process of the handler.
func (w *world) run(tb testing.TB) {
	tb.Helper()
	var env []string
	for _, name := range slices.Sorted(maps.Keys(w.vars)) {
		env = append(env, name+"="+w.vars[name])
	}
	host, err := azuretest.StartHost(azuretest.HostConfig{Dir: w.dir, Binary: binary.Build(tb, "."), Env: env, AsText: w.text})
	must(tb, err)
	w.host = host
	must(tb, host.Ready(patience(tb)))
}

// blobs puts Azurite behind the emulator's rights, with a container for records.
func (w *world) blobs(tb testing.TB, container string) (endpoint string) {
	tb.Helper()
	_, err := azuretest.NeedAzurite(tb).Container(tb.Context(), container)
	must(tb, err)
	w.cloud.AddStorage(account, resources)
	file := readPermissions(tb)
	at := w.cloud.Container(account, container)
	grant(w.cloud, map[string][]string{
		"container": {at}, "records": {"prod/records/"}, "kept": {"prod/kept/"}, "configurationContainer": {at}, "configuration": {"byokwatch.yaml"},
	}, nil, file.Reading...)
	server := httptest.NewServer(guarded(tb, w.cloud))
	tb.Cleanup(server.Close)
	return server.URL
}

// guarded is Azurite behind the emulator's rights.
func guarded(tb testing.TB, c *azuretest.Cloud) http.Handler {
	tb.Helper()
	upstream, err := url.Parse(azuretest.NeedAzurite(tb).Endpoint)
	must(tb, err)
	return c.Guard(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}, azuretest.AzuriteAccount, azuretest.AzuriteKey)
}

func patience(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 60*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// tick lets the timer's time come.
func (w *world) tick(tb testing.TB) error {
	tb.Helper()
	_, err := w.host.Tick(patience(tb))
	return err
}

// deliver has Event Grid bring events once, and says whether each was taken.
func (w *world) deliver(tb testing.TB, events ...[]byte) bool {
	tb.Helper()
	out, err := w.host.Deliver(patience(tb), azuretest.Delivery{Attempts: 1}, events...)
	must(tb, err)
	return !slices.ContainsFunc(out, func(o azuretest.Outcome) bool { return !o.OK() })
}

// arm lets a sweep take the first snapshot.
func (w *world) arm(tb testing.TB) {
	tb.Helper()
	must(tb, w.tick(tb))
}

// remove takes Confluent's access policy away, as a redeployment does, and
// returns the event of it.
func (w *world) remove(tb testing.TB) azuretest.Event {
	tb.Helper()
	must(tb, w.admin.SetAccessPolicies(w.vault, azuretest.AccessPolicy{ObjectID: others, Keys: []string{"get", "list"}}))
	return w.newest(tb, "Microsoft.KeyVault/vaults/write")
}

// newest is the last event of an operation.
func (w *world) newest(tb testing.TB, op string) azuretest.Event {
	tb.Helper()
	for _, e := range slices.Backward(w.cloud.Events()) {
		if e.Op == op {
			return e
		}
	}
	tb.Fatalf("no event of %s", op)
	return azuretest.Event{}
}

func (w *world) works() bool { return w.cloud.Works(reader, "dedicated", w.key) == nil }

// writes are those of the watchdog.
func (w *world) writes() []azuretest.Write {
	return slices.DeleteFunc(w.cloud.Writes(""), func(x azuretest.Write) bool { return x.Caller != self })
}

// used counts the function's calls.
func (w *world) used() int {
	return len(slices.DeleteFunc(w.cloud.Uses(), func(u azuretest.Use) bool { return u.Caller != self }))
}

// said is what the alerts on the standard output say.
func (w *world) said() string {
	var out []string
	for _, l := range w.host.Lines() {
		if !l.Stderr && !strings.HasPrefix(l.Text, "{") {
			out = append(out, l.Text)
		}
	}
	return strings.Join(out, "\n")
}

// lines are the log's lines, each of which must be as the host understands it.
func (w *world) lines(tb testing.TB) []map[string]any {
	tb.Helper()
	var out []map[string]any
	for _, l := range w.host.Lines() {
		if !l.Stderr && !strings.HasPrefix(l.Text, "{") {
			continue // an alert
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(l.Text), &fields); err != nil {
			tb.Fatalf("log line %q: %v", l.Text, err)
		}
		host := "Information"
		if l.Stderr {
			host = asHost(l.Text)
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(fields["time"])); err != nil || fields["severityLevel"] != host || fields["message"] == nil {
			tb.Errorf("log line %q lacks time or message, or the host says that it is %s", l.Text, host)
		}
		out = append(out, fields)
	}
	return out
}

func (w *world) errorLines(tb testing.TB) []map[string]any {
	tb.Helper()
	return slices.DeleteFunc(w.lines(tb), func(l map[string]any) bool { return l["severityLevel"] != "Error" })
}

// counter is a server that counts requests.
func counter(tb testing.TB) (url string, n *atomic.Int32) {
	tb.Helper()
	n = new(atomic.Int32)
	s := httptest.NewServer(countingHandler{n})
	tb.Cleanup(s.Close)
	return s.URL, n
}
