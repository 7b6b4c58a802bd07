package azuretest

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/emulatortest"
)

// AddStorage makes a storage account exist, so that roles can be assigned there,
// and returns its ID.
func (c *Cloud) AddStorage(account, group string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if group == "" {
		group = "rg-kafka"
	}
	rg := c.Subscription() + "/resourceGroups/" + group
	if c.groups[fold(rg)] == "" {
		c.groups[fold(rg)] = rg
	}
	c.storage[account] = c.groups[fold(rg)] + "/providers/Microsoft.Storage/storageAccounts/" + account
	return c.storage[account]
}

// Container is the ID of a container of a storage account. That of a blob in it
// follows after /blobs/.
func (c *Cloud) Container(account, name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.container(account, name)
}

func (c *Cloud) container(account, name string) string {
	return c.storage[account] + "/blobServices/default/containers/" + name
}

// Guard stands before a Blob service that knows no rights, such as Azurite: it
// finds out who calls, checks and records the rights that Blob Storage takes
// (https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory),
// and lets faults happen. What passes goes on as the given account of the
// service behind, with a signature by that account's key. Operations are
// GetBlob, PutBlob, DeleteBlob, ListBlobs, LeaseBlob, GetContainer and
// CreateContainer.
func (c *Cloud) Guard(upstream http.Handler, account, key string) http.Handler {
	g := guard{c: c, next: upstream, account: account}
	credential := must(blob.NewSharedKeyCredential(account, key))
	signed := must(sas.AccountSignatureValues{Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		Permissions:   (&sas.AccountPermissions{Read: true, Write: true, Delete: true, List: true, Add: true, Create: true, Update: true}).String(),
		ResourceTypes: (&sas.AccountResourceTypes{Service: true, Container: true, Object: true}).String(),
	}.SignWithSharedKey(credential))
	g.signature = signed.Encode()
	return g
}

type guard struct {
	c                  *Cloud
	next               http.Handler
	account, signature string
}

// blobCall is one request to Blob Storage.
type blobCall struct {
	op              string
	account         string
	container, blob string
	rest            string // of the path, behind the account, as it was escaped
	query           url.Values
	rights          []string // any of them is enough; the second only where there is no blob yet
	data            bool
	sub             string
}

var blobHost = regexp.MustCompile(`^([a-z0-9]{3,24})\.blob\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)$`)

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := blobCallOf(r)
	if b == nil {
		refuse(w, http.StatusBadRequest, "UnsupportedHttpVerb", "This emulator does not know "+r.Method+" "+r.URL.String())
		return
	}
	g.c.mu.Lock()
	id := fold(g.c.container(b.account, b.container))
	known := g.c.storage[b.account] != ""
	g.c.mu.Unlock()
	if b.blob != "" {
		id += "/blobs/" + b.blob
	}
	fate := g.c.dice.Fate(b.op, id)
	if g.c.opts.Sleep(r.Context(), fate.Slow) != nil || fate.Kind == chaostest.Dropped || !known {
		panic(http.ErrAbortHandler) // the name of an account that is not there does not resolve
	}
	if f := blobFailure(fate); f != nil {
		refuse(w, f.Status, f.Code, f.Message)
		return
	}
	if f := g.check(r, b, id); f != nil {
		if f.challenge != "" {
			w.Header().Set("WWW-Authenticate", f.challenge)
		}
		refuse(w, f.Status, f.Code, f.Message)
		return
	}
	rec := emulatortest.NewRecorder()
	g.next.ServeHTTP(rec, g.forward(r, b, r.Method))
	if fate.Kind == chaostest.Lost {
		panic(http.ErrAbortHandler)
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Status())
	_, _ = w.Write(rec.Body()) // the client may be gone, as on any server
}

// blobCallOf tells what a request asks for; nil for what is unknown here.
func blobCallOf(r *http.Request) *blobCall {
	b := &blobCall{query: r.URL.Query(), data: true, rest: r.URL.EscapedPath()}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if m := blobHost.FindStringSubmatch(host); m != nil {
		b.account = m[1]
	} else {
		b.account, path, _ = strings.Cut(path, "/")
		b.rest = strings.TrimPrefix(b.rest, "/"+b.account)
	}
	b.container, b.blob, _ = strings.Cut(path, "/")
	comp, restype := b.query.Get("comp"), b.query.Get("restype")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	const containers = "Microsoft.Storage/storageAccounts/blobServices/containers/"
	switch {
	case b.account == "" || b.container == "":
		return nil
	case restype == "container" && reads && comp == "list":
		b.op, b.rights, b.sub = "ListBlobs", []string{blobRead}, "Blob.List"
	case restype == "container" && reads && comp == "":
		b.op, b.rights, b.data = "GetContainer", []string{containers + "read"}, false
	case restype == "container" && r.Method == http.MethodPut && comp == "":
		b.op, b.rights, b.data = "CreateContainer", []string{containers + "write"}, false
	case b.blob == "" || restype != "":
		return nil
	case reads:
		b.op, b.rights = "GetBlob", []string{blobRead}
	case r.Method == http.MethodPut && comp == "lease":
		b.op, b.rights = "LeaseBlob", []string{blobWrite}
	case r.Method == http.MethodPut && slices.Contains([]string{"", "block", "blocklist", "metadata", "properties"}, comp):
		b.op, b.rights = "PutBlob", []string{blobWrite, blobAdd}
	case r.Method == http.MethodDelete:
		b.op, b.rights = "DeleteBlob", []string{blobDelete}
	default:
		return nil
	}
	return b
}

// forward is the request as it goes to the service behind: to its account, signed
// instead of authorized.
func (g guard) forward(r *http.Request, b *blobCall, method string) *http.Request {
	out := r.Clone(r.Context())
	out.Method = method
	out.Header.Del("Authorization")
	path := "/" + g.account + b.rest
	out.URL.RawPath = path
	out.URL.Path = must(url.PathUnescape(path))
	out.URL.RawQuery = strings.Trim(r.URL.RawQuery+"&"+g.signature, "&")
	out.RequestURI = out.URL.RequestURI()
	if method == http.MethodHead && r.Method != http.MethodHead {
		out.Body, out.ContentLength = http.NoBody, 0
		for _, name := range []string{"If-Match", "If-None-Match", "Content-Length", "Content-Type", "X-Ms-Blob-Type"} {
			out.Header.Del(name)
		}
		out.URL.RawQuery = g.signature
	}
	return out
}

// check authenticates and authorizes a call. Blob Storage tells whoever lacks a
// right nothing about what there is.
func (g guard) check(r *http.Request, b *blobCall, id string) *Failure {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, audience, _ := strings.Cut(token, "|")
	g.c.mu.Lock()
	who, known := g.c.callers[token]
	g.c.mu.Unlock()
	meant := audience == "" || audience == "https://storage.azure.com" || audience == "https://"+b.account+".blob.core.windows.net"
	if !known || !meant {
		f := fail(http.StatusUnauthorized, "InvalidAuthenticationInfo", "Authentication information is not given in the correct format. Check the value of Authorization header.")
		if r.Header.Get("Authorization") == "" {
			f = fail(http.StatusUnauthorized, "NoAuthenticationInformation", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.")
		}
		f.challenge = "Bearer authorization_uri=https://login.microsoftonline.com/" + g.c.opts.Tenant + "/oauth2/authorize resource_id=https://storage.azure.com"
		return f
	}
	if token != "" && r.Header.Get("X-Ms-Version") == "" {
		return fail(http.StatusBadRequest, "MissingRequiredHeader", "x-ms-version is required with a token.")
	}
	const resource = "@resource[microsoft.storage/storageaccounts/blobservices/containers"
	attributes := map[string]string{resource + ":name]": b.container, resource + "/blobs:path]": b.blob,
		"@request[microsoft.storage/storageaccounts/blobservices/containers/blobs:prefix]": b.query.Get("prefix")}
	if b.blob == "" {
		delete(attributes, resource+"/blobs:path]")
	}
	ask := func(right string) bool {
		return g.c.decide(question{who: who.ObjectID, action: right, data: b.data, resource: id, sub: b.sub, attributes: attributes}).ok
	}
	g.c.mu.Lock()
	first := ask(b.rights[0])
	second := !first && len(b.rights) > 1 && ask(b.rights[1])
	g.c.mu.Unlock()
	right := b.rights[0]
	if second && g.isNew(r, b) {
		right, first = b.rights[1], true
	}
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	g.c.uses = append(g.c.uses, Use{Caller: who.ObjectID, Permission: right, DataAction: b.data, Resource: fold(id), At: g.c.opts.Now(), Allowed: first})
	if !first {
		return fail(http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
	}
	return nil
}

// isNew says whether there is no blob yet where a request puts one: the right to
// add is enough for that.
func (g guard) isNew(r *http.Request, b *blobCall) bool {
	rec := emulatortest.NewRecorder()
	g.next.ServeHTTP(rec, g.forward(r, b, http.MethodHead))
	return rec.Status() == http.StatusNotFound
}

// blobFailure is what a fate says in Blob Storage's words
// (https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes).
func blobFailure(f chaostest.Fate) *Failure {
	switch f.Kind {
	case chaostest.Throttle, chaostest.Unavailable:
		return fail(http.StatusServiceUnavailable, "ServerBusy", "The server is currently unable to receive requests. Please retry your request.")
	case chaostest.Internal:
		return fail(http.StatusInternalServerError, "InternalError", "The server encountered an internal error. Please retry the request.")
	case chaostest.Other:
		return fail(f.Fault.Status, f.Fault.Code, "made to happen")
	case chaostest.Dropped, chaostest.Lost, chaostest.Stale, chaostest.Slow:
	}
	return nil
}

// refuse answers with an error in Blob Storage's form.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Ms-Error-Code", code)
	w.WriteHeader(status)
	type body struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	_, _ = io.WriteString(w, xml.Header+string(must(xml.Marshal(body{Code: code, Message: message})))) // the client may be gone, as on any server
}
