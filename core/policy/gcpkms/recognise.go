package gcpkms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/stored"
	"byokwatch/core/rawjson"
	"byokwatch/core/strict"
)

var errNotGCP = errors.New("this is neither an IAM policy (gcloud … get-iam-policy), nor a role (gcloud iam roles describe), nor a key (gcloud kms keys describe) or its versions (gcloud kms keys versions list --format=json), nor deny policies (gcloud iam policies get), nor a snapshot (byokwatch snapshot show)")

// Recognise reads a file as one document of a Google Cloud key, told by its
// shape: what gcloud prints, as JSON or as its default YAML, for
//   - `kms keys get-iam-policy`, `kms keyrings get-iam-policy`, `projects
//     get-iam-policy` and its like;
//   - `iam roles describe`;
//   - `kms keys describe` and `kms keys versions list`;
//   - `iam policies get` of a deny policy, or a list of those;
//
// and a snapshot or one of its documents, as `byokwatch snapshot show` prints
// them. Of a snapshot this is the key's IAM policy; [RecogniseAll] has the rest.
//
// The document's ID is what the file tells of it, and "" for an IAM policy,
// which gcloud prints without the name of its resource. A text that was YAML
// becomes JSON. A byte order mark and space around it are ignored; anything else
// is an error that says what the file may be.
func Recognise(file []byte) (core.Document, error) {
	docs, err := RecogniseAll(file)
	if err != nil {
		return core.Document{}, err
	}
	if doc, ok := core.Policy(docs).Find(core.IAMPolicy); ok {
		return doc, nil
	}
	return docs[0], nil
}

// RecogniseAll is [Recognise] for files that hold more than one document, in
// the order of the file.
func RecogniseAll(file []byte) ([]core.Document, error) {
	data := bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")))
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	if data[0] != '{' && data[0] != '[' {
		var err error
		if data, err = fromYAML(data); err != nil {
			return nil, err
		}
	}
	if err := strict.Check(data); err != nil {
		return nil, fmt.Errorf("not one well-formed JSON value: %w", err)
	}
	if data[0] == '[' {
		return recogniseList(data)
	}
	return recogniseObject(data)
}

func members(data []byte) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := strict.UnmarshalOpen(data, &out); err != nil {
		return nil, errNotGCP
	}
	return out, nil
}

func recogniseObject(data []byte) ([]core.Document, error) {
	m, err := members(data)
	if err != nil {
		return nil, err
	}
	has := func(name string) bool { return m[name] != nil }
	name := rawjson.Unquote(string(m["name"]))
	switch {
	case has("kind") && has("text"):
		return storedDocuments([]byte("[" + string(data) + "]"))
	case has("policy") && m["policy"][0] == '[':
		return storedDocuments(m["policy"])
	case has("cryptoKeyVersions"):
		return recogniseList(m["cryptoKeyVersions"])
	case strings.Contains(name, "/denypolicies/"):
		return recogniseList([]byte("[" + string(data) + "]"))
	case strings.Contains(name, "/cryptoKeyVersions/"):
		return nil, errors.New("this is one version of a key; all are needed: gcloud kms keys versions list --format=json")
	case strings.Contains(name, "/cryptoKeys/"):
		return checked(core.Document{Kind: core.CryptoKey, ID: name, Text: string(data)})
	case has("includedPermissions") || strings.HasPrefix(name, predefinedPrefix) || strings.Contains(name, "/roles/"):
		return checked(core.Document{Kind: core.Role, ID: name, Text: string(data)})
	case has("bindings"), has("etag") && !has("name"):
		return checked(core.Document{Kind: core.IAMPolicy, Text: string(data)})
	}
	return nil, errNotGCP
}

func recogniseList(data []byte) ([]core.Document, error) {
	var list []json.RawMessage
	if err := strict.UnmarshalOpen(data, &list); err != nil {
		return nil, errNotGCP
	}
	if len(list) == 0 {
		return nil, errors.New("an empty list says nothing about a key")
	}
	first, err := members(list[0])
	if err != nil {
		return nil, err
	}
	name := rawjson.Unquote(string(first["name"]))
	switch key, _, versions := strings.Cut(name, "/cryptoKeyVersions/"); {
	case first["kind"] != nil && (first["text"] != nil || first["unreadable"] != nil):
		return storedDocuments(data)
	case versions:
		return checked(core.Document{Kind: core.CryptoKeyVersions, ID: key, Text: string(data)})
	case strings.Contains(name, "/denypolicies/"):
		return checked(core.Document{Kind: core.DenyPolicies, ID: attachment(name), Text: string(data)})
	case len(list) == 1:
		return recogniseObject(list[0])
	}
	return nil, errNotGCP
}

// attachment is the project, folder or organisation in a deny policy's name;
// "" if that is not what it says.
//
// Source: https://cloud.google.com/iam/docs/reference/rest/v2/policies#Policy
func attachment(name string) string {
	rest, _ := strings.CutPrefix(name, "policies/")
	point, _, _ := strings.Cut(rest, "/denypolicies/")
	plain, err := url.PathUnescape(point)
	if err != nil {
		return ""
	}
	id, ok := strings.CutPrefix(plain, "cloudresourcemanager.googleapis.com/")
	if !ok || strings.Count(id, "/") != 1 {
		return ""
	}
	return id
}

// checked is a document that parses.
func checked(d core.Document) ([]core.Document, error) {
	if err := check(d); err != nil {
		return nil, err
	}
	return []core.Document{d}, nil
}

func check(d core.Document) error {
	var f file
	f.roles, f.roleDocs = map[string]definition{}, map[string]core.Document{}
	return f.add(d, d.ID)
}

var kinds = []core.Kind{core.IAMPolicy, core.Role, core.DenyPolicies, core.CryptoKey, core.CryptoKeyVersions}

// storedDocuments reads documents as core writes them.
func storedDocuments(data []byte) ([]core.Document, error) {
	return stored.Documents(data, "a Google Cloud key", kinds, check)
}
