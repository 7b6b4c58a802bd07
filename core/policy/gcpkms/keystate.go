package gcpkms

import (
	"errors"
	"fmt"
	"strings"

	"byokwatch/core"
	"byokwatch/core/confluent"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// cryptoKey is what the judge reads of `gcloud kms keys describe`.
//
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
type cryptoKey struct {
	doc     core.Document
	Name    string
	Purpose string
	Primary *keyVersion
	marked  bool
	marker  string // value of the revocation label
}

// keyVersion is one version of the key. Its number is "" where its name has
// none.
//
// Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions
type keyVersion struct {
	Name, State       string
	number            string
	index, start, end int
}

// versionList is what the judge reads of `gcloud kms keys versions list`.
type versionList struct {
	doc  core.Document
	list []keyVersion
}

func (f *file) addKey(d core.Document, key string) error {
	if f.key != nil {
		return errors.New("there is more than one")
	}
	k, err := parseKey(d.Text)
	if err != nil {
		return err
	}
	if key != "" && k.Name != "" && k.Name != key {
		return fmt.Errorf("it is of another key, %s", k.Name)
	}
	k.doc = d
	f.key = &k
	return nil
}

func (f *file) addVersions(d core.Document, key string) error {
	if f.versions != nil {
		return errors.New("there is more than one list")
	}
	list, err := parseVersions(d.Text)
	if err != nil {
		return err
	}
	for _, v := range list {
		if key != "" && v.Name != key+"/cryptoKeyVersions/"+v.number {
			return fmt.Errorf("version %d of the list is of another key, %s", v.index, v.Name)
		}
	}
	f.versions = &versionList{d, list}
	return nil
}

func parseKey(text string) (cryptoKey, error) {
	var k cryptoKey
	r, err := rawjson.NewReader(text)
	if err != nil {
		return k, err
	}
	_, _, err = r.Object("the key", r.Word("name", &k.Name), r.Word("purpose", &k.Purpose),
		rawjson.Field{Name: "primary", Read: func() error {
			v, err := version(r, "primary", 0)
			if err == nil && v.Name != "" {
				k.Primary = &v
			}
			return err
		}},
		rawjson.Field{Name: "labels", Read: func() error {
			_, _, err := r.Object("labels", rawjson.Field{Name: revocationLabel, Read: func() error {
				k.marked = true
				return r.Word(revocationLabel, &k.marker).Read()
			}})
			return err
		}})
	return k, err
}

func parseVersions(text string) ([]keyVersion, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var out []keyVersion
	seen := map[string]bool{}
	err = r.List("the list of versions", func(i int) error {
		v, err := version(r, fmt.Sprintf("version %d of the list", i), i)
		switch {
		case err != nil:
			return err
		case v.number == "" || v.State == "":
			return fmt.Errorf("version %d of the list has no name or no state", i)
		case seen[v.number]:
			return fmt.Errorf("version %s is listed twice", v.number)
		}
		seen[v.number] = true
		out = append(out, v)
		return nil
	})
	return out, err
}

func version(r rawjson.Reader, what string, index int) (keyVersion, error) {
	v := keyVersion{index: index}
	var err error
	v.start, v.end, err = r.Object(what, r.Word("name", &v.Name), r.Word("state", &v.State))
	if _, number, ok := strings.Cut(v.Name, "/cryptoKeyVersions/"); ok && versionGrammar.MatchString(number) {
		v.number = number
	}
	return v, err
}

// The properties of a key: every version that holds data is enabled, and so is
// the one that new data is encrypted with.
const (
	primaryEnabled = "primary:ENABLED"
	versionPrefix  = "version:"
	versionSuffix  = ":ENABLED"
)

// versionOf is the version that a property is about.
func versionOf(permission string) (string, bool) {
	rest, ok := strings.CutPrefix(permission, versionPrefix)
	number, ended := strings.CutSuffix(rest, versionSuffix)
	return number, ok && ended && versionGrammar.MatchString(number)
}

// property answers a requirement on the key itself.
func (f file) property(need core.Requirement) core.Finding {
	out := core.Finding{Requirement: need}
	number, ok := versionOf(need.Permission)
	switch {
	case need.Permission == primaryEnabled:
		f.primary(&out)
	case !ok:
		out.Reason = fmt.Sprintf("nothing is known of the property %q", need.Permission)
	case f.versions == nil:
		out.Reason = "the key's versions are not given"
	default:
		f.versionState(&out, number)
	}
	return out
}

func (f file) versionState(out *core.Finding, number string) {
	for _, v := range f.versions.list {
		if v.number != number {
			continue
		}
		out.Result, out.Reason, out.Remedy = stateOf("version "+number, v.State)
		out.Evidence = []core.Evidence{{
			Document: f.versions.doc.ID, Kind: core.CryptoKeyVersions, Statement: v.index, Start: v.start, End: v.end,
			Clause: core.DigestOf("version " + number + " " + v.State),
		}}
		return
	}
	out.Result, out.Reason = core.Missing, "version "+number+" is not among the key's versions: it is gone for good, and with it what only it can decrypt"
	out.Remedy = "open a case with Confluent Support"
}

func (f file) primary(out *core.Finding) {
	k := f.key
	switch {
	case k == nil && f.versions == nil:
		out.Reason = "the key's description is not given"
	case k == nil:
		f.anyVersion(out)
	case k.Purpose != "" && k.Purpose != confluent.GCPPurpose:
		out.Result, out.Reason = core.Missing, "the key's purpose is "+wording.Abridge(k.Purpose, 80)+"; Confluent takes symmetric keys ("+confluent.GCPPurpose+") only"
		out.Remedy = "the purpose of a key can't be changed: it is not the key of a Confluent cluster"
	case k.Primary == nil:
		out.Result, out.Reason = core.Missing, "the key has no primary version, so nothing can be encrypted with it"
		out.Remedy = "make an enabled version primary"
	default:
		out.Result, out.Reason, out.Remedy = stateOf("the primary version, "+numberOr(k.Primary)+",", f.primaryState())
		out.Evidence = []core.Evidence{{
			Document: k.doc.ID, Kind: core.CryptoKey, Start: k.Primary.start, End: k.Primary.end,
			Clause: core.DigestOf("primary " + k.Primary.number + " " + f.primaryState()),
		}}
	}
}

// anyVersion stands in for the primary version where only the list of versions
// is given.
func (f file) anyVersion(out *core.Finding) {
	for _, v := range f.versions.list {
		if v.State == stateEnabled {
			out.Reason = "the key's description, which names the primary version, is not given"
			return
		}
	}
	out.Result, out.Reason = core.Missing, "no version of the key is enabled"
	out.Remedy = "enable the version that Confluent's data is encrypted with"
}

// primaryState is the state of the primary version: that of the list, if it
// has the version, since the key repeats it and may be read a moment earlier.
func (f file) primaryState() string {
	if f.versions != nil {
		for _, v := range f.versions.list {
			if v.number != "" && v.number == f.key.Primary.number && v.State != stateEnabled {
				return v.State
			}
		}
	}
	return f.key.Primary.State
}

func numberOr(v *keyVersion) string {
	if v.number == "" {
		return wording.Abridge(v.Name, 80)
	}
	return v.number
}

// stateOf says what a version's state means for Confluent.
//
// Sources: https://cloud.google.com/kms/docs/key-states,
// https://cloud.google.com/kms/docs/destroy-restore
func stateOf(what, state string) (core.Result, string, string) {
	switch state {
	case stateEnabled:
		return core.Met, what + " is enabled", ""
	case stateDisabled:
		return core.Missing, what + " is disabled", "enable it: that takes effect at once"
	case stateScheduled:
		return core.Missing, what + " is scheduled for destruction", "restore it before its time is up, then enable it: a restored version is disabled"
	case stateDestroyed:
		return core.Missing, what + " is destroyed, and what it encrypted is lost", "open a case with Confluent Support"
	case "PENDING_GENERATION", "PENDING_IMPORT":
		return core.Undetermined, what + " is not there yet (" + state + ")", "look again in a minute"
	case "IMPORT_FAILED", "GENERATION_FAILED", "PENDING_EXTERNAL_DESTRUCTION", "EXTERNAL_DESTRUCTION_FAILED":
		return core.Missing, what + " can't be used (" + state + ")", ""
	}
	return core.Undetermined, what + " is in a state that nothing is known of, " + wording.Abridge(state, 80), ""
}

// unusable says that nobody can encrypt with the key, whatever its policy says.
func (f file) unusable() bool {
	switch {
	case f.key != nil && f.key.Primary != nil:
		if r, _, _ := stateOf("", f.primaryState()); r == core.Missing {
			return true
		}
	case f.key != nil && f.key.Purpose != "":
		return true
	}
	if f.versions == nil {
		return false
	}
	for _, v := range f.versions.list {
		if r, _, _ := stateOf("", v.State); r != core.Missing {
			return false
		}
	}
	return true
}

// dying says that the primary version is scheduled for destruction. An older
// one that is, is a lost property of its own: it does not keep a lost
// permission from coming back.
func (f file) dying() bool {
	return f.key != nil && f.key.Primary != nil && f.primaryState() == stateScheduled
}
