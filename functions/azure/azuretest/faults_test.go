package azuretest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault/v2"

	"byokwatch/core/watchdog/chaostest"
	"byokwatch/functions/azure/azuretest"
)

const readVault = "Microsoft.KeyVault/vaults/read"

func TestFaultsLookLikeAzures(t *testing.T) {
	for sentence, c := range map[string]struct {
		fault  chaostest.Fault
		status int
		code   string
		header string
	}{
		"too many requests": {chaostest.Fault{Kind: chaostest.Throttle}, 429, "TooManyRequests", "1"},
		"unavailable":       {chaostest.Fault{Kind: chaostest.Unavailable}, 503, "ServiceUnavailable", ""},
		"an internal error": {chaostest.Fault{Kind: chaostest.Internal}, 500, "InternalServerError", ""},
		"any other":         {chaostest.Fault{Kind: chaostest.Other, Status: 409, Code: "Conflict"}, 409, "Conflict", ""},
		"a broken line":     {chaostest.Fault{Kind: chaostest.Dropped}, 0, "", ""},
	} {
		w := open(t, azuretest.Options{})
		c.fault.Op, c.fault.Resource = readVault, strings.ToUpper(w.vault)
		w.Inject(c.fault)
		w.check(w.admin.UpdateVault(w.vault, nil)) // people are spared
		r, err := http.NewRequest(http.MethodGet, "https://management.azure.com"+w.vault+"?api-version=2026-02-01", nil)
		w.check(err)
		r.Header.Set("Authorization", "Bearer ADMIN")
		resp, err := w.RoundTripper().RoundTrip(r)
		if c.status == 0 {
			if err == nil {
				t.Errorf("%s: %d", sentence, resp.StatusCode)
			}
			continue
		}
		w.check(err)
		var body struct {
			Error struct{ Code, Message string }
		}
		w.check(json.NewDecoder(resp.Body).Decode(&body))
		if resp.StatusCode != c.status || body.Error.Code != c.code || body.Error.Message == "" || resp.Header.Get("Retry-After") != c.header {
			t.Errorf("%s: %d %+v %v", sentence, resp.StatusCode, body, resp.Header)
		}
		if w.Calls(readVault) != 1 || w.Calls("Microsoft.KeyVault/vaults/write") != 0 {
			t.Errorf("%s: %d calls", sentence, w.Calls(readVault))
		}
	}
}

func TestTheRealClientsGetOverWhatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, azuretest.Options{})
		w.Inject(chaostest.Fault{Kind: chaostest.Throttle, Times: 2})
		begun := time.Now()
		_, err := w.Vaults.Get(t.Context(), "rg-kafka", "acme-vault", nil)
		w.check(err)
		if d := time.Since(begun); d != 2*time.Second || w.Calls(readVault) != 3 {
			t.Errorf("%d calls in %v", w.Calls(readVault), d)
		}
		w.Inject(chaostest.Fault{Kind: chaostest.Throttle, Times: 100})
		w.Heal()
		w.SetOdds(chaostest.Odds{Slow: 1, SlowFor: time.Minute})
		begun = time.Now()
		_, err = w.DataPlane("acme-vault").GetKey(t.Context(), "payments", "", nil)
		w.check(err)
		if d := time.Since(begun); d != 2*time.Minute { // the challenge takes as long
			t.Errorf("took %v", d)
		}
	})
}

func TestALostAnswerIsOfWorkThatWasDone(t *testing.T) {
	w := open(t, azuretest.Options{})
	w.Inject(chaostest.Fault{Op: "Microsoft.KeyVault/vaults/write", Kind: chaostest.Lost})
	ctx := policy.WithRetryOptions(t.Context(), policy.RetryOptions{MaxRetries: -1})
	tags := map[string]*string{"a": nil}
	if _, err := w.Vaults.Update(ctx, "rg-kafka", "acme-vault", armkeyvault.VaultPatchParameters{Tags: tags}, nil); err == nil {
		t.Error("the answer came")
	}
	if len(w.Writes(w.vault)) != 1 || len(w.Events()) != 1 {
		t.Errorf("writes %v", w.Writes(w.vault))
	}
}

func TestReadsMayShowWhatWasBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, azuretest.Options{Odds: chaostest.Odds{StaleFor: time.Minute}})
		seen := func() (vault, key, assignments bool) {
			v, err := w.Vaults.Get(t.Context(), "rg-kafka", "acme-vault", nil)
			w.check(err)
			k, err := w.Keys.Get(t.Context(), "rg-kafka", "acme-vault", "payments", nil)
			w.check(err)
			got, _, err := listed(t.Context(), w.RoleAssignments, w.vault, "atScope()")
			w.check(err)
			return *v.Properties.PublicNetworkAccess == "Disabled", !*k.Properties.Attributes.Enabled, got == "01"
		}
		w.check(w.admin.SetKeyEnabled(w.key, "", false))
		w.patch(map[string]any{"publicNetworkAccess": "Disabled"})
		_, err := w.admin.AssignRole(azuretest.Assignment{Name: name(1), Scope: w.vault, Role: vaultReader, Principal: watcher})
		w.check(err)
		if v, k, a := seen(); v || k || a {
			t.Errorf("all of it shows at once: %v %v %v", v, k, a)
		}
		w.works(false) // whatever reads show
		time.Sleep(time.Minute)
		if v, k, a := seen(); !v || !k || !a {
			t.Errorf("a minute later: %v %v %v", v, k, a)
		}
		w.Inject(chaostest.Fault{Op: readVault, Kind: chaostest.Stale})
		w.Inject(chaostest.Fault{Op: "Microsoft.KeyVault/vaults/keys/read", Kind: chaostest.Stale})
		w.Inject(chaostest.Fault{Op: "Microsoft.Authorization/roleAssignments/read", Kind: chaostest.Stale})
		if v, k, a := seen(); v || k || a {
			t.Errorf("stale reads: %v %v %v", v, k, a)
		}
		w.check(w.admin.DeleteAssignment(w.vault + "/providers/Microsoft.Authorization/roleAssignments/" + name(1)))
		w.Inject(chaostest.Fault{Op: "Microsoft.Authorization/roleAssignments/read", Kind: chaostest.Stale})
		if _, _, a := seen(); !a {
			t.Error("a stale read does not show what was deleted last")
		}
	})
}

func TestRequestsThatAzureDoesNotTake(t *testing.T) {
	w := open(t, azuretest.Options{})
	for sentence, c := range map[string]struct {
		url, token string
		status     int
		code       string
	}{
		"no version of the API":             {w.vault, "ADMIN", 400, "MissingApiVersionParameter"},
		"one that never was":                {w.vault + "?api-version=2026-02-02", "ADMIN", 400, "InvalidApiVersionParameter"},
		"one of another provider":           {w.vault + "?api-version=2022-04-01", "ADMIN", 400, "InvalidApiVersionParameter"},
		"nobody":                            {w.vault + "?api-version=2026-02-01", "", 401, "AuthenticationFailed"},
		"somebody unknown":                  {w.vault + "?api-version=2026-02-01", "WHO", 401, "InvalidAuthenticationToken"},
		"a token that is meant for a vault": {w.vault + "?api-version=2026-02-01", "ADMIN|https://vault.azure.net", 401, "InvalidAuthenticationToken"},
		"nothing that is here":              {"/subscriptions/1/providers/Microsoft.Compute/virtualMachines?api-version=2024-01-01", "ADMIN", 404, "NotFound"},
		"a vault that is not there":         {w.vault + "2?api-version=2026-02-01", "ADMIN", 404, "ResourceNotFound"},
		"the same, without the right":       {w.vault + "2?api-version=2026-02-01", "NOBODY", 403, "AuthorizationFailed"},
		"two slashes in front":              {"/" + w.vault + "?api-version=2026-02-01", "ADMIN", 200, ""},
		"a deny assignment against it":      {w.vault + "/keys?api-version=2026-02-01", "ADMIN", 403, "DenyAssignmentAuthorizationFailed"},
	} {
		if c.code == "DenyAssignmentAuthorizationFailed" {
			id := w.Deny(azuretest.DenyAssignment{Scope: w.vault, Permissions: []azuretest.Permission{{Actions: []string{"*/keys/read"}}}})
			defer w.Undeny(id)
		}
		r, err := http.NewRequest(http.MethodGet, "https://management.azure.com"+c.url, nil)
		w.check(err)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := w.RoundTripper().RoundTrip(r)
		w.check(err)
		var body struct{ Error struct{ Code string } }
		w.check(json.NewDecoder(resp.Body).Decode(&body))
		if resp.StatusCode != c.status || body.Error.Code != c.code || (c.status == 401) != (resp.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: %d %s, want %d %s", sentence, resp.StatusCode, body.Error.Code, c.status, c.code)
		}
	}
	w.Login(azuretest.Caller{ObjectID: admin})
	r, err := http.NewRequest(http.MethodGet, "https://management.azure.com"+w.vault+"?api-version=2026-02-01", nil)
	w.check(err)
	if resp, err := w.RoundTripper().RoundTrip(r); err != nil || resp.StatusCode != 200 {
		t.Errorf("whoever shows no token was logged in, but: %v", err)
	}
}

func TestUsesAndWritesAreRecorded(t *testing.T) {
	w := open(t, azuretest.Options{})
	_, err := w.Cloud.Clients("NOBODY").Vaults.Get(t.Context(), "rg-kafka", "ACME-vault", nil)
	refused(t, "nobody", err, 403, "AuthorizationFailed")
	w.check(w.admin.SetKeyEnabled(w.key, "", false))
	id, err := w.admin.AssignRole(azuretest.Assignment{Scope: w.key, Role: vaultReader, Principal: watcher})
	w.check(err)
	type use struct {
		who, what, where string
		data, ok         bool
	}
	var got []use
	for _, u := range w.Uses() {
		got = append(got, use{u.Caller, u.Permission, u.Resource, u.DataAction, u.Allowed})
	}
	want := []use{
		{nobody, "Microsoft.KeyVault/vaults/read", strings.ToLower(w.vault), false, false},
		{admin, "Microsoft.KeyVault/vaults/keys/update/action", strings.ToLower(w.key), true, true},
		{admin, "Microsoft.Authorization/roleAssignments/write", strings.ToLower(id), false, true},
	}
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	writes := w.Writes("")
	if len(writes) != 2 || writes[0].Op != "KeyUpdate" || writes[1].Resource != strings.ToLower(id) || writes[1].Before != "" || !strings.Contains(writes[1].After, watcher) || writes[1].Caller != admin {
		t.Errorf("writes %+v", writes)
	}
	if len(w.Writes(strings.ToUpper(w.key))) != 1 {
		t.Errorf("writes to the key: %+v", w.Writes(w.key))
	}
}
