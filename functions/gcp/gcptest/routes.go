package gcptest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	kmsService = "cloudkms.googleapis.com"
	crmService = "cloudresourcemanager.googleapis.com"
	iamService = "iam.googleapis.com"
)

// route is one method of one service.
type route struct {
	method  string // of HTTP
	path    *regexp.Regexp
	verb    string // after the colon
	service string
	op      string // the method's name in the audit log
	right   string // permission; "" is none, or see permission
	reads   bool   // changes nothing, so no entry in the admin activity log
	long    bool   // a long-running operation: two entries
	run     func(*Cloud, *call) (any, *failure)
}

// permission is the right that a call takes. Those on policies are named after
// the kind of resource.
func (r *route) permission(k *call) string {
	if !strings.HasPrefix(r.right, "*") {
		if strings.HasPrefix(k.resource, "roles/") {
			return "" // predefined roles are public
		}
		return r.right
	}
	verb := r.right[1:]
	switch {
	case isKey.MatchString(k.resource):
		return "cloudkms.cryptoKeys." + verb
	case isRing.MatchString(k.resource):
		return "cloudkms.keyRings." + verb
	}
	kind, _, _ := strings.Cut(k.resource, "/")
	return "resourcemanager." + kind + "." + verb
}

func form(version, name string) *regexp.Regexp { return under(version, name, "") }

func under(version, name, list string) *regexp.Regexp {
	return regexp.MustCompile(`^/` + version + `/(` + name + `)` + list + `$`)
}

// routes are the methods that are served. Names of the log are those of
// https://docs.cloud.google.com/kms/docs/audit-logging,
// https://docs.cloud.google.com/iam/docs/audit-logging and, for Resource
// Manager, of its v3 API.
var routes = []*route{
	{"GET", form("v1", keyForm), "", kmsService, "GetCryptoKey", "cloudkms.cryptoKeys.get", true, false, getKey},
	{"PATCH", form("v1", keyForm), "", kmsService, "UpdateCryptoKey", "cloudkms.cryptoKeys.update", false, false, patchKey},
	{"GET", under("v1", keyForm, "/cryptoKeyVersions"), "", kmsService, "ListCryptoKeyVersions", "cloudkms.cryptoKeyVersions.list", true, false, listVersions},
	{"GET", form("v1", versionForm), "", kmsService, "GetCryptoKeyVersion", "cloudkms.cryptoKeyVersions.get", true, false, getVersion},
	{"PATCH", form("v1", versionForm), "", kmsService, "UpdateCryptoKeyVersion", "cloudkms.cryptoKeyVersions.update", false, false, patchVersion},
	{"POST", form("v1", versionForm), "destroy", kmsService, "DestroyCryptoKeyVersion", "cloudkms.cryptoKeyVersions.destroy", false, false, destroyVersion},
	{"POST", form("v1", versionForm), "restore", kmsService, "RestoreCryptoKeyVersion", "cloudkms.cryptoKeyVersions.restore", false, false, restoreVersion},
	{"POST", form("v1", keyForm), "updatePrimaryVersion", kmsService, "UpdateCryptoKeyPrimaryVersion", "cloudkms.cryptoKeys.update", false, false, setPrimary},
	{"GET", form("v1", `(?:`+keyForm+`|`+ringForm+`)`), "getIamPolicy", kmsService, "GetIamPolicy", "*getIamPolicy", true, false, getPolicy},
	{"POST", form("v1", `(?:`+keyForm+`|`+ringForm+`)`), "setIamPolicy", kmsService, "SetIamPolicy", "*setIamPolicy", false, false, setPolicy},
	{"GET", form("v3", nodeForm), "", crmService, "google.cloud.resourcemanager.v3.Projects.GetProject", "*get", true, false, getNode},
	{"POST", form("v3", nodeForm), "getIamPolicy", crmService, "google.cloud.resourcemanager.v3.Projects.GetIamPolicy", "*getIamPolicy", true, false, getPolicy},
	{"POST", form("v3", nodeForm), "setIamPolicy", crmService, "google.cloud.resourcemanager.v3.Projects.SetIamPolicy", "*setIamPolicy", false, false, setPolicy},
	{"GET", form("v1", anyRoleForm), "", iamService, "google.iam.admin.v1.GetRole", "iam.roles.get", true, false, getRole},
	{"PATCH", form("v1", customForm), "", iamService, "google.iam.admin.v1.UpdateRole", "iam.roles.update", false, false, updateRole},
	{"DELETE", form("v1", customForm), "", iamService, "google.iam.admin.v1.DeleteRole", "iam.roles.delete", false, false, deleteRole},
	{"POST", form("v1", customForm), "undelete", iamService, "google.iam.admin.v1.UndeleteRole", "iam.roles.undelete", false, false, undeleteRole},
	{"GET", form("v2", attachForm), "", iamService, "google.iam.v2.Policies.ListPolicies", "iam.denypolicies.list", true, false, listDeny},
	{"GET", form("v2", denyForm), "", iamService, "google.iam.v2.Policies.GetPolicy", "iam.denypolicies.get", true, false, getDeny},
	{"POST", form("v2", attachForm), "", iamService, "google.iam.v2.Policies.CreatePolicy", "iam.denypolicies.create", false, true, createDeny},
	{"DELETE", form("v2", denyForm), "", iamService, "google.iam.v2.Policies.DeletePolicy", "iam.denypolicies.delete", false, true, deleteDeny},
}

// find returns the route of a request and the resource that it names.
func find(r *http.Request) (*route, string) {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, "/v2/") {
		// Names of deny policies hold an escaped slash. Google's clients escape it
		// once more, people who write URLs don't; in a variable of several
		// segments both mean the same
		// (https://github.com/googleapis/googleapis/blob/master/google/api/http.proto).
		path = strings.ReplaceAll(path, "%25", "%")
	} else if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	path, verb := cutVerb(path)
	for _, at := range routes {
		if at.method != r.Method || at.verb != verb {
			continue
		}
		if host := r.URL.Hostname(); strings.HasSuffix(host, ".googleapis.com") && host != at.service {
			continue
		}
		if m := at.path.FindStringSubmatch(path); m != nil {
			return at, m[1]
		}
	}
	return nil, ""
}

// cutVerb takes a custom method off a path. A project's ID may hold a colon as
// well, but not after its last slash with such a verb.
func cutVerb(path string) (string, string) {
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		for _, v := range []string{"getIamPolicy", "setIamPolicy", "undelete", "destroy", "restore", "updatePrimaryVersion"} {
			if path[i+1:] == v {
				return path[:i], v
			}
		}
	}
	return path, ""
}
