package gcptest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/emulatortest"
)

var (
	objectPath = regexp.MustCompile(`^/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)$`)
	listPath   = regexp.MustCompile(`^/storage/v1/b/([^/]+)/o$`)
	uploadPath = regexp.MustCompile(`^/upload/storage/v1/b/([^/]+)/o$`)
)

// BucketName is a bucket as policies and conditions name it; SetPolicy takes it.
// Its objects are under it, in objects/
// (https://docs.cloud.google.com/iam/docs/conditions-resource-attributes#resource-name).
func BucketName(bucket string) string { return "projects/_/buckets/" + bucket }

// Guard stands before a Cloud Storage emulator that knows no rights: it finds
// out who calls, checks and records the permissions that the JSON API takes
// (https://docs.cloud.google.com/storage/docs/access-control/iam-json), and lets
// faults happen. Their operations are objects.get, objects.list and
// objects.insert. Buckets belong to the first project.
func (c *Cloud) Guard(next http.Handler) http.Handler { return guard{c, next} }

type guard struct {
	c    *Cloud
	next http.Handler
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	op, bucket, object := storageCall(r, body)
	if op == "" {
		answer(w, nil, absent("No such method here: %s %s", r.Method, r.URL.Path))
		return
	}
	fate := g.c.Fate(op, BucketName(bucket)+"/objects/"+object)
	if g.c.opts.Sleep(r.Context(), fate.Slow) != nil || fate.Kind == chaostest.Dropped {
		panic(http.ErrAbortHandler)
	}
	if f := doomed(fate); f != nil {
		answer(w, nil, f)
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if f := g.check(token, op, bucket, object); f != nil {
		answer(w, nil, f)
		return
	}
	rec := emulatortest.NewRecorder()
	g.next.ServeHTTP(rec, r)
	if fate.Kind == chaostest.Lost {
		panic(http.ErrAbortHandler)
	}
	if op == "objects.get" && rec.Status() == http.StatusNotFound && !g.allowed(token, "storage.objects.list", BucketName(bucket)) {
		// https://docs.cloud.google.com/storage/docs/json_api/v1/objects/get
		answer(w, nil, denied("%s does not have storage.objects.list access to the Google Cloud Storage bucket. Permission 'storage.objects.list' denied on resource (or it may not exist).", token))
		return
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Status())
	_, _ = w.Write(rec.Body()) // the client may be gone, as on any server
}

func storageCall(r *http.Request, body []byte) (op, bucket, object string) {
	path := r.URL.EscapedPath()
	if m := objectPath.FindStringSubmatch(path); m != nil && r.Method == http.MethodGet {
		return "objects.get", m[1], unescape(m[2])
	}
	if m := listPath.FindStringSubmatch(path); m != nil && r.Method == http.MethodGet {
		return "objects.list", m[1], ""
	}
	if m := uploadPath.FindStringSubmatch(path); m != nil && r.Method == http.MethodPost {
		return "objects.insert", m[1], uploadName(r.Header.Get("Content-Type"), body)
	}
	return "", "", ""
}

func unescape(s string) string {
	u, err := http.NewRequest(http.MethodGet, "http://x/"+s, nil)
	if err != nil {
		return s
	}
	return strings.TrimPrefix(u.URL.Path, "/")
}

// uploadName is the object that a multipart upload names in its first part.
func uploadName(contentType string, body []byte) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	part, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).NextPart()
	if err != nil {
		return ""
	}
	var o struct{ Name string }
	if json.NewDecoder(part).Decode(&o) != nil {
		return ""
	}
	return o.Name
}

// check takes the permissions of a call. To replace an object takes the right to
// delete it as well.
func (g guard) check(token, op, bucket, object string) *failure {
	name := BucketName(bucket) + "/objects/" + object
	switch op {
	case "objects.get":
		return g.take(token, "storage.objects.get", name)
	case "objects.list":
		return g.take(token, "storage.objects.list", BucketName(bucket))
	}
	if f := g.take(token, "storage.objects.create", name); f != nil {
		return f
	}
	rec := emulatortest.NewRecorder()
	g.next.ServeHTTP(rec, must(http.NewRequest(http.MethodGet, "https://storage.googleapis.com/storage/v1/b/"+bucket+"/o/"+strings.ReplaceAll(object, "/", "%2F"), http.NoBody)))
	if rec.Status() == http.StatusNotFound {
		return nil
	}
	return g.take(token, "storage.objects.delete", name)
}

func (g guard) allowed(token, permission, resource string) bool {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	ok, _ := g.c.allowed(g.c.callers[token].Member, permission, resource)
	return ok
}

func (g guard) take(token, permission, resource string) *failure {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	who, known := g.c.callers[token]
	if !known {
		return &failure{http.StatusUnauthorized, "UNAUTHENTICATED", "Anonymous caller does not have " + permission + " access."}
	}
	ok, _ := g.c.allowed(who.Member, permission, resource)
	g.c.uses = append(g.c.uses, Use{Caller: who.Member, Permission: permission, Resource: resource, At: g.c.opts.Now(), Allowed: ok})
	if !ok {
		return denied("%s does not have %s access to the Google Cloud Storage object. Permission '%s' denied on resource (or it may not exist).", who.Member, permission, permission)
	}
	return nil
}
