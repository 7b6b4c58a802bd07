package azuretest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
)

const blobActions = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"

// store is a container that the watchdog has the given data actions on.
type store struct {
	world
	handler http.Handler
	client  *container.Client
}

func openStore(t *testing.T, upstream http.Handler, condition string, actions ...string) store {
	t.Helper()
	w := open(t, azuretest.Options{})
	w.AddStorage("acmebw", "rg-byokwatch")
	p := azuretest.Permission{}
	for _, a := range actions {
		p.DataActions = append(p.DataActions, blobActions+a)
	}
	role := w.AddCustomRole(azuretest.Role{Permissions: []azuretest.Permission{p}})
	w.Assign(azuretest.Assignment{Scope: w.Container("acmebw", "store"), Role: role, Principal: watcher, Condition: condition})
	s := store{w, w.Guard(upstream, azuretest.AzuriteAccount, azuretest.AzuriteKey), nil}
	o := &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: azuretest.InProcess(s.handler), Retry: policy.RetryOptions{MaxRetries: -1}}}
	c, err := container.NewClient("https://acmebw.blob.core.windows.net/store", azuretest.Credential("WATCHER"), o)
	w.check(err)
	s.client = c
	return s
}

func (s store) put(name, text string, match *blob.AccessConditions) error {
	_, err := s.client.NewBlockBlobClient(name).UploadBuffer(s.t.Context(), []byte(text), &blockblob.UploadBufferOptions{AccessConditions: match})
	return err
}

func (s store) get(name string) (string, error) {
	r, err := s.client.NewBlobClient(name).DownloadStream(s.t.Context(), nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	return string(data), err
}

func (s store) list(prefix string) (string, error) {
	var out []string
	for p := s.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix}); p.More(); {
		page, err := p.NextPage(s.t.Context())
		if err != nil {
			return "", err
		}
		for _, b := range page.Segment.BlobItems {
			out = append(out, *b.Name)
		}
	}
	return strings.Join(out, " "), nil
}

// shelf is a Blob service that knows no rights, of which these tests need little.
type shelf struct {
	blobs map[string]string
	seen  []*http.Request
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.seen = append(s.seen, r)
	name := strings.TrimPrefix(r.URL.Path, "/devstoreaccount1/store/")
	text, found := s.blobs[name]
	switch {
	case r.URL.Query().Get("sig") == "" || r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.URL.Path, "/devstoreaccount1/"):
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Query().Get("comp") == "list":
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>`)
	case r.Method == http.MethodPut:
		data, _ := io.ReadAll(r.Body)
		s.blobs[name] = string(data)
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodDelete && found:
		delete(s.blobs, name)
		w.WriteHeader(http.StatusAccepted)
	case !found:
		w.Header().Set("X-Ms-Error-Code", "BlobNotFound")
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, text)
	}
}

func TestTheRightsThatBlobStorageTakes(t *testing.T) {
	const mismatch = bloberror.AuthorizationPermissionMismatch
	path := "@Resource[" + strings.TrimSuffix(blobActions, "/") + ":path] StringLike 'prod/records/*'"
	prefix := "@Request[" + strings.TrimSuffix(blobActions, "/") + ":prefix] StringStartsWith 'prod/records/'"
	limited := "((!(ActionMatches{'" + blobActions + "read'} AND NOT SubOperationMatches{'Blob.List'}) AND !(ActionMatches{'" + blobActions + "write'})) OR (" + path + "))" +
		" AND ((!(ActionMatches{'" + blobActions + "read'} AND SubOperationMatches{'Blob.List'})) OR (" + prefix + "))"
	for sentence, c := range map[string]struct {
		actions   []string
		condition string
		call      func(s store) error
		used      string
		code      bloberror.Code // "" is success
	}{
		"reading takes read":           {[]string{"read"}, "", func(s store) error { _, err := s.get("old"); return err }, "read", ""},
		"reading without it":           {[]string{"write"}, "", func(s store) error { _, err := s.get("old"); return err }, "read", mismatch},
		"what is absent, without it":   {nil, "", func(s store) error { _, err := s.get("none"); return err }, "read", mismatch},
		"what is absent":               {[]string{"read"}, "", func(s store) error { _, err := s.get("none"); return err }, "read", bloberror.BlobNotFound},
		"listing takes read":           {[]string{"read"}, "", func(s store) error { _, err := s.list("prod/"); return err }, "read", ""},
		"listing without it":           {[]string{"write"}, "", func(s store) error { _, err := s.list("prod/"); return err }, "read", mismatch},
		"replacing takes write":        {[]string{"write"}, "", func(s store) error { return s.put("old", "2", nil) }, "write", ""},
		"creating takes write":         {[]string{"write"}, "", func(s store) error { return s.put("new", "2", nil) }, "write", ""},
		"or the right to add":          {[]string{"add/action"}, "", func(s store) error { return s.put("new", "2", nil) }, "add/action", ""},
		"which is not enough for more": {[]string{"add/action"}, "", func(s store) error { return s.put("old", "2", nil) }, "write", mismatch},
		"deleting takes delete":        {[]string{"delete"}, "", func(s store) error { _, err := s.client.NewBlobClient("old").Delete(t.Context(), nil); return err }, "delete", ""},
		"deleting without it": {[]string{"read", "write", "add/action"}, "", func(s store) error {
			_, err := s.client.NewBlobClient("old").Delete(t.Context(), nil)
			return err
		}, "delete", mismatch},
		"a condition on the path that holds":     {[]string{"read", "write"}, limited, func(s store) error { return s.put("prod/records/a/b.json", "1", nil) }, "write", ""},
		"a condition on the path that does not":  {[]string{"read", "write"}, limited, func(s store) error { return s.put("prod/requests/a.json", "1", nil) }, "write", mismatch},
		"a condition on the prefix that holds":   {[]string{"read"}, limited, func(s store) error { _, err := s.list("prod/records/azure"); return err }, "read", ""},
		"a list has no path":                     {[]string{"read"}, strings.Replace(path, "StringLike", "StringNotEquals", 1), func(s store) error { _, err := s.list("prod/"); return err }, "read", mismatch},
		"a condition on the prefix that doesn't": {[]string{"read"}, limited, func(s store) error { _, err := s.list("prod/"); return err }, "read", mismatch},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := openStore(t, &shelf{blobs: map[string]string{"old": "1"}}, c.condition, c.actions...)
			err := c.call(s)
			if c.code == "" {
				s.check(err)
			} else if !bloberror.HasCode(err, c.code) {
				t.Errorf("got %v, want %s", err, c.code)
			}
			uses := s.Uses()
			if len(uses) != 1 || uses[0].Permission != blobActions+c.used || !uses[0].DataAction || uses[0].Allowed != (c.code != mismatch) {
				t.Errorf("uses %+v, want %s", uses, c.used)
			}
		})
	}
}

func TestWhoMayNotComeToBlobStorageAtAll(t *testing.T) {
	s := openStore(t, &shelf{blobs: map[string]string{"old": "1"}}, "", "read")
	ask := func(host, token string) (*http.Response, error) {
		r, err := http.NewRequest(http.MethodGet, host, nil)
		s.check(err)
		r.Header.Set("X-Ms-Version", "2024-11-04")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return azuretest.InProcess(s.handler).RoundTrip(r)
	}
	for _, c := range []struct {
		where, token string
		status       int
	}{
		{"https://acmebw.blob.core.windows.net/store/old", "WATCHER", 200},
		{"http://127.0.0.1:1/acmebw/store/old", "WATCHER|https://storage.azure.com", 200},
		{"https://acmebw.blob.core.windows.net/store/old", "WATCHER|https://management.azure.com", 401},
		{"https://acmebw.blob.core.windows.net/store/old", "WHO", 401},
		{"https://acmebw.blob.core.windows.net/store/old", "", 401},
		{"https://acmebw.blob.core.windows.net/store/old", "NOBODY", 403},
		{"https://acmebw.blob.core.windows.net/other/old", "WATCHER", 403},
		{"https://acmebw.blob.core.windows.net/store?restype=container&comp=acl", "WATCHER", 400},
	} {
		resp, err := ask(c.where, c.token)
		s.check(err)
		if resp.StatusCode != c.status || (c.status == 401) != (resp.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s as %q: %d", c.where, c.token, resp.StatusCode)
		}
	}
	if _, err := ask("https://nobodys.blob.core.windows.net/store/old", "WATCHER"); err == nil {
		t.Error("an account that does not exist answered")
	}
	s.Login(azuretest.Caller{ObjectID: watcher})
	if resp, err := ask("http://127.0.0.1:1/acmebw/store/old", ""); err != nil || resp.StatusCode != 200 {
		t.Errorf("whoever shows no token was logged in, but: %v", err)
	}
}

func TestFaultsOfBlobStorage(t *testing.T) {
	up := &shelf{blobs: map[string]string{}}
	s := openStore(t, up, "", "read", "write")
	s.Inject(chaostest.Fault{Op: "PutBlob", Kind: chaostest.Throttle})
	if err := s.put("a", "1", nil); !bloberror.HasCode(err, bloberror.ServerBusy) || len(up.seen) != 0 {
		t.Errorf("%v", err)
	}
	s.Inject(chaostest.Fault{Op: "PutBlob", Resource: s.Container("acmebw", "store") + "/blobs/a", Kind: chaostest.Lost})
	if err := s.put("a", "1", nil); err == nil || up.blobs["a"] != "1" {
		t.Errorf("%v, %v", err, up.blobs)
	}
	s.Inject(chaostest.Fault{Kind: chaostest.Other, Status: 412, Code: "ConditionNotMet"})
	if err := s.put("a", "1", nil); !bloberror.HasCode(err, bloberror.ConditionNotMet) || s.Calls("PutBlob") != 3 {
		t.Errorf("%v", err)
	}
}

func TestBehindTheGuardIsARealAzurite(t *testing.T) {
	a := azuretest.NeedAzurite(t)
	at, err := url.Parse(a.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Container(t.Context(), "store"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }})
	defer server.Close()
	behind, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}, "", "read", "write")
	const object = "prod/records/azure/a b+c~.json"
	s.check(s.put(object, "1", &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}))
	err = s.put(object, "2", &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}})
	if !bloberror.HasCode(err, bloberror.BlobAlreadyExists) {
		t.Errorf("made twice: %v", err)
	}
	err = s.put(object, "2", &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(`"0x0"`))}})
	if !bloberror.HasCode(err, bloberror.ConditionNotMet) {
		t.Errorf("by an old ETag: %v", err)
	}
	if got, err := s.get(object); err != nil || got != "1" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.list("prod/"); err != nil || got != object {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.get("none"); !bloberror.HasCode(err, bloberror.BlobNotFound) {
		t.Errorf("what is absent: %v", err)
	}
	if _, err := s.client.NewBlobClient(object).Delete(t.Context(), nil); !bloberror.HasCode(err, bloberror.AuthorizationPermissionMismatch) {
		t.Errorf("deleted without the right: %v", err)
	}
}
