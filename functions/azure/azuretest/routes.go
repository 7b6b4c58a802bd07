package azuretest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// route is one operation of one service.
type route struct {
	method string // of HTTP
	path   *regexp.Regexp
	plane  plane
	op     string // as Calls knows it
	right  string // the action that it takes
	word   string // what access policies call it, on the data plane
	api    []string
	reads  bool // changes nothing, so no event
	// attributes are what a condition on the right may turn on.
	attributes func(*Cloud, *call) map[string]string
	run        func(*Cloud, *call) (any, *Failure)
}

// Versions of the APIs
// (https://learn.microsoft.com/azure/templates/microsoft.keyvault/change-log/summary,
// https://learn.microsoft.com/azure/templates/microsoft.authorization/change-log/summary,
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers).
var (
	vaultAPI = []string{"2015-06-01", "2016-10-01", "2018-02-14", "2019-09-01", "2021-10-01", "2022-07-01", "2022-11-01", "2023-02-01", "2023-07-01",
		"2024-11-01", "2025-05-01", "2026-02-01"}
	rightsAPI = []string{"2015-07-01", "2018-07-01", "2022-04-01"}
	tagsAPI   = []string{"2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01", "2022-09-01", "2024-03-01", "2025-04-01"}
	keyAPI    = []string{"2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"}
)

func form(re string) *regexp.Regexp { return regexp.MustCompile(`^` + re + `$`) }

const (
	rights = `(?:/.+)?/providers/microsoft\.authorization/`
	inKV   = "Microsoft.KeyVault/"
	inAuth = "Microsoft.Authorization/"
)

// managed is an operation of Azure Resource Manager, which is called after the right
// that it takes (https://learn.microsoft.com/azure/role-based-access-control/permissions/security).
func managed(method, path, op string, api []string, run func(*Cloud, *call) (any, *Failure)) *route {
	return &route{method: method, path: form(path), op: op, right: op, api: api, reads: method == http.MethodGet, run: run}
}

// onKeys is an operation on keys, which is called after Key Vault's own log
// (https://learn.microsoft.com/azure/key-vault/general/logging).
func onKeys(method, path, op, right, word string, run func(*Cloud, *call) (any, *Failure)) *route {
	return &route{method: method, path: form(path), plane: dataPlane, op: op, right: inKV + "vaults/keys/" + right, word: word, api: keyAPI,
		reads: method == http.MethodGet, run: run}
}

func (r *route) turning(on func(*Cloud, *call) map[string]string) *route {
	r.attributes = on
	return r
}

var routes = []*route{
	managed("GET", vaultForm, inKV+"vaults/read", vaultAPI, getVault),
	managed("PUT", vaultForm, inKV+"vaults/write", vaultAPI, putVault),
	managed("PATCH", vaultForm, inKV+"vaults/write", vaultAPI, patchVault),
	managed("DELETE", vaultForm, inKV+"vaults/delete", vaultAPI, deleteVault),
	managed("PUT", vaultForm+`/accesspolicies/(?:add|replace|remove)`, inKV+"vaults/accessPolicies/write", vaultAPI, editPolicies),
	managed("GET", groupForm+`/providers/microsoft\.keyvault/vaults`, inKV+"vaults/read", vaultAPI, listVaults),
	managed("GET", subscriptionForm+`/providers/microsoft\.keyvault/vaults`, inKV+"vaults/read", vaultAPI, listVaults),
	managed("GET", subscriptionForm+`/providers/microsoft\.keyvault/deletedvaults`, inKV+"deletedVaults/read", vaultAPI, listDeleted),
	managed("GET", subscriptionForm+`/providers/microsoft\.keyvault/locations/[^/]+/deletedvaults/[^/]+`, inKV+"locations/deletedVaults/read", vaultAPI, getDeleted),
	managed("POST", subscriptionForm+`/providers/microsoft\.keyvault/locations/[^/]+/deletedvaults/[^/]+/purge`, inKV+"locations/deletedVaults/purge/action", vaultAPI, purgeVault),
	managed("GET", vaultForm+`/keys`, inKV+"vaults/keys/read", vaultAPI, listKeys),
	managed("GET", keyForm, inKV+"vaults/keys/read", vaultAPI, getKey),
	managed("PUT", keyForm, inKV+"vaults/keys/write", vaultAPI, createKey),
	managed("GET", keyForm+`/versions`, inKV+"vaults/keys/versions/read", vaultAPI, listVersions),
	managed("GET", versionForm, inKV+"vaults/keys/versions/read", vaultAPI, getVersion),
	managed("GET", rights+`roleassignments`, inAuth+"roleAssignments/read", rightsAPI, listAssignments),
	managed("GET", rights+`roleassignments/[^/]+`, inAuth+"roleAssignments/read", rightsAPI, getAssignment),
	managed("PUT", rights+`roleassignments/[^/]+`, inAuth+"roleAssignments/write", rightsAPI, putAssignment).turning(writtenAssignment),
	managed("DELETE", rights+`roleassignments/[^/]+`, inAuth+"roleAssignments/delete", rightsAPI, deleteAssignment).turning(deletedAssignment),
	managed("GET", rights+`roledefinitions`, inAuth+"roleDefinitions/read", rightsAPI, listRoles),
	managed("GET", rights+`roledefinitions/`+guidForm, inAuth+"roleDefinitions/read", rightsAPI, getRole),
	managed("PUT", rights+`roledefinitions/`+guidForm, inAuth+"roleDefinitions/write", rightsAPI, putRole),
	managed("DELETE", rights+`roledefinitions/`+guidForm, inAuth+"roleDefinitions/delete", rightsAPI, deleteRole),
	managed("GET", rights+`denyassignments`, inAuth+"denyAssignments/read", rightsAPI, listDenies),
	managed("GET", rights+`denyassignments/`+guidForm, inAuth+"denyAssignments/read", rightsAPI, getDeny),
	managed("GET", vaultForm+`/providers/microsoft\.resources/tags/default`, "Microsoft.Resources/tags/read", tagsAPI, getTags),
	managed("PATCH", vaultForm+`/providers/microsoft\.resources/tags/default`, "Microsoft.Resources/tags/write", tagsAPI, patchTags),
	onKeys("GET", `/keys`, "KeyList", "read", "list", dataListKeys),
	onKeys("GET", `/keys/([a-z0-9-]+)`, "KeyGet", "read", "get", dataGetKey),
	onKeys("GET", `/keys/([a-z0-9-]+)/versions`, "KeyListVersions", "read", "list", dataListVersions),
	onKeys("GET", `/keys/([a-z0-9-]+)/([0-9a-f]{32})`, "KeyGet", "read", "get", dataGetKey),
	onKeys("PATCH", `/keys/([a-z0-9-]+)(?:/([0-9a-f]{32}))?`, "KeyUpdate", "update/action", "update", dataUpdateKey),
	onKeys("POST", `/keys/([a-z0-9-]+)/create`, "KeyCreate", "create/action", "create", dataCreateKey),
	onKeys("POST", `/keys/([a-z0-9-]+)/rotate`, "KeyRotate", "rotate/action", "rotate", dataRotateKey),
	onKeys("DELETE", `/keys/([a-z0-9-]+)`, "KeyDelete", "delete", "delete", dataDeleteKey),
	onKeys("GET", `/deletedkeys/([a-z0-9-]+)`, "KeyGetDeleted", "read", "get", dataGetDeleted),
	onKeys("POST", `/deletedkeys/([a-z0-9-]+)/recover`, "KeyRecover", "recover/action", "recover", dataRecoverKey),
	onKeys("POST", `/keys/([a-z0-9-]+)(?:/([0-9a-f]{32}))?/wrapkey`, "KeyWrap", "wrap/action", "wrapKey", wrap),
	onKeys("POST", `/keys/([a-z0-9-]+)(?:/([0-9a-f]{32}))?/unwrapkey`, "KeyUnwrap", "unwrap/action", "unwrapKey", unwrap),
}

// policyWords are what access policies call data actions
// (https://learn.microsoft.com/azure/key-vault/general/rbac-migration).
var policyWords = map[string]string{
	"microsoft.keyvault/vaults/keys/read": "get", "microsoft.keyvault/vaults/keys/update/action": "update", "microsoft.keyvault/vaults/keys/create/action": "create",
	"microsoft.keyvault/vaults/keys/rotate/action": "rotate", "microsoft.keyvault/vaults/keys/delete": "delete", "microsoft.keyvault/vaults/keys/recover/action": "recover",
	"microsoft.keyvault/vaults/keys/wrap/action": "wrapKey", "microsoft.keyvault/vaults/keys/unwrap/action": "unwrapKey",
}

// vaultHost is the host of a vault in one of Azure's clouds.
var vaultHost = regexp.MustCompile(`^([a-z0-9-]+)\.vault\.(?:azure\.net|usgovcloudapi\.net|azure\.cn)$`)

// find makes a call of a request.
func (c *Cloud) find(r *http.Request) (*call, *Failure) {
	if strings.ContainsFunc(r.URL.RawQuery, func(r rune) bool { return r <= ' ' || r > '~' }) {
		// So says HTTP.sys, before any service sees the request.
		return nil, invalid("BadRequest", "Bad Request - Invalid URL")
	}
	k := &call{method: r.Method, path: "/" + strings.Trim(r.URL.Path, "/"), rawQuery: r.URL.RawQuery, query: parameters{}}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("BadRequest", "Bad Request - Invalid URL")
	}
	for name, list := range values {
		k.query[strings.ToLower(name)] = list[0]
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	k.base = "http://" + host
	if r.TLS != nil || r.URL.Scheme == "https" || vaultHost.MatchString(strings.ToLower(host)) {
		k.base = "https://" + host
	}
	k.rawURL = k.base + r.URL.RequestURI()
	p := managementPlane
	if name, ok := c.vaultName(host, k); ok {
		p = dataPlane
		c.mu.Lock()
		k.vault = c.byName(name)
		c.mu.Unlock()
		if k.vault == nil {
			panic(http.ErrAbortHandler) // its name does not resolve
		}
	}
	k.id = fold(k.path)
	for _, at := range routes {
		if m := at.path.FindStringSubmatch(k.id); m != nil && at.method == r.Method && at.plane == p {
			k.route, k.vars = at, m
			return k, k.target()
		}
	}
	return nil, absent("NotFound", "Nothing here answers %s %s.", r.Method, r.URL.Path)
}

// vaultName is the name of the vault to which a request on the data plane goes:
// by its host, or by what stands before /keys or /deletedkeys in its path.
func (c *Cloud) vaultName(host string, k *call) (string, bool) {
	if m := vaultHost.FindStringSubmatch(strings.ToLower(host)); m != nil {
		return m[1], true
	}
	name, rest, _ := strings.Cut(k.path[1:], "/")
	if first, _, _ := strings.Cut(strings.ToLower(rest), "/"); first != "keys" && first != "deletedkeys" || strings.EqualFold(name, "subscriptions") {
		return "", false
	}
	k.base, k.path = k.base+"/"+name, "/"+rest
	return name, true
}

// target checks the version of the API, and names the resource.
func (k *call) target() *Failure {
	version := k.query.Get("api-version")
	missing, wrong := "MissingApiVersionParameter", "InvalidApiVersionParameter"
	if k.route.plane == dataPlane {
		missing, wrong = "BadParameter", "BadParameter"
	}
	switch {
	case version == "":
		return invalid(missing, "The api-version query parameter (?api-version=) is required for all requests.")
	case !slices.Contains(k.route.api, version):
		return invalid(wrong, "The api-version '%s' is invalid. The supported versions are '%s'.", version, strings.Join(k.route.api, ","))
	}
	if k.route.plane == dataPlane {
		k.id = fold(k.vault.id)
		if len(k.vars) > 1 {
			k.id += "/keys/" + k.vars[1]
		}
		return nil
	}
	if i := strings.LastIndex(k.id, authorization); i >= 0 && !strings.Contains(k.id[i+len(authorization):], "/") {
		k.id = fold(k.id[:i]) // a list is about its scope
	}
	return nil
}

// token is the skip token of the page that begins with the n-th item.
func token(n int) string { return "pg" + strconv.Itoa(n) }

// skip is the first item of the page that a request asks for.
func (k *call) skip(list []any) int {
	n, err := strconv.Atoi(strings.TrimPrefix(k.query.Get("$skiptoken"), "pg"))
	if err != nil || n < 0 || n > len(list) {
		return 0
	}
	return n
}

// admit authorizes an operation of Azure Resource Manager, before it is known
// whether there is anything to do it to.
func (r *route) admit(c *Cloud, k *call) *Failure {
	if r.plane == dataPlane {
		return c.admitData(k)
	}
	q := question{who: k.who.ObjectID, action: r.right, resource: k.id}
	if r.attributes != nil {
		q.attributes = r.attributes(c, k)
	}
	return c.authorize(k, q)
}

// authorize asks, and records the use of a right.
func (c *Cloud) authorize(k *call, q question) *Failure {
	d := c.decide(q)
	k.by = d.by
	c.use(k, q.action, q.data, q.resource, d.ok)
	if d.ok {
		return nil
	}
	if d.deny != "" {
		return fail(http.StatusForbidden, "DenyAssignmentAuthorizationFailed", "The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, the access is denied because of the deny assignment with Id '%s'.",
			k.who.ObjectID, k.who.ObjectID, q.action, q.resource, d.deny)
	}
	return fail(http.StatusForbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		k.who.ObjectID, k.who.ObjectID, q.action, q.resource)
}
