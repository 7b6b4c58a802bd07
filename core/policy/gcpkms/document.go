package gcpkms

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
)

// binding is one entry of an IAM policy as parsed: nothing resolved, nothing
// lost that decides.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/v1/Policy#Binding
type binding struct {
	Role      string
	Members   []string
	Condition *clause

	index      int // within bindings, from 0
	start, end int // byte span within the document's text
}

// clause is the condition of a binding or of a deny rule. Title and description
// decide nothing.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/Shared.Types/Expr
type clause struct{ Expression, Title, Description string }

// definition is a role: what it gives while it is alive.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles#Role
type definition struct {
	Name        string
	Stage       string
	Deleted     bool
	Permissions []string
	span        int // length of the document's text
}

// prohibition is one rule of a deny policy.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/v2/policies#DenyRule
type prohibition struct {
	Policy                                  string // last part of the policy's name
	DeniedPrincipals, ExceptionPrincipals   []string
	DeniedPermissions, ExceptionPermissions []string
	Condition                               *clause
	unread                                  bool // the policy was listed without its rules
	index, start, end                       int  // rules count through all policies of the document
}

// level is one IAM policy that reaches the key.
type level struct {
	doc      core.Document
	label    string // for people
	bindings []binding
}

// barrier is the deny policies of one level.
type barrier struct {
	doc   core.Document
	label string
	rules []prohibition
}

// file is everything of a policy that was read.
type file struct {
	levels   []level
	barriers []barrier
	roles    map[string]definition
	roleDocs map[string]core.Document
	key      *cryptoKey // nil where there is none
	versions *versionList
	// hidden says of roles why their definition can't be read.
	hidden map[string]string
	// blind lists documents above the key that can't be read.
	blind []core.Document
}

// errUnread marks a document that decides and that can't be read.
var errUnread = errors.New("can't be read")

// read parses all documents that reach the key. It fails if one of the key's
// own can't be read, or if any does not parse, because whoever reads a policy
// otherwise than the cloud does would judge another one than that in force.
func read(p core.Policy, key string) (file, error) {
	f := file{roles: map[string]definition{}, roleDocs: map[string]core.Document{}, hidden: map[string]string{}}
	for _, d := range p {
		if err := f.add(d, key); err != nil {
			return f, err
		}
	}
	return f, nil
}

// nameless says that a document does not tell which resource it is about, since
// gcloud does not print that: it counts as reaching the key. To tell several
// apart, whoever read it from a file may give it an ID that says so.
func nameless(id string) bool { return id == "" || strings.HasPrefix(id, FromFile) }

// FromFile begins the ID of a document that was read from a file and does not
// tell which resource it is about; the file's name follows.
const FromFile = "file:"

func (f *file) add(d core.Document, key string) error {
	own := d.ID == key || nameless(d.ID)
	switch {
	case !reachesKey(d, key):
		return nil
	case d.Unreadable != "" && own && d.Kind != core.Role:
		return fmt.Errorf("%s %w: %s", called(d, key), errUnread, d.Unreadable)
	case d.Unreadable != "" && d.Kind == core.Role:
		f.hidden[d.ID] = d.Unreadable
		return nil
	case d.Unreadable != "":
		f.blind = append(f.blind, d)
		return nil
	}
	var err error
	switch d.Kind {
	case core.IAMPolicy:
		l := level{doc: d, label: placeOf(d.ID, key)}
		l.bindings, err = parsePolicy(d.Text)
		f.levels = append(f.levels, l)
	case core.Role:
		var r definition
		if r, err = parseRole(d.Text); err == nil && !nameless(d.ID) && r.Name != "" && r.Name != d.ID {
			err = fmt.Errorf("it is of another role, %s", r.Name)
		}
		if r.Name == "" {
			r.Name = d.ID
		}
		f.roles[r.Name], f.roleDocs[r.Name] = r, d
	case core.DenyPolicies:
		b := barrier{doc: d, label: placeOf(d.ID, key)}
		b.rules, err = parseDenies(d.Text)
		f.barriers = append(f.barriers, b)
	case core.CryptoKey:
		err = f.addKey(d, key)
	case core.CryptoKeyVersions:
		err = f.addVersions(d, key)
	}
	if err != nil {
		return fmt.Errorf("%s can't be used: %w", called(d, key), err)
	}
	return nil
}

// reachesKey says whether a document is about the key or something above it.
// IAM policies are inherited from the ring, the project, its folders and the
// organisation; which folders those are, a document does not show.
//
// Source: https://cloud.google.com/kms/docs/resource-hierarchy
func reachesKey(d core.Document, key string) bool {
	if d.Kind == core.Role || nameless(d.ID) || key == "" || d.ID == key {
		return true
	}
	if d.Kind == core.CryptoKey || d.Kind == core.CryptoKeyVersions {
		return false
	}
	if ring, _, _ := strings.Cut(key, "/cryptoKeys/"); d.ID == ring {
		return true
	}
	kind, rest, _ := strings.Cut(d.ID, "/")
	switch {
	case strings.Contains(rest, "/"):
		return false
	case kind == "folders" || kind == "organizations":
		return true
	}
	return kind == "projects" && (rest == projectOf(key) || digits(rest) || digits(projectOf(key)))
}

// projectOf is the project's ID within a resource's name.
func projectOf(name string) string {
	rest, _ := strings.CutPrefix(name, "projects/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// placeOf is how people call a resource.
func placeOf(id, key string) string {
	switch parts := strings.Split(id, "/"); {
	case id == "":
		return "the given policy"
	case nameless(id):
		return strings.TrimPrefix(id, FromFile)
	case id == key:
		return "the key"
	case len(parts) == 2 && slices.Contains([]string{"projects", "folders", "organizations"}, parts[0]):
		return strings.TrimSuffix(parts[0], "s") + " " + parts[1]
	case len(parts) == 6 && parts[4] == "keyRings":
		return "key ring " + parts[5]
	}
	return id
}

// called names a document for people.
func called(d core.Document, key string) string {
	what := map[core.Kind]string{
		core.IAMPolicy: "the IAM policy of ", core.Role: "role ", core.DenyPolicies: "the deny policies of ",
		core.CryptoKey: "the description of ", core.CryptoKeyVersions: "the versions of ",
	}[d.Kind]
	if d.Kind == core.Role {
		return what + d.ID
	}
	switch {
	case d.ID == "" && d.Kind == core.IAMPolicy:
		return "a given IAM policy"
	case d.ID == "":
		return what + "the key"
	}
	return what + placeOf(d.ID, key)
}
