package azurekv

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// vaultKey is what the judge reads of a key: its current version.
//
// Sources: https://learn.microsoft.com/rest/api/keyvault/keyvault/keys/get,
// https://learn.microsoft.com/azure/key-vault/keys/about-keys-details
type vaultKey struct {
	doc        core.Document
	Gone       bool   // the answer says that there is no such key
	Type       string // kty
	Operations []string
	keyVersion
}

// keyVersion is one version of a key. Its number is folded, "" where nothing
// tells it. Times are Unix seconds, 0 where there is none.
type keyVersion struct {
	number            string
	Enabled, told     bool // told says whether Enabled was given at all
	Starts, Ends      int64
	index, start, end int
}

// versionList is what the judge reads of the list of a key's versions.
type versionList struct {
	doc  core.Document
	list []keyVersion
}

// label is how a resource calls itself: the ID of Azure Resource Manager or the
// address within the vault.
type label struct{ id, kid, uri string }

func (f *file) addKey(d core.Document) error {
	if f.item != nil {
		return errors.New("there is more than one")
	}
	k, named, err := parseKey(d.Text)
	if err != nil {
		return err
	}
	if err := f.ours(named); err != nil {
		return err
	}
	k.doc = d
	f.item = &k
	return nil
}

func (f *file) addVersions(d core.Document) error {
	if f.versions != nil {
		return errors.New("there is more than one")
	}
	list, names, err := parseVersions(d.Text)
	if err != nil {
		return err
	}
	for i, n := range names {
		if err := f.ours(n); err != nil {
			return fmt.Errorf("version %d of the list: %w", i, err)
		}
	}
	f.versions = &versionList{d, list}
	return nil
}

// ours is an error if a label is another key's: of another name or vault.
func (f *file) ours(l label) error {
	if f.key == "" {
		return nil
	}
	id, _, _ := strings.Cut(wording.Lower(l.id), "/versions/")
	if id != "" && id != f.key {
		return fmt.Errorf("it is of another key, %s", wording.Abridge(l.id, 200))
	}
	for _, address := range []string{l.kid, l.uri} {
		if address == "" {
			continue
		}
		host, name, _ := cutAddress(address)
		if name != lastSegment(f.key) {
			return fmt.Errorf("it is of another key, %s", wording.Abridge(address, 200))
		}
		if f.vault == nil || f.vault.URI == "" {
			continue
		}
		if u, err := url.Parse(wording.Lower(f.vault.URI)); err != nil || u.Host != host {
			return fmt.Errorf("it is of another vault, %s", wording.Abridge(host, 200))
		}
	}
	return nil
}

// cutAddress takes https://VAULT/keys/NAME/VERSION apart, folded. The version
// may be missing.
func cutAddress(address string) (host, name, version string) {
	u, err := url.Parse(wording.Lower(address))
	if err != nil || u.Scheme != "https" {
		return "", "", ""
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] != "keys" {
		return "", "", ""
	}
	if len(parts) == 3 {
		version = parts[2]
	}
	return u.Host, parts[1], version
}

// number is the version that a label names, "" if none.
func (l label) number() (string, error) {
	_, _, named := cutAddress(l.kid)
	if _, _, v := cutAddress(l.uri); named == "" {
		named = v
	}
	if _, v, ok := strings.Cut(wording.Lower(l.id), "/versions/"); ok {
		if named != "" && named != v {
			return "", errors.New("its id and its address name different versions")
		}
		named = v
	}
	if named != "" && !versionGrammar.MatchString(named) {
		return "", fmt.Errorf("%q is no version of a key", wording.Abridge(named, 80))
	}
	return named, nil
}

func parseKey(text string) (vaultKey, label, error) {
	var k vaultKey
	var l label
	r, err := rawjson.NewReader(text)
	if err != nil {
		return k, l, err
	}
	if r.Kind() != '{' {
		return k, l, errors.New("it is not an object")
	}
	code := ""
	k.start, k.end, err = r.Object("the key", append(k.fields(r, &l),
		nested(r, "key", once(r, "kid", &l.kid), once(r, "kty", &k.Type), r.Words("keyOps", &k.Operations), r.Words("key_ops", &k.Operations)),
		nested(r, "error", once(r, "code", &code)))...)
	switch {
	case err != nil:
		return k, l, err
	case wording.Same(code, "KeyNotFound"):
		k.Gone = true
		return k, l, nil
	case code != "":
		return k, l, fmt.Errorf("it is an error, %s", wording.Abridge(code, 80))
	case !k.told && k.Type == "":
		return k, l, errors.New("it describes no key")
	}
	k.number, err = l.number()
	return k, l, err
}

// fields are those of a key, or of one of its versions, in either form.
func (k *vaultKey) fields(r rawjson.Reader, l *label) []rawjson.Field {
	attributes := k.attributes(r)
	return []rawjson.Field{
		once(r, "id", &l.id), once(r, "kid", &l.kid), attributes,
		nested(r, "properties", once(r, "keyUriWithVersion", &l.uri), once(r, "kty", &k.Type), r.Words("keyOps", &k.Operations), attributes),
	}
}

func (k *vaultKey) attributes(r rawjson.Reader) rawjson.Field {
	return rawjson.Field{Name: "attributes", Read: func() error {
		if k.told {
			return errors.New("attributes are given twice")
		}
		expires, notBefore := "", ""
		enabled := r.Flag("enabled", &k.Enabled)
		_, _, err := r.Object("attributes",
			r.OrNull(rawjson.Field{Name: "enabled", Read: func() error { k.told = true; return enabled.Read() }}),
			r.OrNull(r.Number("nbf", &k.Starts)), r.OrNull(r.Number("exp", &k.Ends)), once(r, "expires", &expires), once(r, "notBefore", &notBefore))
		if err != nil {
			return err
		}
		if err := errors.Join(setDate(&k.Starts, notBefore), setDate(&k.Ends, expires)); err != nil {
			return err
		}
		for _, at := range []int64{k.Starts, k.Ends} {
			if year := time.Unix(at, 0).UTC().Year(); year < 0 || year > 9999 {
				return fmt.Errorf("%d is no date", at) // none that could be written down
			}
		}
		return nil
	}}
}

// setDate reads a date as az prints it, if there is one.
func setDate(to *int64, text string) error {
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%q is no date", wording.Abridge(text, 40))
	}
	*to = t.Unix()
	return nil
}

func parseVersions(text string) ([]keyVersion, []label, error) {
	r, err := rawjson.NewReader(text)
	if err != nil {
		return nil, nil, err
	}
	var out []keyVersion
	var names []label
	seen := map[string]bool{}
	err = elements(r, "the list of versions", func(i int) error {
		var k vaultKey
		var l label
		k.index = i
		var err error
		k.start, k.end, err = r.Object("a version", k.fields(r, &l)...)
		if err == nil {
			k.number, err = l.number()
		}
		switch {
		case err != nil:
		case k.number == "" || !k.told:
			err = errors.New("it does not say which it is, or whether it is enabled")
		case seen[k.number]:
			err = errors.New("it is listed twice")
		}
		if err != nil {
			return fmt.Errorf("version %d of the list: %w", i, err)
		}
		seen[k.number] = true
		out, names = append(out, k.keyVersion), append(names, l)
		return nil
	})
	return out, names, err
}
