package gcptest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/iam/v1"
	iamv2 "google.golang.org/api/iam/v2"

	"byokwatch/functions/gcp/gcptest"
)

// logEntry is what these tests read of an entry.
type logEntry struct {
	LogName, InsertID, Timestamp, Severity string
	Operation                              *struct {
		ID          string
		First, Last bool
	}
	Resource struct {
		Type   string
		Labels map[string]string
	}
	ProtoPayload struct {
		ServiceName, MethodName, ResourceName string
		Status                                struct {
			Code    int
			Message string
		}
		AuthenticationInfo struct{ PrincipalEmail, PrincipalSubject string }
		RequestMetadata    struct{ CallerIP, CallerSuppliedUserAgent string }
		Request, Response  map[string]any
		ServiceData        map[string]any
	}
}

func parse(t *testing.T, data []byte) logEntry {
	t.Helper()
	var e logEntry
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// shape is where an entry has what: the members that are there, without their
// values.
func shape(prefix string, v any, out map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if strings.HasSuffix(prefix, ".labels") || strings.HasPrefix(prefix, ".protoPayload.request.") || strings.HasPrefix(prefix, ".protoPayload.response.") {
				out[prefix+"."+name] = true
				continue
			}
			shape(prefix+"."+name, member, out)
		}
	case []any:
		for _, member := range v {
			shape(prefix+"[]", member, out)
		}
	default:
		out[prefix] = true
	}
}

// TestEntriesAreShapedAsTheSamples plays what the samples show and compares
// where the two have what.
func TestEntriesAreShapedAsTheSamples(t *testing.T) {
	w := open(t, gcptest.Options{})
	w.check(w.set(w.read(3)))
	v := w.keys().CryptoKeyVersions
	_, err := v.Patch(key+"/cryptoKeyVersions/1", &cloudkms.CryptoKeyVersion{State: "DISABLED"}).UpdateMask("state").Do()
	w.check(err)
	_, err = v.Destroy(key+"/cryptoKeyVersions/1", &cloudkms.DestroyCryptoKeyVersionRequest{}).Do()
	w.check(err)
	_, err = w.Roles.Projects.Roles.Patch(byok, &iam.Role{IncludedPermissions: []string{get}}).UpdateMask("includedPermissions").Do()
	w.check(err)
	_, err = w.Roles.Projects.Roles.Delete(byok).Do()
	w.check(err)
	_, err = w.KMS.Projects.Locations.KeyRings.SetIamPolicy(ring, &cloudkms.SetIamPolicyRequest{Policy: &cloudkms.Policy{Etag: "ACAB", Version: 1}}).Do()
	w.check(err)
	p, err := w.Projects.Projects.GetIamPolicy(project, &cloudresourcemanager.GetIamPolicyRequest{}).Do()
	w.check(err)
	p.Bindings = append(p.Bindings, &cloudresourcemanager.Binding{Role: "roles/viewer", Members: []string{group}})
	_, err = w.Projects.Projects.SetIamPolicy(project, &cloudresourcemanager.SetIamPolicyRequest{Policy: p}).Do()
	w.check(err)
	for _, played := range w.Events() {
		e := parse(t, played.Entry)
		name := map[string]string{
			"SetIamPolicy" + key: "key-set-iam-policy", "SetIamPolicy" + ring: "ring-set-iam-policy",
			"UpdateCryptoKeyVersion" + key + "/cryptoKeyVersions/1": "version-disable", "DestroyCryptoKeyVersion" + key + "/cryptoKeyVersions/1": "version-destroy",
			"google.iam.admin.v1.UpdateRole" + byok: "role-update-gutted", "google.iam.admin.v1.DeleteRole" + byok: "role-delete",
			"google.cloud.resourcemanager.v3.Projects.SetIamPolicy" + project: "project-set-iam-policy-v3",
		}[e.ProtoPayload.MethodName+e.ProtoPayload.ResourceName]
		data, err := os.ReadFile(filepath.Join("testdata/events", name+".json"))
		if err != nil {
			t.Errorf("%s on %s: %v", e.ProtoPayload.MethodName, e.ProtoPayload.ResourceName, err)
			continue
		}
		got, want := map[string]bool{}, map[string]bool{}
		var a, b any
		w.check(json.Unmarshal(played.Entry, &a))
		w.check(json.Unmarshal(data, &b))
		shape("", a, got)
		shape("", b, want)
		for _, m := range []map[string]bool{got, want} {
			for member := range m { // what the samples' own callers happened to send
				if strings.Contains(member, "resourceAttributes") || strings.Contains(member, "resourceLocation") || strings.HasPrefix(member, ".protoPayload.request.") || strings.HasPrefix(member, ".protoPayload.response.") {
					delete(m, member)
				}
			}
		}
		for member := range want {
			if !got[member] {
				t.Errorf("%s: no %s", name, member)
			}
		}
		for member := range got {
			if !want[member] {
				t.Errorf("%s: the sample has no %s", name, member)
			}
		}
		sample := parse(t, data)
		if e.Resource.Type != sample.Resource.Type {
			t.Errorf("%s: resource type %s, want %s", name, e.Resource.Type, sample.Resource.Type)
		}
		if e.LogName != "projects/acme-prod/logs/cloudaudit.googleapis.com%2Factivity" {
			t.Errorf("%s: log %s", name, e.LogName)
		}
	}
	if n := len(w.Events()); n != 7 {
		t.Errorf("%d events", n)
	}
}

func TestReadsLeaveNoEntryAndFailuresDo(t *testing.T) {
	var told int
	w := open(t, gcptest.Options{Events: func(gcptest.Event) { told++ }})
	w.read(3)
	stranger := w.Cloud.Clients("NOBODY").KMS.Projects.Locations.KeyRings.CryptoKeys
	_, err := stranger.SetIamPolicy(key, &cloudkms.SetIamPolicyRequest{Policy: &cloudkms.Policy{}}).Do()
	refused(t, "a stranger", err, http.StatusForbidden, "")
	stale := w.read(3)
	w.check(w.set(w.read(3)))
	refused(t, "a stale etag", w.set(stale), http.StatusConflict, "")
	refused(t, "an unknown member", w.set(bindings(to(byok, "group:x@y.example"))), http.StatusBadRequest, "")
	var got []int
	for _, e := range w.Events() {
		entry := parse(t, e.Entry)
		got = append(got, entry.ProtoPayload.Status.Code)
		if e.Failed != (entry.Severity == "ERROR") || entry.ProtoPayload.Response != nil {
			t.Errorf("%s", e.Entry)
		}
	}
	if len(got) != 4 || got[0] != 7 || got[1] != 0 || got[2] != 10 || got[3] != 3 || told != 4 {
		t.Errorf("codes %v, %d told", got, told)
	}
	who := parse(t, w.Events()[1].Entry).ProtoPayload
	if who.AuthenticationInfo.PrincipalEmail != "admin@acme.example" || who.RequestMetadata.CallerIP != "203.0.113.7" || who.RequestMetadata.CallerSuppliedUserAgent != "gcloud" {
		t.Errorf("%+v", who)
	}
}

func TestALongRunningOperationHasTwoEntries(t *testing.T) {
	w := open(t, gcptest.Options{})
	rule := &iamv2.GoogleIamV2PolicyRule{DenyRule: &iamv2.GoogleIamV2DenyRule{DeniedPrincipals: []string{"principalSet://goog/public:all"}, DeniedPermissions: []string{"cloudkms.googleapis.com/cryptoKeys.get"}}}
	_, err := w.Deny.Policies.CreatePolicy("policies/cloudresourcemanager.googleapis.com%2Forganizations%2F8888/denypolicies", &iamv2.GoogleIamV2Policy{Rules: []*iamv2.GoogleIamV2PolicyRule{rule}}).PolicyId("everybody").Do()
	w.check(err)
	events := w.Events()
	if len(events) != 2 || events[0].Log != topLevel {
		t.Fatalf("%d events", len(events))
	}
	first, last := parse(t, events[0].Entry), parse(t, events[1].Entry)
	if !first.Operation.First || !last.Operation.Last || first.Operation.ID != last.Operation.ID || first.ProtoPayload.Request == nil || last.ProtoPayload.Response == nil || first.InsertID == last.InsertID {
		t.Errorf("%s\n%s", events[0].Entry, events[1].Entry)
	}
}

// TestEveryDeliveryBringsTheSameEntry takes each apart as its receiver would.
func TestEveryDeliveryBringsTheSameEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, gcptest.Options{})
		w.check(w.set(bindings()))
		e := w.Events()[0]
		for _, d := range gcptest.Deliveries {
			r := e.Request(d, "http://function.invalid/")
			body, err := io.ReadAll(r.Body)
			w.check(err)
			attributes := map[string]string{}
			for name := range r.Header {
				if a, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
					attributes[a] = r.Header.Get(name)
				}
			}
			if strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents+json") {
				var whole map[string]json.RawMessage
				w.check(json.Unmarshal(body, &whole))
				body = whole["data"]
				for name, raw := range whole {
					if name != "data" {
						var value string
						w.check(json.Unmarshal(raw, &value))
						attributes[name] = value
					}
				}
			}
			if d != gcptest.Push && (attributes["specversion"] != "1.0" || attributes["id"] == "" || attributes["source"] == "" || attributes["type"] == "") {
				t.Errorf("%s: attributes %v", d, attributes)
			}
			if d == gcptest.Push && len(attributes) > 0 {
				t.Errorf("%s: attributes %v", d, attributes)
			}
			if strings.HasPrefix(string(d), "pubsub") {
				var m struct {
					Message struct{ Data, MessageID string }
				}
				w.check(json.Unmarshal(body, &m))
				body, err = base64.StdEncoding.DecodeString(m.Message.Data)
				w.check(err)
			} else if attributes["methodname"] != "SetIamPolicy" || attributes["subject"] != "cloudkms.googleapis.com/"+key {
				t.Errorf("%s: attributes %v", d, attributes)
			}
			if string(body) != string(e.Entry) {
				t.Errorf("%s: %s", d, body)
			}
		}
		tick, err := io.ReadAll(w.Tick(gcptest.Push, "http://function.invalid/").Body)
		w.check(err)
		if !strings.Contains(string(tick), base64.StdEncoding.EncodeToString([]byte(`{"kind":"sweep"}`))) {
			t.Errorf("tick: %s", tick)
		}
	})
}

// TestSamplesAreWhatTheySay keeps the files in testdata from rotting: each is
// named in the README, and each is JSON or a request.
func TestSamplesAreWhatTheySay(t *testing.T) {
	readme, err := os.ReadFile("testdata/events/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			ProtoPayload struct{ ServiceName, MethodName, ResourceName string }
		}
		if err := json.Unmarshal(data, &e); err != nil || e.ProtoPayload.MethodName == "" || e.ProtoPayload.ServiceName == "" || e.ProtoPayload.ResourceName == "" {
			t.Errorf("%s: %v", file, err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if !named(string(readme), name) {
			t.Errorf("%s is not in the README", name)
		}
	}
}

// named says whether a README names a file, whole or by the ends that it shares
// with the others of its row.
func named(readme, name string) bool {
	for line := range strings.SplitSeq(readme, "\n") {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		parts := strings.Split(cell, ", ")
		stem := parts[0]
		for _, part := range parts {
			if part == name || strings.HasPrefix(part, "-") && strings.HasSuffix(name, part) && strings.HasPrefix(name, stem[:strings.IndexByte(stem+"-", '-')]) {
				return true
			}
			if !strings.HasPrefix(part, "-") {
				stem = part
			}
		}
	}
	return false
}
