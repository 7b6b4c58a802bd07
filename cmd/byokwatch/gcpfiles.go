package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"byokwatch/core"
)

// Grammars of what names a key and a group on Google Cloud.
// Sources: https://docs.cloud.google.com/kms/docs/resource-hierarchy,
// https://docs.cloud.google.com/iam/docs/principal-identifiers
var (
	cryptoKeyForm = regexp.MustCompile(`^projects/(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{2,62}/locations/[a-z][a-z0-9-]{1,62}/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)
	groupForm     = regexp.MustCompile(`^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

// gcpKey is the key that the flags describe.
func (f checkFlags) gcpKey() (core.Key, error) {
	group := strings.TrimPrefix(f.group, "group:")
	k := core.Key{Cloud: core.GCP, ID: f.key, Mode: core.Observe, Restore: core.Patch, Needs: core.Confluent{Group: strings.ToLower(group)}}
	if err := f.only(core.GCP, "--group"); err != nil {
		return k, err
	}
	switch {
	case f.group == "":
		return k, errors.New("--group is missing: give the address of the group that Confluent Cloud shows for the key")
	case !groupForm.MatchString(group):
		return k, fmt.Errorf("--group %q is not the address of a group, such as cck-12345@confluent.io", f.group)
	case f.key != "" && !cryptoKeyForm.MatchString(f.key):
		return k, fmt.Errorf("--key %q is not the name of a key (projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY)", f.key)
	}
	return k, nil
}

// gatherGCP makes one policy of all files. Policies add up: that of the key,
// its ring, its project and what is above. gcloud prints them without the name
// of their resource, so two may be alike in all but their text; each of those
// begins with as many spaces as the ones before have bytes, so that an offset
// says which of them it is in.
func gatherGCP(files []file, k core.Key) (core.Policy, core.Key, error) {
	var p core.Policy
	from := map[core.Ref]string{}
	lead := 0
	for _, f := range files {
		for i := range f.docs {
			d := &f.docs[i]
			if d.Unreadable != "" && (d.ID == "" || strings.Contains(d.ID, "/cryptoKeys/")) {
				return nil, k, fmt.Errorf("%s holds no %s of the key, for it could not be read: %s", f.name, d.Kind, d.Unreadable)
			}
			if strings.Contains(d.ID, "/cryptoKeys/") {
				if k.ID != "" && d.ID != k.ID {
					return nil, k, fmt.Errorf("%s is about %s, not about %s", f.name, d.ID, k.ID)
				}
				k.ID = d.ID
			}
			ref, nameless := d.Ref(), d.Kind == core.IAMPolicy && d.ID == ""
			switch {
			case from[ref] != "" && !nameless:
				return nil, k, fmt.Errorf("%s and %s both hold the document %s of %s: there is one", from[ref], f.name, d.Kind, d.ID)
			case nameless:
				d.Text = strings.Repeat(" ", lead) + d.Text
				lead = len(d.Text)
			}
			from[ref] = f.name
			p = append(p, *d)
		}
	}
	if _, ok := p.Find(core.IAMPolicy); !ok {
		return nil, k, errors.New("none of the files is an IAM policy: save one with gcloud kms keys get-iam-policy KEY --keyring=RING --location=LOCATION")
	}
	return p, k, nil
}

// hintsGCP are hints about IAM policies.
func hintsGCP(p core.Policy, k core.Key, _ core.Judgement, verdict core.State) []string {
	if verdict == core.Broken && len(p) == 1 && p[0].ID == "" {
		return []string{"hint      access may also come from above: give the policies of the key ring and the project with further --policy"}
	}
	if verdict == core.Unclear && k.ID == "" {
		return []string{"hint      conditions and custom roles turn on the key's name: give it with --key"}
	}
	return nil
}

// lineInYAML finds the line of a binding, or of a key version, in what gcloud
// prints without --format=json. The file was parsed before, within its bounds.
func lineInYAML(data []byte, kind core.Kind, index int) (int, bool) {
	where := ""
	switch kind {
	case core.IAMPolicy:
		where = fmt.Sprintf("$.bindings[%d]", index)
	case core.CryptoKeyVersions:
		where = fmt.Sprintf("$[%d]", index)
	default:
		return 0, false
	}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		return 0, false
	}
	path, err := yaml.PathString(where)
	if err != nil {
		return 0, false
	}
	node, err := path.FilterFile(parsed)
	if err != nil {
		return 0, false
	}
	return node.GetToken().Position.Line, true
}
