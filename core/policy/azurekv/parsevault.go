package azurekv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"byokwatch/core"
	"byokwatch/core/policy/wording"
	"byokwatch/core/rawjson"
)

// vault is what the judge reads of a vault. Lower-case members are folded.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get
type vault struct {
	doc      core.Document
	ID, Name string
	Location string
	TenantID string // as spelled
	URI      string
	RBAC     bool // enableRbacAuthorization
	Deleted  bool // it is the description of a soft-deleted vault
	Policies []accessPolicy
	Public   string // publicNetworkAccess
	Rules    *networkRules
	// Purge is protection against being purged; the soft-deleted form has it too.
	Purge bool
	// Revoked and Reason are the values of the owner's two tags; marked says that
	// the first is there.
	Revoked, Reason string
	marked          bool
}

// accessPolicy is one entry of a vault's access policies: permissions of one
// principal on keys. Permissions are folded.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/assign-access-policy
type accessPolicy struct {
	TenantID, ObjectID, ApplicationID string
	Keys                              []string

	object            string // ObjectID, folded
	index, start, end int
}

// networkRules is the vault's firewall, but for the addresses that it lets in.
//
// Source: https://learn.microsoft.com/azure/key-vault/general/network-security
type networkRules struct {
	DefaultAction, Bypass string

	start, end int // byte span within the document's text
}

// The owner's tags: by the first an owner says, on the vault itself, for which of
// its keys Confluent shall have no access; the second tells why.
const (
	revocationTag = "byokwatch-revoked"
	reasonTag     = "byokwatch-revoked-reason"
)

func (f *file) addVault(d core.Document) error {
	if f.vault != nil {
		return errors.New("there is more than one")
	}
	v, err := parseVault(d.Text)
	if err != nil {
		return err
	}
	if f.vaultID != "" && v.ID != "" && wording.Lower(v.ID) != f.vaultID {
		return fmt.Errorf("it is of another vault, %s", wording.Abridge(v.ID, 200))
	}
	v.doc = d
	f.vault = &v
	return nil
}

func parseVault(text string) (vault, error) {
	var v vault
	r, err := rawjson.NewReader(text)
	if err != nil {
		return v, err
	}
	if r.Kind() != '{' {
		return v, errors.New("it is not an object")
	}
	own, was := "", ""
	described := false
	_, _, err = r.Object("the vault",
		once(r, "id", &own), once(r, "name", &v.Name), once(r, "location", &v.Location),
		rawjson.Field{Name: "tags", Read: func() error { return v.readTags(r) }},
		rawjson.Field{Name: "properties", Read: func() error {
			described = r.Kind() == '{'
			_, _, err := r.Object("properties",
				once(r, "vaultId", &was), once(r, "tenantId", &v.TenantID), once(r, "vaultUri", &v.URI), once(r, "publicNetworkAccess", &v.Public),
				r.OrNull(r.Flag("enableRbacAuthorization", &v.RBAC)), r.OrNull(r.Flag("enablePurgeProtection", &v.Purge)), r.OrNull(r.Flag("purgeProtectionEnabled", &v.Purge)),
				rawjson.Field{Name: "networkAcls", Read: func() error { return v.readRules(r) }},
				v.policies(r),
				rawjson.Field{Name: "tags", Read: func() error { return v.readTags(r) }})
			return err
		}})
	if err == nil && !described {
		err = errors.New("it has no properties")
	}
	v.ID = own
	if was != "" {
		v.ID, v.Deleted = was, true
	}
	return v, err
}

func (v *vault) readRules(r rawjson.Reader) error {
	if r.Kind() == 'n' {
		return r.Skip()
	}
	v.Rules = &networkRules{}
	var err error
	v.Rules.start, v.Rules.end, err = r.Object("networkAcls", once(r, "defaultAction", &v.Rules.DefaultAction), once(r, "bypass", &v.Rules.Bypass))
	return err
}

// policies is the field of the access policies.
func (v *vault) policies(r rawjson.Reader) rawjson.Field {
	var p accessPolicy
	fields := []rawjson.Field{
		once(r, "tenantId", &p.TenantID), once(r, "objectId", &p.ObjectID), once(r, "applicationId", &p.ApplicationID), nested(r, "permissions", r.Words("keys", &p.Keys)),
	}
	return listed(r, "accessPolicies", func(i int) error {
		p = accessPolicy{index: i}
		var err error
		p.start, p.end, err = r.Object("an access policy", fields...)
		if err == nil && p.ObjectID == "" {
			err = errors.New("it names nobody")
		}
		if err != nil {
			return fmt.Errorf("access policy %d: %w", i, err)
		}
		p.object = wording.Lower(p.ObjectID)
		foldAll(p.Keys)
		v.Policies = append(v.Policies, p)
		return nil
	})
}

// readTags looks for the owner's tags. Their names know no case.
//
// Source: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources
func (v *vault) readTags(r rawjson.Reader) error {
	reasoned := false
	return r.Members("tags", func(name string) error {
		switch {
		case wording.Same(name, revocationTag) && !v.marked:
			v.marked = true
			return r.OrNull(r.Word(name, &v.Revoked)).Read()
		case wording.Same(name, reasonTag) && !reasoned:
			reasoned = true
			return r.OrNull(r.Word(name, &v.Reason)).Read()
		case wording.Same(name, revocationTag), wording.Same(name, reasonTag):
			return fmt.Errorf("%s is there twice", wording.Abridge(name, 80))
		}
		return r.Skip()
	})
}

// marks says that the owner's tag names a key.
func (v *vault) marks(key string) bool { return v.marked && names(v.Revoked, key) }

// tagged lists the words of the owner's tag. Whatever no name of a key holds
// stands between them: people also write quotes, other kinds of space, or an
// address, and what they meant by that must not be lost.
func tagged(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool {
		return r != '-' && r != '*' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// names says that the owner's tag stands for a key. A value without a word, and
// one with a *, are all keys.
func names(value, key string) bool {
	words := tagged(value)
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return everyKey(w) || wording.Same(w, key) })
}

func everyKey(word string) bool { return strings.Contains(word, "*") }
