package keyvault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"byokwatch/core"
	"byokwatch/core/rawjson"
	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
	"byokwatch/functions/azure/keyvault"
)

// sent is one request, without what the pipeline adds.
type sent struct{ method, path, query, body, token string }

// listening keeps what is sent, and lets it go on.
type listening struct {
	next policy.Transporter
	mu   sync.Mutex
	all  []sent
}

func (l *listening) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "|")
	l.mu.Lock()
	if token != "" { // a vault's client asks once without
		_, audience, _ := strings.Cut(r.Header.Get("Authorization"), "|")
		l.all = append(l.all, sent{r.Method, strings.ToLower(r.URL.Host + "/" + strings.TrimLeft(r.URL.Path, "/")), r.URL.Query().Encode(), string(body), audience})
	}
	l.mu.Unlock()
	return l.next.Do(r)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Our requests are those of Microsoft's own clients: method, path, query, token
// and body.
func TestRequestsAreThoseOfMicrosoftsClients(t *testing.T) {
	rights := slices.Concat(whole, []string{"Microsoft.Authorization/roleAssignments/delete", "Microsoft.Resources/tags/write"})
	w := rbac(t, rights...)
	w.Assign(azuretest.Assignment{Scope: w.key, Role: "Key Vault Crypto Officer", Principal: self})
	assigned := w.Assign(azuretest.Assignment{Scope: w.vault, Role: looking, Principal: cloudUser, Name: other})
	number := w.Versions(w.key)[0]
	ours, theirs := &listening{next: w.RoundTripper()}, &listening{next: w.RoundTripper()}
	a := w.access()
	a.ARM.Transport, a.Keys.Transport = ours, ours
	a.ARM.APIVersion = "2016-10-01" // of somebody who set it for other clients
	k := keyvault.New(a, keyvault.Options{Self: self, Builtin: func(id string) bool { return id != watching }})
	if _, err := k.Read(t.Context(), w.payments); err != nil {
		t.Fatal(err)
	}
	rules := `{"bypass":"AzureServices","defaultAction":"Deny","ipRules":[{"value":"192.0.2.0/24"}],"virtualNetworkRules":[]}`
	for _, s := range []core.Step{
		w.assignStep(named, encrypting, cloudUser),
		{Op: "Microsoft.KeyVault/vaults/accessPolicies/write", ID: w.payments.Vault + "/accessPolicies/add", Body: policies(cloudUser, "get")},
		{Op: "Microsoft.KeyVault/vaults/write", ID: w.payments.Vault, Body: json.RawMessage(`{"properties":{"publicNetworkAccess":"Enabled","networkAcls":` + rules + `}}`)},
		{Op: "Microsoft.KeyVault/vaults/keys/update/action", ID: w.payments.ID + "/versions/" + number, Body: json.RawMessage(`{"attributes":{"enabled":true}}`)},
		{Op: "Microsoft.Authorization/roleAssignments/delete", ID: assigned},
	} {
		if err := k.Operator().Apply(t.Context(), w.payments, s); err != nil {
			t.Fatal(err)
		}
	}
	askLikeMicrosoft(t, w, theirs, number)
	for _, want := range theirs.all {
		if !slices.ContainsFunc(ours.all, func(got sent) bool { return got.same(want) }) {
			t.Errorf("Microsoft's client sends\n%v\nand we do not", want)
		}
	}
	for _, got := range ours.all {
		if !slices.ContainsFunc(theirs.all, func(want sent) bool { return got.same(want) }) {
			t.Errorf("we send\n%v\nand Microsoft's client does not", got)
		}
	}
}

func (s sent) same(o sent) bool {
	bodies := s.body == o.body || rawjson.Same(s.body, o.body)
	s.body, o.body = "", ""
	return s == o && bodies
}

func askLikeMicrosoft(t *testing.T, w world, through policy.Transporter, number string) {
	t.Helper()
	ctx, of := t.Context(), azuretest.Credential("WATCHER")
	at := &arm.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: through}}
	pinned := at.Clone()
	pinned.APIVersion = azuretest.VaultAPIVersion
	vaults := must(armkeyvault.NewVaultsClient(azuretest.DefaultSubscription, of, pinned))
	keys := must(armkeyvault.NewKeysClient(azuretest.DefaultSubscription, of, pinned))
	assignments := must(armauthorization.NewRoleAssignmentsClient(azuretest.DefaultSubscription, of, at))
	roles := must(armauthorization.NewRoleDefinitionsClient(of, at))
	denials := must(armauthorization.NewDenyAssignmentsClient(azuretest.DefaultSubscription, of, at))
	data := must(azkeys.NewClient("https://acme-vault.vault.azure.net", of, &azkeys.ClientOptions{ClientOptions: at.ClientOptions}))

	must(vaults.Get(ctx, "rg-kafka", "acme-vault", nil))
	must(keys.Get(ctx, "rg-kafka", "acme-vault", "payments", nil))
	must(keys.NewListVersionsPager("rg-kafka", "acme-vault", "payments", nil).NextPage(ctx))
	for _, principal := range []string{cloudUser, self} {
		filter := "atScope()+and+assignedTo('" + principal + "')" // it pastes this into the URL
		must(assignments.NewListForScopePager(w.payments.ID, &armauthorization.RoleAssignmentsClientListForScopeOptions{Filter: &filter}).NextPage(ctx))
	}
	must(denials.NewListForScopePager(w.payments.ID, &armauthorization.DenyAssignmentsClientListForScopeOptions{Filter: to.Ptr("atScope()")}).NextPage(ctx))
	must(roles.Get(ctx, w.payments.Vault, watching, nil))
	role := strings.ToLower(w.Subscription()) + "/providers/Microsoft.Authorization/roleDefinitions/" + encrypting
	must(assignments.Create(ctx, w.payments.Vault, named, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		RoleDefinitionID: &role, PrincipalID: to.Ptr(cloudUser), PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal)}}, nil))
	must(vaults.UpdateAccessPolicy(ctx, "rg-kafka", "acme-vault", armkeyvault.AccessPolicyUpdateKindAdd, armkeyvault.VaultAccessPolicyParameters{Properties: &armkeyvault.VaultAccessPolicyProperties{
		AccessPolicies: []*armkeyvault.AccessPolicyEntry{{TenantID: to.Ptr(azuretest.DefaultTenant), ObjectID: to.Ptr(cloudUser), Permissions: &armkeyvault.Permissions{Keys: []*armkeyvault.KeyPermissions{to.Ptr(armkeyvault.KeyPermissionsGet)}}}}}}, nil))
	must(vaults.Update(ctx, "rg-kafka", "acme-vault", armkeyvault.VaultPatchParameters{Properties: &armkeyvault.VaultPatchProperties{PublicNetworkAccess: to.Ptr("Enabled"),
		NetworkACLs: &armkeyvault.NetworkRuleSet{Bypass: to.Ptr(armkeyvault.NetworkRuleBypassOptionsAzureServices), DefaultAction: to.Ptr(armkeyvault.NetworkRuleActionDeny),
			IPRules: []*armkeyvault.IPRule{{Value: to.Ptr("192.0.2.0/24")}}, VirtualNetworkRules: []*armkeyvault.VirtualNetworkRule{}}}}, nil))
	must(data.UpdateKey(ctx, "payments", number, azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(true)}}, nil))
	must(assignments.Delete(ctx, w.payments.Vault, other, nil))
}

func policies(principal string, keys ...string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"properties":{"accessPolicies":[{"tenantId":%q,"objectId":%q,"permissions":{"keys":%s}}]}}`, azuretest.DefaultTenant, principal, must(json.Marshal(keys))))
}

// local is a Keeper of an emulator on this machine, reached by real sockets.
func local(t *testing.T, w world, handler http.Handler) *keyvault.Keeper {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	o := azcore.ClientOptions{InsecureAllowCredentialWithHTTP: true, Transport: server.Client(), Cloud: cloud.Configuration{
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: server.URL, Audience: "https://management.core.windows.net/"}}}}
	return keyvault.New(keyvault.Access{Credential: azuretest.Credential("WATCHER"), ARM: arm.ClientOptions{ClientOptions: o}, Keys: o, VaultEndpoint: server.URL + "/"}, keyvault.Options{Self: self})
}

// A filter with spaces makes a request that no server reads, which only shows on
// a real connection.
func TestAFilterReachesAStrictServer(t *testing.T) {
	w := rbac(t, whole...)
	w.Assign(azuretest.Assignment{Scope: w.group, Role: looking, Principal: group})
	w.Assign(azuretest.Assignment{Scope: w.group, Role: looking, Principal: others})
	var mu sync.Mutex
	var lines []string
	k := local(t, w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		lines = append(lines, r.RequestURI)
		mu.Unlock()
		w.ServeHTTP(rw, r)
	}))
	p, err := k.Read(t.Context(), w.payments)
	if err != nil {
		t.Fatal(err)
	}
	got := textOf(p, core.RoleAssignments, core.AssignedTo(w.payments.ID, cloudUser))
	if !strings.Contains(got, group) || strings.Contains(got, others) {
		t.Errorf("the filter was not understood: %s", got)
	}
	for _, line := range lines {
		if strings.ContainsAny(line, " '") {
			t.Errorf("the request line has %q", line)
		}
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "filter=atScope%28%29+and+assignedTo%28%27"+cloudUser) }) {
		t.Errorf("no such filter in %q", lines)
	}
	w.Assign(azuretest.Assignment{Scope: w.key, Role: "Key Vault Crypto Officer", Principal: self})
	number := w.Versions(w.key)[0]
	w.check(w.admin.SetKeyEnabled(w.key, number, false))
	if err := k.Apply(t.Context(), w.payments, enableStep(w, number)); err != nil {
		t.Errorf("enable over loopback: %v", err)
	}
}

func enableStep(w world, number string) core.Step {
	return core.Step{Op: "Microsoft.KeyVault/vaults/keys/update/action", ID: w.payments.ID + "/versions/" + number, Body: json.RawMessage(`{"attributes":{"enabled":true}}`)}
}

// editing changes answers on their way back.
type editing struct {
	next policy.Transporter
	edit func(path, body string) string
}

func (e editing) Do(r *http.Request) (*http.Response, error) {
	resp, err := e.next.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	text := e.edit(r.URL.Path, string(body))
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, err
}

func (w world) edited(edit func(path, body string) string) *keyvault.Keeper {
	a := w.access()
	a.ARM.Transport = editing{w.RoundTripper(), edit}
	return keyvault.New(a, keyvault.Options{Self: self})
}

func TestTheNextPageIsOnTheSameHost(t *testing.T) {
	w := open(t, azuretest.Options{PageSize: 1}, azuretest.VaultSpec{RBAC: true}, whole...)
	a := w.access()
	l := &listening{next: editing{w.RoundTripper(), func(_, body string) string {
		return strings.ReplaceAll(body, "https://management.azure.com/", "http://user@evil.example:8080/")
	}}}
	a.ARM.Transport = l
	p, err := keyvault.New(a, keyvault.Options{}).Read(t.Context(), w.payments)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(textOf(p, core.VaultKeyVersions, ""), `"enabled": true`); got != 2 {
		t.Errorf("%d versions", got)
	}
	for _, r := range l.all {
		if !strings.HasPrefix(r.path, "management.azure.com/") {
			t.Errorf("a token was sent to %s", r.path)
		}
	}
}

func TestAPagesFilterIsEncodedAnew(t *testing.T) {
	w := open(t, azuretest.Options{PageSize: 1}, azuretest.VaultSpec{RBAC: true}, whole...)
	for _, scope := range []string{w.key, w.vault, w.group} {
		w.Assign(azuretest.Assignment{Scope: scope, Role: looking, Principal: cloudUser})
	}
	k := w.edited(func(_, body string) string {
		return strings.NewReplacer("atScope%28%29+and+assignedTo%28%27", "atScope() and assignedTo('", "%27%29", "')").Replace(body)
	})
	p, err := k.Read(t.Context(), w.payments)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(textOf(p, core.RoleAssignments, core.AssignedTo(w.payments.ID, cloudUser)), looking); got != 3 {
		t.Errorf("%d assignments", got)
	}
}

func TestAzuresRequestToWaitIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rbac(t, whole...)
		w.Inject(chaostest.Fault{Op: "Microsoft.Authorization/roleAssignments/write", Kind: chaostest.Throttle, Times: 3}) // Retry-After: 1
		begun := time.Now()
		if err := w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestACallerWithoutDeadlineDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rbac(t, whole...)
		w.Inject(chaostest.Fault{Kind: chaostest.Unavailable, Times: 1 << 20})
		begun := time.Now()
		err := w.keeper().Apply(t.Context(), w.payments, w.assignStep(named, encrypting, cloudUser))
		if took := time.Since(begun); err == nil || took < time.Minute || took > 2*time.Minute || !strings.Contains(err.Error(), "503 ServiceUnavailable") {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// mute is a credential without a token.
type mute struct{}

func (mute) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, fmt.Errorf("no managed identity: %w", io.ErrUnexpectedEOF)
}

func TestWithoutATokenNothingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rbac(t, whole...)
		a := w.access()
		a.Credential = mute{}
		k := keyvault.New(a, keyvault.Options{})
		p, err := k.Read(t.Context(), w.payments)
		expect(t, "read", err, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		expect(t, "apply", k.Apply(ctx, w.payments, w.assignStep(named, encrypting, cloudUser)), nil)
		if p != nil || w.Calls("") != 0 {
			t.Errorf("%d documents, %d calls", len(p), w.Calls(""))
		}
	})
}
