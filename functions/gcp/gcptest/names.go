package gcptest

import (
	"regexp"
	"strings"
)

// The grammar of resource names, of
// https://docs.cloud.google.com/kms/docs/resource-hierarchy and
// https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.roles.
const (
	projectForm = `projects/[a-z0-9.:-]+`
	nodeForm    = `(?:` + projectForm + `|folders/[0-9]+|organizations/[0-9]+)`
	ringForm    = projectForm + `/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}`
	keyForm     = ringForm + `/cryptoKeys/[A-Za-z0-9_-]{1,63}`
	versionForm = keyForm + `/cryptoKeyVersions/[0-9]+`
	customForm  = `(?:` + projectForm + `|organizations/[0-9]+)/roles/[A-Za-z0-9_.]+`
	anyRoleForm = `(?:` + customForm + `|roles/[A-Za-z0-9_.]+)`
	attachForm  = `policies/cloudresourcemanager\.googleapis\.com%2F(?:projects|folders|organizations)%2F[a-z0-9.:-]+/denypolicies`
	denyForm    = attachForm + `/[a-z][a-z0-9.-]{2,62}`
)

var (
	isRing    = regexp.MustCompile(`^` + ringForm + `$`)
	isKey     = regexp.MustCompile(`^` + keyForm + `$`)
	isVersion = regexp.MustCompile(`^` + versionForm + `$`)
	isCustom  = regexp.MustCompile(`^` + customForm + `$`)
	isDeny    = regexp.MustCompile(`^` + attachForm)
)

// up cuts a name's last n segments.
func up(name string, n int) string {
	for range n {
		name = name[:max(0, strings.LastIndexByte(name, '/'))]
	}
	return name
}

func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// projectOf is the project in which a resource lives; empty above projects.
func projectOf(name string) string {
	p := strings.Split(name, "/")
	if len(p) < 2 || p[0] != "projects" {
		return ""
	}
	return "projects/" + p[1]
}

// attached is the node that a deny policy or a list of them is about.
func attached(name string) string {
	_, rest, _ := strings.Cut(name, "policies/cloudresourcemanager.googleapis.com%2F")
	node, _, _ := strings.Cut(rest, "/")
	return strings.ReplaceAll(node, "%2F", "/")
}

// chain lists the resources whose policies reach a resource, its own first
// (https://docs.cloud.google.com/iam/docs/resource-hierarchy-access-control).
// Call with the lock held.
func (c *Cloud) chain(name string) []string {
	var out []string
	if bucket, ok := strings.CutPrefix(name, BucketName("")); ok {
		bucket, _, _ = strings.Cut(bucket, "/")
		out, name = append(out, BucketName(bucket)), "projects/"+c.opts.Project
	}
	if isDeny.MatchString(name) {
		name = attached(name)
	}
	if isCustom.MatchString(name) {
		name = up(name, 2)
	}
	if isVersion.MatchString(name) {
		name = up(name, 2)
	}
	if isKey.MatchString(name) {
		out, name = append(out, name), up(name, 2)
	}
	if isRing.MatchString(name) {
		out = append(out, name)
	}
	if p := projectOf(name); p != "" {
		name = p
	}
	for name != "" {
		out = append(out, name)
		name = c.parents[name]
	}
	return out
}
