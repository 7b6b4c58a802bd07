package auditlog

import (
	"net/url"
	"strings"

	"byokwatch/core/loose"
	"byokwatch/core/pattern"
)

// scope is what a resource's name covers: some keys of one project, or of all.
type scope struct {
	project string // ID; "" is every project
	// rest is what follows the project in the names of the covered keys: all of
	// it if whole, else the beginning, up to a slash.
	rest  string
	whole bool
}

func (s scope) covers(key string) bool {
	name, ok := strings.CutPrefix(key, "projects/")
	at := strings.IndexByte(name, '/')
	if !ok || at < 0 || s.project != "" && s.project != name[:at] {
		return false
	}
	rest := name[at:]
	if s.whole {
		return s.rest == rest
	}
	return strings.HasPrefix(rest, s.rest+"/")
}

var (
	// https://docs.cloud.google.com/kms/docs/resource-hierarchy
	keyName     = pattern.New(`^projects/([^/]+)(/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)(?:/cryptoKeyVersions/[^/]+)?$`)
	ringName    = pattern.New(`^projects/([^/]+)(/locations/[^/]+/keyRings/[^/]+)$`)
	projectName = pattern.New(`^projects/([^/]+)(?:/roles/[^/]+)?$`)
	serviceName = pattern.New(`^projects/([^/]+)/services/([^/]+)$`)
	aboveName   = pattern.New(`^(?:folders|organizations)/[^/]+(?:/roles/[^/]+)?$`)
	// https://docs.cloud.google.com/iam/docs/reference/rest/v2/policies
	denyName = pattern.New(`^policies/([^/]+)/denypolicies(?:/.*)?$`)
	number   = pattern.New(`^[0-9]+$`)
	// https://docs.cloud.google.com/resource-manager/docs/creating-managing-projects
	projectID = pattern.New(`^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]+$`)
)

// scopeOf reads a resource's name. known says that it is one whose changes
// matter; project is the ID that stands for a project's number.
func scopeOf(name, project string) (s scope, known bool) {
	if _, rest, ok := strings.Cut(strings.TrimPrefix(name, "//"), ".googleapis.com/"); ok && strings.HasPrefix(name, "//") {
		name = rest // a full resource name
	}
	if m := denyName.FindStringSubmatch(name); m != nil {
		at, err := url.PathUnescape(m[1])
		if err != nil {
			return scope{}, false
		}
		return scopeOf("//"+at, project)
	}
	if m := keyName.FindStringSubmatch(name); m != nil {
		return scope{idOf(m[1], project), m[2], true}, true
	}
	if m := ringName.FindStringSubmatch(name); m != nil {
		return scope{idOf(m[1], project), m[2], false}, true
	}
	if m := projectName.FindStringSubmatch(name); m != nil {
		return scope{project: idOf(m[1], project)}, true
	}
	if m := serviceName.FindStringSubmatch(name); m != nil && m[2] == kms {
		return scope{project: idOf(m[1], project)}, true
	}
	return scope{}, aboveName.MatchString(name) // keys do not say what they are below
}

// idOf is a project's ID. Names may hold its number instead; one that nothing
// in the entry explains stands for every project.
func idOf(project, explained string) string {
	if number.MatchString(project) {
		return explained
	}
	return project
}

// explains is the project's ID as the rest of an entry tells, or "".
func explains(entry loose.Object) string {
	log, ok := strings.CutPrefix(entry.Text("logName"), "projects/")
	if log, _, _ = strings.Cut(log, "/"); !ok {
		log = ""
	}
	for _, id := range []string{entry.Object("resource").Object("labels").Text("projectId"), log} {
		if projectID.MatchString(id) {
			return id
		}
	}
	return ""
}

// names lists how an entry names what was changed, the most trustworthy first.
func names(entry, payload loose.Object) []string {
	request := payload.Object("request")
	out := []string{payload.Text("resourceName")}
	for _, a := range payload.Objects("authorizationInfo") {
		out = append(out, a.Text("resource"))
	}
	out = append(out, request.Text("name"), request.Text("resource"), request.Text("parent"),
		request.Object("policy").Text("name"), payload.Object("response").Text("name"))
	labels := entry.Object("resource").Object("labels")
	if key := labels.Text("cryptoKeyId"); key != "" {
		out = append(out, "projects/"+labels.Text("projectId")+"/locations/"+labels.Text("location")+"/keyRings/"+labels.Text("keyRingId")+"/cryptoKeys/"+key)
	}
	return out
}
